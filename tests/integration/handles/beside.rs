//! Two handles of one request that change the same field.

use axum::Router;
use axum::extract::FromRequestParts;
use axum::routing::post;
use http::request::Parts;
use session_runtime::{
    Authenticated, AuthenticatedRejection, Session, SessionLayer, SessionSchema,
};
use session_tests::Client;
use session_tests::stores::memory;
use session_tests::traced::Traced;

use crate::visitor::{Visitor, show};

/// How axum is written: an extractor of one's own around another one.
struct CurrentUser(Authenticated<Visitor>);

impl<S: Send + Sync> FromRequestParts<S> for CurrentUser {
    type Rejection = AuthenticatedRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Authenticated::from_request_parts(parts, state).await.map(Self)
    }
}

async fn signed_in(handler: axum::routing::MethodRouter) -> String {
    let sign_in = |mut s: Session<Visitor>| async move { s.set_user_id(42) };
    let app = Router::new()
        .route("/sign-in", post(sign_in))
        .route("/run", handler)
        .route("/read", post(|s: Session<Visitor>| async move { show(&s) }))
        .layer(SessionLayer::new(memory().store));
    let mut client = Client::new(&app);
    client.post("/sign-in").await;
    assert_eq!(client.post("/run").await.status, 200);
    client.post("/read").await.body
}

const TWO_HANDLES: &str = "two handles of one request changed a field";

#[tokio::test]
async fn a_handle_sees_what_another_one_published_when_it_borrows_the_field() {
    let traced = Traced::start();
    let handler = |mut user: CurrentUser, mut session: Session<Visitor>| async move {
        assert!(session.cart().is_empty());
        user.0.cart_mut().push("pen".into());
        user.0.set_locale("de");
        user.0.set_notice("saved");
        user.0.publish();
        assert!(session.cart().is_empty(), "what was lent out does not change under it");
        session.cart_mut().push("ink".into());
        assert_eq!(session.cart(), ["pen", "ink"]);
        assert_eq!(session.locale(), "en", "nothing else changes under it");
        assert_eq!(session.take_notice().as_deref(), Some("saved"));
        session.publish();
        user.0.cart_mut().push("cap".into());
    };
    assert_eq!(signed_in(post(handler)).await, r#"42 de 0 ["pen", "ink", "cap"]"#);
    assert_eq!(traced.warnings(TWO_HANDLES), 0, "{}", traced.text());
}

#[tokio::test]
async fn a_handle_sees_what_another_one_saved_or_did_in_a_transaction() {
    let handler = |mut one: Session<Visitor>, mut other: Session<Visitor>| async move {
        one.cart_mut().push("pen".into());
        one.save().await.unwrap();
        other.cart_mut().push("ink".into());
        other.publish();
        one.transaction(|s| s.cart_mut().push("cap".into())).await.unwrap();
        other.cart_mut().push("bag".into());
    };
    assert_eq!(signed_in(post(handler)).await, r#"42 en 0 ["pen", "ink", "cap", "bag"]"#);
}

#[tokio::test]
async fn of_two_changes_from_the_same_value_the_later_one_stays_and_that_is_said() {
    let traced = Traced::start();
    let handler = |mut user: CurrentUser, mut session: Session<Visitor>| async move {
        user.0.cart_mut().push("pen".into());
        session.cart_mut().push("ink".into());
    };
    assert_eq!(signed_in(post(handler)).await, r#"42 en 0 ["ink"]"#);
    assert_eq!(traced.warnings(TWO_HANDLES), 1, "{}", traced.text());
    let text = traced.text();
    let line = text.lines().find(|line| line.contains(TWO_HANDLES)).unwrap();
    assert!(line.contains(r#"schema="Visitor""#) && line.contains(r#"field="cart""#), "{line}");
    assert!(line.contains("`publish()`"), "{line}");
}

#[tokio::test]
async fn what_was_lost_to_a_handle_that_had_saved_is_said_too() {
    let traced = Traced::start();
    let handler = |mut one: Session<Visitor>, mut other: Session<Visitor>| async move {
        other.cart_mut().push("ink".into());
        one.cart_mut().push("pen".into());
        one.save().await.unwrap();
        other.cart_mut().push("cap".into());
    };
    assert_eq!(signed_in(post(handler)).await, r#"42 en 0 ["ink", "cap"]"#);
    assert_eq!(traced.warnings(TWO_HANDLES), 1, "{}", traced.text());
}

#[tokio::test]
async fn nothing_is_said_where_nothing_is_lost() {
    let traced = Traced::start();
    let handler = |mut one: Session<Visitor>, mut other: Session<Visitor>| async move {
        one.cart_mut().push("pen".into());
        assert!(other.prices_mut().is_empty());
        other.set_locale("de");
        other.add_visits(1);
        one.add_visits(1);
        // One handle several times.
        one.publish();
        one.cart_mut().push("ink".into());
        one.save().await.unwrap();
        one.cart_mut().push("cap".into());
    };
    assert_eq!(signed_in(post(handler)).await, r#"42 de 2 ["pen", "ink", "cap"]"#);
    assert_eq!(traced.warnings(TWO_HANDLES), 0, "{}", traced.text());
}

#[derive(SessionSchema)]
struct Merging {
    #[session(merge = both)]
    cart: Vec<String>,
    #[session(compare)]
    draft: Vec<String>,
}

fn both(base: &[String], stored: &[String], mine: Vec<String>) -> Vec<String> {
    let added = mine.into_iter().filter(|item| !base.contains(item));
    stored.iter().cloned().chain(added).collect()
}

#[tokio::test]
async fn two_changes_from_the_same_value_meet_as_the_field_declares() {
    let layer = SessionLayer::new(memory().store);
    let traced = Traced::start();
    let run = |mut one: Session<Merging>, mut other: Session<Merging>| async move {
        one.cart_mut().push("pen".into());
        other.cart_mut().push("ink".into());
    };
    let clash = |mut one: Session<Merging>, mut other: Session<Merging>| async move {
        one.draft_mut().push("a".into());
        other.draft_mut().push("b".into());
    };
    let app = Router::new()
        .route("/run", post(run))
        .route("/clash", post(clash))
        .route(
            "/read",
            post(|s: Session<Merging>| async move { format!("{:?} {:?}", s.cart(), s.draft()) }),
        )
        .layer(layer);
    let mut client = Client::new(&app);
    assert_eq!(client.post("/run").await.status, 200);
    assert_eq!(client.post("/clash").await.status, 409);
    assert_eq!(client.post("/read").await.body, r#"["pen", "ink"] []"#);
    assert_eq!(traced.warnings(TWO_HANDLES), 0, "{}", traced.text());
}
