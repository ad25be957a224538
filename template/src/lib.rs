//! The application, apart from where it listens and where it stores.

pub mod error;
pub mod handlers;
pub mod pages;
pub mod session;
pub mod users;

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use session_runtime::{AtLimit, SessionLayer, SetupError, store::AnyStore};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use crate::session::Visitor;
use crate::users::Users;

/// The session layer's settings.
pub fn sessions(store: AnyStore) -> SessionLayer {
    SessionLayer::new(store)
        .schema::<Visitor>()
        .renew_after(Duration::from_secs(60 * 60))
        .max_sessions(10, AtLimit::EvictOldest)
        .login_redirect("/login")
        // Asks for the password alone.
        .login_redirect_for("/close", "/confirm")
}

/// The whole application. In a chain of `layer` calls the last is the outermost.
pub fn app(sessions: SessionLayer, users: Users) -> Result<Router, SetupError> {
    sessions.check()?;
    Ok(Router::new()
        .route("/", get(handlers::home))
        .route(
            "/register",
            get(handlers::register_form).post(handlers::register),
        )
        .route("/login", get(handlers::login_form).post(handlers::login))
        .route("/logout", post(handlers::logout))
        .route("/account", get(handlers::account))
        .route("/devices/end", post(handlers::end_device))
        .route("/devices/end-others", post(handlers::end_others))
        .route("/password", post(handlers::change_password))
        .route(
            "/confirm",
            get(handlers::confirm_form).post(handlers::confirm),
        )
        .route("/close", post(handlers::close))
        .with_state(users)
        .layer(sessions)
        // Refuses forms that another site posts. Outside of the sessions, which it protects.
        .layer(CsrfLayer::new())
        // Both inside of the trace, which logs what they answer.
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            Duration::from_secs(30),
        ))
        .layer(CatchPanicLayer::new())
        .layer(TraceLayer::new_for_http()))
}
