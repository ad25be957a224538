//! Style and script, compiled into the program.

use axum::http::header;
use axum::response::IntoResponse;

pub(crate) async fn css() -> impl IntoResponse {
    asset("text/css; charset=utf-8", include_str!("../assets/shop.css"))
}

pub(crate) async fn js() -> impl IntoResponse {
    asset("text/javascript; charset=utf-8", include_str!("../assets/shop.js"))
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    // Another build may serve different content at the same URL.
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
    (headers, text)
}
