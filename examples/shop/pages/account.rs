//! Signing in, "my devices", and "this session".

use std::time::SystemTime;

use maud::{Markup, html};
use session_runtime::SessionInfo;

use super::{Home, layout, short};
use crate::catalogue::USERS;
use crate::session::Visitor;

/// The sign-in form, or the devices of the signed-in user.
pub(super) fn panel(page: &Home<'_>) -> Markup {
    if page.frame.user.is_some() { devices(page) } else { sign_in(page) }
}

fn sign_in(page: &Home<'_>) -> Markup {
    let t = page.texts();
    html! {
        section.card id="account" aria-labelledby="account-title" {
            h2 id="account-title" { (t.account.title) (layout::chapter(t, "sign-in")) }
            form.sign-in method="post" action="/sign-in" {
                fieldset {
                    legend { (t.account.who) }
                    div.people {
                        @for (index, user) in USERS.iter().enumerate() {
                            label.person {
                                input type="radio" name="user" value=(user.id.0) checked[index == 0] required;
                                span.face aria-hidden="true" { (&user.name[..1]) }
                                span { (user.name) }
                            }
                        }
                    }
                }
                label.check { input type="checkbox" name="remember" value="yes"; span { (t.account.remember) } }
                button.button.primary id="sign-in" { (t.account.sign_in) }
            }
        }
    }
}

fn devices(page: &Home<'_>) -> Markup {
    let t = page.texts();
    let others = page.devices.iter().filter(|device| !is_this(page, device)).count();
    html! {
        section.card id="devices" data-devices=(page.devices.len()) aria-labelledby="devices-title" {
            h2 id="devices-title" { (t.devices.title) (layout::chapter(t, "devices")) }
            ul.devices {
                @for device in page.devices {
                    @let this = is_this(page, device);
                    li.this[this] {
                        span.device {
                            strong { @if this { (t.devices.this) } @else { (t.devices.other) } }
                            @if let Some(name) = device.get(Visitor::DEVICE) {
                                span.device-name { (name) }
                            }
                            span.quiet {
                                code { (short(device.id)) "…" } " · "
                                (t.devices.seen) " " (page.ago(device.last_seen_at))
                            }
                        }
                        @if !this {
                            form method="post" action="/devices/end" {
                                input type="hidden" name="id" value=(device.id);
                                button.button.small { (t.devices.end) }
                            }
                        }
                    }
                }
            }
            @if others == 0 {
                p.quiet { (t.devices.alone) }
            } @else {
                form method="post" action="/devices/end-others" {
                    button.button id="end-others" { (t.devices.end_others) }
                }
            }
        }
    }
}

fn is_this(page: &Home<'_>, device: &SessionInfo) -> bool {
    page.facts.id == Some(device.id)
}

/// "This session".
pub(super) fn facts(page: &Home<'_>) -> Markup {
    let t = page.texts();
    let facts = &page.facts;
    let ago = |then: Option<SystemTime>| then.map_or_else(|| "–".to_owned(), |then| page.ago(then));
    html! {
        section.card.facts id="session" aria-labelledby="session-title" {
            h2 id="session-title" { (t.facts.title) (layout::chapter(t, "first-session")) }
            dl {
                div.wide { dt { (t.facts.id) } dd { code id="session-id" { @if let Some(id) = facts.id { (id) } @else { "–" } } } }
                div { dt { (t.facts.created) } dd { (ago(facts.created)) } }
                div { dt { (t.facts.seen) } dd { (ago(facts.seen)) } }
                div { dt { (t.facts.signed_in) } dd { (ago(facts.signed_in)) } }
                div { dt { (t.facts.left) } dd { @if let Some(end) = facts.expires { (page.until(end)) } @else { "–" } } }
            }
            p.quiet { (t.facts.note) }
        }
    }
}
