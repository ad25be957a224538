//! The steps of the checkout.

use maud::{Markup, html};
use session_runtime::{Session, SessionId};

use super::{Frame, icons, layout, short};
use crate::checkout::{Address, Delivery, Order, STEPS};
use crate::session::Visitor;

pub(crate) fn address(frame: &Frame, written: &Address, incomplete: bool) -> Markup {
    let t = &frame.texts().checkout;
    let fields = [
        ("name", t.name, "name"),
        ("street", t.street, "address-line1"),
        ("town", t.town, "address-level2"),
    ];
    let form = html! {
        form.steps-form method="post" action=(STEPS[0]) novalidate[incomplete] {
            @if incomplete { p.failed id="incomplete" role="alert" { (t.incomplete) } }
            @for ((name, label, autocomplete), value) in fields.into_iter().zip(written.lines()) {
                label.field {
                    span { (label) }
                    input name=(name) value=(value) autocomplete=(autocomplete)
                        required maxlength="80" aria-invalid=[(incomplete && value.is_empty()).then_some("true")];
                }
            }
            p.quiet { (t.address_note) }
            (buttons("/#cart", t.back, t.next))
        }
    };
    step(frame, 0, &form)
}

pub(crate) fn delivery(frame: &Frame, chosen: Option<Delivery>) -> Markup {
    let t = &frame.texts().checkout;
    let chosen = chosen.unwrap_or(Delivery::Post);
    let form = html! {
        form.steps-form method="post" action=(STEPS[1]) {
            fieldset {
                legend.hidden { (t.steps[1]) }
                div.ways {
                    @for way in Delivery::ALL {
                        @let (name, about) = (t.delivery)(way);
                        label.way {
                            input type="radio" name="delivery" value=(way.key()) checked[way == chosen];
                            span.way-name { strong { (name) } span.quiet { (about) } }
                            span.price { (price(frame, way)) }
                        }
                    }
                }
            }
            (buttons(STEPS[0], t.back, t.next))
        }
    };
    step(frame, 1, &form)
}

pub(crate) fn review(frame: &Frame, session: &Session<Visitor>, order: Order) -> Markup {
    let texts = frame.texts();
    let t = &texts.checkout;
    let change = |step: usize| {
        html! {
            a href=(STEPS[step]) aria-label={ (t.steps[step]) ": " (t.change) } { (t.change) }
        }
    };
    let form = html! {
        div.review {
            dl.review-list {
                div {
                    dt { (t.steps[0]) }
                    @if let Some(address) = session.address() {
                        dd id="review-address" { @for line in address.lines() { span { (line) } } }
                    }
                    (change(0))
                }
                div {
                    dt { (t.steps[1]) }
                    @if let Some(way) = session.delivery() {
                        dd id="review-delivery" {
                            span { ((t.delivery)(way).0) }
                            span.quiet { (price(frame, way)) }
                        }
                    }
                    (change(1))
                }
                div {
                    dt { (texts.cart.title) }
                    dd { @for line in session.cart() {
                        span { (line.quantity) "\u{a0}× " ((texts.product)(line.product).0) }
                    } }
                    a href="/#cart" aria-label={ (texts.cart.title) ": " (t.change) } { (t.change) }
                }
            }
            p.total id="total" { span { (texts.cart.total) } strong { ((texts.price)(order.total)) } }
            form.steps-form method="post" action=(STEPS[2]) {
                input type="hidden" name="number" value=(order.number);
                input type="hidden" name="total" value=(order.total);
                p.quiet { (t.place_note) }
                (buttons(STEPS[1], t.back, t.place))
            }
        }
    };
    step(frame, 2, &form)
}

/// The order is placed.
pub(crate) fn done(frame: &Frame, id: SessionId, order: Order, orders: u64) -> Markup {
    let texts = frame.texts();
    let number = format!("{}-{}", short(id), order.number);
    let body = html! {
        section.hero.goodbye id="done" data-orders=(orders) {
            span.done-mark { (icons::check()) }
            h1 { ((texts.checkout.done)(&number)) }
            p.lead { ((texts.checkout.done_more)(&(texts.price)(order.total))) }
            p { a.button.primary href="/" { (texts.account.back) } }
        }
    };
    layout::page(frame, &body)
}

fn step(frame: &Frame, at: usize, form: &Markup) -> Markup {
    let t = &frame.texts().checkout;
    let body = html! {
        section.checkout aria-labelledby="step-title" data-step=(at + 1) {
            nav aria-label=(t.title) {
                ol.steps {
                    @for (index, (path, name)) in STEPS.into_iter().zip(t.steps).enumerate() {
                        li.past[index < at] {
                            @if index == at { span aria-current="step" { (name) } }
                            @else if index < at { a href=(path) { (name) } }
                            @else { span { (name) } }
                        }
                    }
                }
            }
            div.card {
                h1.step-title id="step-title" { (t.steps[at]) }
                (form)
            }
        }
    };
    layout::page(frame, &body)
}

fn buttons(back: &str, back_text: &str, next: &str) -> Markup {
    html! {
        div.step-buttons {
            a.button href=(back) { (back_text) }
            button.button.primary id="next" { (next) }
        }
    }
}

fn price(frame: &Frame, way: Delivery) -> String {
    let t = frame.texts();
    if way.price() == 0 { t.checkout.free.to_owned() } else { (t.price)(way.price()) }
}
