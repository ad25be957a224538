//! The schema that most tests use, and an application around it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use session_runtime::store::SessionStore;
use session_runtime::{Authenticated, Session, SessionLayer, SessionSchema};
use tokio::sync::Barrier;

#[derive(SessionSchema)]
pub(crate) struct Visitor {
    #[session(principal)]
    pub(crate) user_id: Option<u64>,
    #[session(default = "en")]
    pub(crate) locale: String,
    #[session(counter)]
    pub(crate) visits: u64,
    #[session(alias = "basket")]
    pub(crate) cart: Vec<String>,
    #[session(flash)]
    pub(crate) notice: Option<String>,
    #[session(renew)]
    pub(crate) role: Option<String>,
    pub(crate) prices: HashMap<String, u32>,
    pub(crate) nickname: Option<String>,
}

/// Lets two requests overlap: each has loaded its session before either goes on.
pub(crate) type Meet = Arc<Barrier>;

pub(crate) fn app(store: impl SessionStore) -> Router {
    app_in(SessionLayer::new(store), Arc::new(Barrier::new(2)))
}

pub(crate) fn app_in(layer: SessionLayer, meet: Meet) -> Router {
    let meeting = |change: fn(&mut Session<Visitor>)| {
        let meet = Arc::clone(&meet);
        move |mut session: Session<Visitor>| async move {
            meet.wait().await;
            change(&mut session);
        }
    };
    Router::new()
        .route("/untouched", get(|| async { "hello" }))
        .route("/read", get(|session: Session<Visitor>| async move { show(&session) }))
        .route("/visit", get(|mut s: Session<Visitor>| async move { s.add_visits(1) }))
        .route("/count", post(|mut s: Session<Visitor>| async move { s.add_visits(1) }))
        .route("/locale", post(|mut s: Session<Visitor>| async move { s.set_locale("de") }))
        .route(
            "/push",
            post(|mut s: Session<Visitor>| async move { s.cart_mut().push("pen".into()) }),
        )
        .route("/sign-in", post(|mut s: Session<Visitor>| async move { s.set_user_id(42) }))
        .route("/sign-out", post(|mut s: Session<Visitor>| async move { s.clear_user_id() }))
        .route("/logout", post(|mut s: Session<Visitor>| async move { s.destroy() }))
        .route("/role", post(|mut s: Session<Visitor>| async move { s.set_role("admin") }))
        .route("/regenerate", post(|mut s: Session<Visitor>| async move { s.regenerate() }))
        .route("/flash", post(|mut s: Session<Visitor>| async move { s.set_notice("saved") }))
        .route(
            "/taken",
            get(|mut s: Session<Visitor>| async move { s.take_notice().unwrap_or_default() }),
        )
        .route(
            "/account",
            get(|who: Authenticated<Visitor>| async move { who.principal().to_string() }),
        )
        .route("/meet/locale", post(meeting(|s| s.set_locale("fr"))))
        .route("/meet/push", post(meeting(|s| s.cart_mut().push("ink".into()))))
        .route("/meet/visit", post(meeting(|s| s.add_visits(1))))
        .route("/meet/sign-in", post(meeting(|s| s.set_user_id(43))))
        .route("/meet/logout", post(meeting(|s| s.destroy())))
        .route("/meet/nothing", post(meeting(|_| ())))
        .route("/meet/get", get(meeting(|s| s.set_locale("it"))))
        .layer(layer)
}

pub(crate) fn show(session: &Session<Visitor>) -> String {
    let user = session.user_id().map_or("nobody".to_owned(), |id| id.to_string());
    let (locale, visits, cart) = (session.locale(), session.visits(), session.cart());
    format!("{user} {locale} {visits} {cart:?}")
}
