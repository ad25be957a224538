//! The routes of the shop, and the layers around them.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use session_runtime::{SessionError, SessionLayer};
use tower_http::csrf::CsrfLayer;

use crate::demo::{self, Shadows};
use crate::handlers::{account, assets, cart, checkout, devices, home, locale};
use crate::pages;

/// All routes of the shop.
pub(crate) fn app(sessions: SessionLayer) -> Router {
    Router::new()
        .route("/", get(home::home))
        .route("/sign-in", post(account::sign_in))
        .route("/sign-out", post(account::sign_out))
        .route("/goodbye", get(account::goodbye))
        .route("/locale", post(locale::change))
        .route("/cart", post(cart::change))
        .route("/checkout/address", get(checkout::address).post(checkout::set_address))
        .route("/checkout/delivery", get(checkout::delivery).post(checkout::set_delivery))
        .route("/checkout/review", get(checkout::review).post(checkout::place))
        .route("/checkout/done", get(checkout::done))
        .route("/devices/end", post(devices::end_one))
        .route("/devices/end-others", post(devices::end_others))
        .route("/demo/start", post(demo::start))
        .route("/demo/step", post(demo::step))
        .route("/demo/finish", post(demo::finish))
        .with_state(Shadows::default())
        .layer(sessions)
        .layer(map_response(explain))
        // Added after the session layer, so these routes have no session to load.
        .route("/assets/shop.css", get(assets::css))
        .route("/assets/shop.js", get(assets::js))
        .route("/guide/{chapter}", get(assets::chapter))
        // The cookie's `SameSite=Lax` prevents other sites from posting in a
        // visitor's name. But all ports of localhost are one site, and so are all
        // sub-domains of a company. This layer compares the whole origin. See
        // docs/guide/csrf.md.
        .layer(CsrfLayer::new())
        .layer(map_response(harden))
}

/// Replaces the session layer's one-line errors by a page: a change came too
/// late, or the store does not answer. The layer puts the reason into the
/// response's extensions.
async fn explain(response: Response) -> Response {
    let Some(error) = response.extensions().get::<Arc<SessionError>>() else {
        return response;
    };
    let late = matches!(**error, SessionError::Gone | SessionError::Conflict { .. });
    let (mut head, _) = response.into_parts();
    // Status and cookie stay. Only the body is replaced.
    head.headers.remove(header::CONTENT_TYPE);
    head.headers.remove(header::CONTENT_LENGTH);
    (head, Html(pages::trouble(late).into_string())).into_response()
}

/// Allows only the shop's own scripts and styles, and no frames.
async fn harden(mut response: Response) -> Response {
    const HEADERS: [(header::HeaderName, &str); 3] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
             img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
