//! Three forms, one session, one order.

use axum::extract::Form;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::Markup;
use serde::Deserialize;
use session_runtime::{Session, SessionError};

use crate::checkout::{Address, DONE, Delivery, Order, STEPS, Unplaced};
use crate::pages::{Frame, checkout as pages};
use crate::session::{Notice, Visitor};

pub(crate) async fn address(mut session: Session<Visitor>) -> Response {
    if let Some(elsewhere) = nothing_to_order(&session) {
        return elsewhere.into_response();
    }
    let frame = Frame::of(&mut session, STEPS[0]);
    let written = session.address().cloned().unwrap_or_default();
    show(&pages::address(&frame, &written, false))
}

pub(crate) async fn set_address(
    mut session: Session<Visitor>,
    Form(address): Form<Address>,
) -> Response {
    if let Some(elsewhere) = nothing_to_order(&session) {
        return elsewhere.into_response();
    }
    let address = address.trimmed();
    if !address.is_complete() {
        let page = pages::address(&Frame::of(&mut session, STEPS[0]), &address, true);
        return (StatusCode::UNPROCESSABLE_ENTITY, show(&page)).into_response();
    }
    session.set_address(address);
    Redirect::to(STEPS[1]).into_response()
}

pub(crate) async fn delivery(mut session: Session<Visitor>) -> Response {
    if let Some(elsewhere) = nothing_to_order(&session) {
        return elsewhere.into_response();
    }
    let frame = Frame::of(&mut session, STEPS[1]);
    show(&pages::delivery(&frame, session.delivery()))
}

#[derive(Deserialize)]
pub(crate) struct Choice {
    delivery: Delivery,
}

pub(crate) async fn set_delivery(
    mut session: Session<Visitor>,
    Form(choice): Form<Choice>,
) -> Redirect {
    if let Some(elsewhere) = nothing_to_order(&session) {
        return elsewhere;
    }
    session.set_delivery(choice.delivery);
    Redirect::to(STEPS[2])
}

pub(crate) async fn review(mut session: Session<Visitor>) -> Response {
    match session.next_order() {
        Ok(order) => {
            let frame = Frame::of(&mut session, STEPS[2]);
            show(&pages::review(&frame, &session, order))
        }
        Err(unplaced) => send_to(&mut session, unplaced).into_response(),
    }
}

/// The form contains the order as the review page showed it.
pub(crate) async fn place(
    mut session: Session<Visitor>,
    Form(shown): Form<Order>,
) -> Result<Redirect, SessionError> {
    match session.try_transaction(|session| session.place_order(shown)).await? {
        Ok(()) => Ok(Redirect::to(DONE)),
        Err(unplaced) => Ok(send_to(&mut session, unplaced)),
    }
}

pub(crate) async fn done(mut session: Session<Visitor>) -> Response {
    let (Some(order), Some(id)) = (session.order(), session.id().copied()) else {
        return Redirect::to("/#cart").into_response();
    };
    let frame = Frame::of(&mut session, DONE);
    show(&pages::done(&frame, id, order, session.orders()))
}

/// Redirects to the page where the visitor can fix the problem, with a message.
fn send_to(session: &mut Session<Visitor>, unplaced: Unplaced) -> Redirect {
    let (path, notice) = match unplaced {
        Unplaced::Before => (DONE, Notice::PlacedBefore),
        Unplaced::EmptyCart => return Redirect::to("/#cart"),
        Unplaced::NoAddress => (STEPS[0], Notice::AddressNeeded),
        Unplaced::NoDelivery => (STEPS[1], Notice::DeliveryNeeded),
        Unplaced::Changed => (STEPS[2], Notice::CartChanged),
    };
    session.set_notice(notice);
    Redirect::to(path)
}

/// Redirects a checkout page that is used after the order was placed.
fn nothing_to_order(session: &Session<Visitor>) -> Option<Redirect> {
    let elsewhere = if session.order().is_some() { DONE } else { "/#cart" };
    session.cart().is_empty().then(|| Redirect::to(elsewhere))
}

fn show(page: &Markup) -> Response {
    Html(page.clone().into_string()).into_response()
}
