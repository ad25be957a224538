//! The warning that browsers drop the session cookie over plain http.

use std::sync::Arc;

use http::{HeaderMap, header};

use crate::cookie::is_over_plain_http;
use crate::engine::Engine;

/// Set for requests over plain http to a layer with a `Secure` cookie; their responses are
/// inspected.
pub(super) struct PlainHttp(Option<Arc<Engine>>);

impl PlainHttp {
    pub(super) const NO: Self = Self(None);

    pub(super) fn of(engine: &Arc<Engine>, headers: &HeaderMap) -> Self {
        let hints = engine.config.cookie.secure
            && !engine.plain_http.is_completed()
            && is_over_plain_http(headers);
        Self(hints.then(|| Arc::clone(engine)))
    }

    /// Warns, once per layer, that the browser will drop the cookie in this response.
    pub(super) fn see(&self, headers: &HeaderMap) {
        let Some(engine) = &self.0 else { return };
        let name = engine.config.cookie.name().as_bytes();
        let is_ours = |cookie: &http::HeaderValue| {
            cookie.as_bytes().strip_prefix(name).is_some_and(|rest| rest.starts_with(b"="))
        };
        if headers.get_all(header::SET_COOKIE).iter().any(is_ours) {
            engine.plain_http.call_once(|| {
                tracing::warn!(
                    "a session cookie is sent to a page on plain http, and browsers drop it there, so nobody stays signed in: use https, or for development `SessionLayer::insecure_for_development`"
                );
            });
        }
    }
}
