//! Bare axum: what everybody pays. It makes the data of a login and forgets it.

use std::hint::black_box;
use std::task::{Context, Poll};

use axum::Router;
use axum::routing::get;
use tower::{Layer, Service};

use crate::shape::{Shape, next_user};

/// The service.
pub fn router<S: Shape>() -> Router {
    Router::new()
        .route("/ignore", get(|| async { "ok" }))
        .route("/read", get(|| async { black_box(7_u32).to_string() }))
        .route("/change", get(|| async { black_box(7_u32).to_string() }))
        .route("/login", get(login::<S>))
        .route("/renew", get(|| async { "ok" }))
}

async fn login<S: Shape>() -> &'static str {
    black_box(S::of(next_user()));
    "ok"
}

/// A layer that does nothing.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

/// The service of [`Nothing`].
#[derive(Clone, Copy, Debug)]
pub struct Transparent<I>(I);

impl<I> Layer<I> for Nothing {
    type Service = Transparent<I>;

    fn layer(&self, inner: I) -> Transparent<I> {
        Transparent(inner)
    }
}

impl<I: Service<R>, R> Service<R> for Transparent<I> {
    type Response = I::Response;
    type Error = I::Error;
    type Future = I::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), I::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> I::Future {
        self.0.call(request)
    }
}
