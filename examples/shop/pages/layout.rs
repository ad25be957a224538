//! The frame around every page.

use maud::{DOCTYPE, Markup, html};
use session_runtime::EndReason;

use super::{Frame, icons};
use crate::catalogue::User;
use crate::session::Notice;
use crate::texts::{Locale, Texts};

/// A link to the chapter of the guide that explains what stands beside it.
pub(super) fn chapter(t: &Texts, name: &str) -> Markup {
    html! {
        a.chapter href={ "/guide/" (name) } hreflang="en" title=(t.chapter) aria-label=(t.chapter) { "?" }
    }
}

/// A page with language switch and account.
pub(super) fn page(frame: &Frame, body: &Markup) -> Markup {
    let (t, locale) = (frame.texts(), frame.locale);
    let tools = html! {
        form.languages method="post" action="/locale" {
            input type="hidden" name="back" value=(frame.path);
            fieldset {
                legend.hidden { (t.language) }
                @for other in Locale::ALL {
                    button name="locale" value=(other.tag()) lang=(other.tag())
                        aria-pressed=(other == locale) title=(other.own_name())
                    {
                        span.hidden { (other.own_name()) }
                        span aria-hidden="true" { (other.tag()) }
                    }
                }
            }
        }
        @if let Some(user) = frame.user {
            form.who method="post" action="/sign-out" {
                span {
                    span.hidden { (t.account.signed_in_as) " " }
                    strong id="user" { (user.name) }
                }
                button.button.small id="sign-out" { (t.account.sign_out) }
            }
        } @else {
            a.button.small href="/#account" { (t.account.sign_in) }
        }
    };
    let body = html! { (notice(frame)) (body) };
    shell(locale, &tools, &body)
}

/// A page without a session.
pub(super) fn bare(locale: Locale, body: &Markup) -> Markup {
    shell(locale, &html! {}, body)
}

fn shell(locale: Locale, tools: &Markup, body: &Markup) -> Markup {
    let t = locale.texts();
    html! {
        (DOCTYPE)
        html lang=(locale.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (t.title) }
                link rel="icon" href=(icons::FAVICON);
                link rel="stylesheet" href="/assets/shop.css";
                script src="/assets/shop.js" defer {}
            }
            body {
                a.skip href="#main" { (t.skip) }
                header.bar {
                    a.brand href="/" { (icons::brand()) span { (t.title) } }
                    div.tools { (tools) }
                }
                main id="main" { (body) }
                footer { p { (t.footer) } }
            }
        }
    }
}

/// The message of the previous request, or why this browser's session is over.
fn notice(frame: &Frame) -> Markup {
    let t = frame.texts();
    let name = |product| (t.product)(product).0;
    let text = frame.notice.map(|notice| match notice {
        Notice::SignedIn(user) => {
            (t.account.welcome)(User::find(user).map_or("", |user| user.name))
        }
        Notice::Added(product) => (t.cart.added)(name(product)),
        Notice::Removed(product) => (t.cart.removed)(name(product)),
        Notice::EndedOne => t.devices.ended_one.to_owned(),
        Notice::EndedOthers(n) => (t.devices.ended_others)(n),
        Notice::AddressNeeded => t.checkout.address_needed.to_owned(),
        Notice::DeliveryNeeded => t.checkout.delivery_needed.to_owned(),
        Notice::CartChanged => t.checkout.cart_changed.to_owned(),
        Notice::PlacedBefore => t.checkout.placed_before.to_owned(),
    });
    // Only for a minute: after that the reason is unknown.
    let text = text.or_else(|| match frame.ended? {
        EndReason::OtherDevice => Some(t.devices.ended_elsewhere.to_owned()),
        EndReason::Idle | EndReason::Expired => Some(t.devices.ended_by_time.to_owned()),
        _ => None,
    });
    html! {
        @if let Some(text) = text {
            p.notice id="notice" role="status" { (icons::check()) (text) }
        }
    }
}
