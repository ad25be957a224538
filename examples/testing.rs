//! Run with: cargo test -p session-examples --example testing
//!
//! A handler is a function of its session, so a test can call it.

use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Router, http::StatusCode};
use session_runtime::store::MemoryStore;
use session_runtime::{Authenticated, Session, SessionError, SessionLayer, SessionSchema};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<String>,
    cart: Vec<String>,
}

async fn add(mut session: Session<Visitor>) -> StatusCode {
    session.cart_mut().push("pen".to_owned());
    StatusCode::CREATED
}

async fn account(who: Authenticated<Visitor>) -> String {
    format!("{}, {} items", who.principal(), who.cart().len())
}

/// Saves by itself, so that the handler knows whether the purchase was stored.
async fn buy(mut session: Session<Visitor>) -> Result<Redirect, SessionError> {
    session.set_cart(Vec::new());
    session.save().await?;
    Ok(Redirect::to("/"))
}

fn app(sessions: SessionLayer) -> Router {
    Router::new()
        .route("/cart", post(add))
        .route("/account", get(account))
        .route("/buy", post(buy))
        .layer(sessions)
}

fn main() {
    let _app = app(SessionLayer::new(MemoryStore::new()));
    println!("The tests are the example: cargo test -p session-examples --example testing");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{body::Body, http::Request};
    use session_runtime::store::StoreErrorKind;
    use session_runtime::testing::{Fault, FaultStore, Operation, TestSession, assert_layered};

    use super::*;

    #[tokio::test]
    async fn a_handler_is_called_with_the_session_of_a_visitor() {
        let t = TestSession::<Visitor>::new();
        assert_eq!(add(t.session()).await, StatusCode::CREATED);
        assert_eq!(t.session().cart(), ["pen"]); // committed, loaded again
    }

    #[tokio::test]
    async fn the_cart_outlives_half_an_hour_only_if_somebody_looks() {
        let t = TestSession::<Visitor>::new().signed_in_as("ann".to_owned());
        add(t.session()).await;
        t.advance(Duration::from_secs(20 * 60));
        assert_eq!(account(t.authenticated()).await, "ann, 1 items");
        t.advance(Duration::from_secs(20 * 60));
        assert_eq!(account(t.authenticated()).await, "ann, 1 items");
        t.advance(Duration::from_secs(31 * 60));
        assert!(t.try_authenticated().is_err());
    }

    #[tokio::test]
    async fn when_the_store_is_down_nothing_is_bought() {
        let faults = FaultStore::default();
        let t = TestSession::<Visitor>::with_store(faults.clone());
        add(t.session()).await;
        faults.next(Operation::Apply, Fault::Fails(StoreErrorKind::Unavailable));
        assert!(buy(t.session()).await.is_err());
        t.respond(StatusCode::SERVICE_UNAVAILABLE).await.unwrap();
        assert_eq!(t.session().cart(), ["pen"]);
    }

    #[tokio::test]
    async fn the_whole_application_knows_the_visitor_too() {
        let t = TestSession::<Visitor>::new().signed_in_as("ann".to_owned());
        let app = app(t.layer());
        assert_layered(&app, "/account").await;
        let request = Request::get("/account").body(Body::empty()).unwrap();
        assert_eq!(t.send(&app, request).await.status(), StatusCode::OK);
    }
}
