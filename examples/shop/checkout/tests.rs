use std::time::Duration;

use session_runtime::Session;
use session_runtime::testing::TestSession;

use super::*;
use crate::catalogue::{Product, UserId};
use crate::session::Visitor;

/// A visitor who has completed every step.
fn ready() -> TestSession<Visitor> {
    TestSession::new().with(|session: &mut Session<Visitor>| {
        session.add_to_cart(Product::Pen);
        let line = || "x".to_owned();
        session.set_address(Address { name: line(), street: line(), town: line() });
        session.set_delivery(Delivery::Post);
    })
}

#[tokio::test]
async fn two_tabs_at_once_place_one_order() {
    let t = ready();
    let (mut one, mut two) = (t.session(), t.session());
    let shown = one.next_order().unwrap();
    assert_eq!(shown, Order { number: 1, total: 1_680 });
    let (one, two) = tokio::join!(
        one.try_transaction(|session| session.place_order(shown)),
        two.try_transaction(|session| session.place_order(shown)),
    );
    let mut answers = [one.unwrap(), two.unwrap()];
    answers.sort_by_key(Result::is_err);
    assert_eq!(answers, [Ok(()), Err(Unplaced::Before)]);
    let session = t.session();
    assert_eq!((session.orders(), session.order()), (1, Some(shown)));
    assert!(session.cart().is_empty() && session.address().is_none());
}

#[test]
fn what_was_not_shown_is_not_ordered() {
    let t = ready();
    let shown = t.session().next_order().unwrap();
    t.session().add_to_cart(Product::Lamp);
    assert_eq!(t.session().place_order(shown), Err(Unplaced::Changed));
    // The same form again, after a new order has been prepared.
    let t = ready();
    assert_eq!(t.session().place_order(shown), Ok(()));
    let t = t.with(|session| {
        session.add_to_cart(Product::Pen);
        session.set_address(Address::default());
        session.set_delivery(Delivery::Post);
    });
    assert_eq!(t.session().place_order(shown), Err(Unplaced::Before));
}

#[test]
fn an_abandoned_checkout_forgets_the_address_and_keeps_the_cart() {
    let t = ready();
    t.advance(Duration::from_secs(14 * 60));
    assert!(t.session().next_order().is_ok());
    t.advance(Duration::from_secs(60));
    assert_eq!(t.session().next_order(), Err(Unplaced::NoAddress));
    assert_eq!(t.session().items(), 1);
}

#[test]
fn signing_in_drops_the_address_that_was_left_and_keeps_cart_and_delivery() {
    let t = ready().signed_in_as(UserId(1));
    let session = t.session();
    assert_eq!(session.address(), None);
    assert_eq!((session.items(), session.delivery()), (1, Some(Delivery::Post)));
}
