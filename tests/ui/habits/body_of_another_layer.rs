//! A layer inside of the session layer that gives responses another type of body.

use axum::extract::Request;
use axum::response::Response;
use session_runtime::{SessionLayer, store::MemoryStore};
use tower::{Service, ServiceBuilder, service_fn};

/// Such as `CompressionBody`.
struct Compressed;

fn is_service<S: Service<Request>>(_: S) {}

fn main() {
    let handler = service_fn(|_: Request| async {
        Ok::<Response, std::convert::Infallible>(Response::default())
    });
    let layers = ServiceBuilder::new()
        .layer(SessionLayer::new(MemoryStore::new()))
        .map_response(|response: Response| response.map(|_| Compressed));
    is_service(layers.service(handler));
}
