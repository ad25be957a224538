//! Style, script and the chapters that explain the page, compiled into the program.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

pub(crate) async fn css() -> impl IntoResponse {
    asset("text/css; charset=utf-8", include_str!("../assets/shop.css"))
}

pub(crate) async fn js() -> impl IntoResponse {
    asset("text/javascript; charset=utf-8", include_str!("../assets/shop.js"))
}

/// A chapter of the guide, as it is written.
pub(crate) async fn chapter(Path(name): Path<String>) -> Result<impl IntoResponse, StatusCode> {
    let text = match name.as_str() {
        "concurrency" => include_str!("../../../docs/guide/concurrency.md"),
        "devices" => include_str!("../../../docs/guide/devices.md"),
        "fields" => include_str!("../../../docs/guide/fields.md"),
        "first-session" => include_str!("../../../docs/guide/first-session.md"),
        "sign-in" => include_str!("../../../docs/guide/sign-in.md"),
        _ => return Err(StatusCode::NOT_FOUND),
    };
    Ok(asset("text/plain; charset=utf-8", text))
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    // Another build may serve different content at the same URL.
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
    (headers, text)
}
