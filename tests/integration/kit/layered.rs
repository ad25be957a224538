//! Whether a path is inside a session layer.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::{any, get, post};
use http::{Request, Response, StatusCode};
use session_runtime::SessionLayer;
use session_runtime::store::MemoryStore;
use session_runtime::testing::{SpyStore, assert_layered, assert_request_layered};
use tower::{ServiceBuilder, service_fn};

use super::text_of;

/// How often a handler has run.
#[derive(Clone, Default)]
struct Runs(Arc<AtomicUsize>);

impl Runs {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn handler(
        &self,
    ) -> impl FnOnce() -> std::future::Ready<&'static str> + Clone + Send + 'static {
        let runs = self.clone();
        move || {
            runs.0.fetch_add(1, Ordering::SeqCst);
            std::future::ready("ran")
        }
    }
}

fn layer() -> SessionLayer {
    SessionLayer::new(MemoryStore::new())
}

/// What the assertion fails with, or nothing.
async fn failure(check: impl Future<Output = ()> + Send + 'static) -> Option<String> {
    tokio::spawn(check).await.err().map(|failed| text_of(failed.into_panic()))
}

async fn failure_at(app: &Router, path: &'static str) -> Option<String> {
    let app = app.clone();
    failure(async move { assert_layered(&app, path).await }).await
}

fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn what_is_inside_passes_and_no_handler_runs_and_no_store_is_asked() {
    let (runs, spy) = (Runs::default(), SpyStore::default());
    let app = Router::new()
        .route("/", get(runs.handler()))
        .route("/items/{id}", any(runs.handler()))
        .route("/login", post(runs.handler()))
        .nest("/api", Router::new().route("/one", get(runs.handler())))
        .layer(SessionLayer::new(spy.clone()));
    for path in ["/", "/items/9?page=2", "/api/one", "/login"] {
        assert_layered(&app, path).await;
    }
    assert_request_layered(&app, request("POST", "/login")).await;
    assert_request_layered(&app, request("DELETE", "/items/9")).await;
    assert_eq!((runs.count(), spy.calls().len()), (0, 0));
}

#[tokio::test]
async fn what_is_outside_is_named_with_the_missing_call_and_the_place_of_the_test() {
    let app =
        Router::new().route("/in", get(|| async {})).layer(layer()).route("/out", get(|| async {}));
    assert_layered(&app, "/in").await;
    let message = failure_at(&app, "/out").await.unwrap();
    for part in ["`/out`", "outside", ".layer(SessionLayer::new(store))", file!()] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[tokio::test]
async fn a_path_without_a_route_is_another_failure_inside_a_layer_too() {
    let runs = Runs::default();
    let bare = Router::new().route("/in", get(runs.handler()));
    for app in [bare.clone(), bare.clone().layer(layer()), bare.route_layer(layer())] {
        let message = failure_at(&app, "/im").await.unwrap();
        assert!(message.contains("no route `/im`") && message.contains("404"), "{message}");
    }
    assert_eq!(runs.count(), 0);
}

#[tokio::test]
async fn a_method_without_a_route_outside_the_layer_is_said_so() {
    let app = Router::new().route("/login", post(|| async {}).route_layer(layer()));
    let message = failure_at(&app, "/login").await.unwrap();
    assert!(message.contains("405") && message.contains("assert_request_layered"), "{message}");
    assert_request_layered(&app, request("POST", "/login")).await;
    // A route whose methods are not all inside.
    let app = Router::new()
        .route("/cart", get(|| async {}))
        .layer(layer())
        .route("/cart", post(|| async {}));
    assert_layered(&app, "/cart").await;
    let outside = async move { assert_request_layered(&app, request("POST", "/cart")).await };
    let message = failure(outside).await.unwrap();
    assert!(message.contains("POST is answered 200"), "{message}");
}

#[tokio::test]
async fn fallbacks_and_routes_for_everything_count_unless_they_answer_404() {
    let app = Router::new().fallback(|| async { "single page" }).layer(layer());
    assert_layered(&app, "/anything").await;
    let file = |path: axum::extract::Path<String>| async move {
        if path.0 == "logo.svg" { StatusCode::OK } else { StatusCode::NOT_FOUND }
    };
    let app = Router::new().route("/{*file}", get(file)).layer(layer());
    assert_layered(&app, "/logo.svg").await;
    assert!(failure_at(&app, "/logo.png").await.unwrap().contains("404"));
}

#[tokio::test]
async fn a_service_that_is_no_router_is_asked_too() {
    async fn serve(_: Request<String>) -> Result<Response<String>, Infallible> {
        Ok(Response::new(String::new()))
    }
    let inside = ServiceBuilder::new().layer(layer()).service(service_fn(serve));
    assert_layered(&inside, "/").await;
    assert_request_layered(&inside, Request::put("/").body(String::new()).unwrap()).await;
    let outside = AssertUnwindSafe(service_fn(serve));
    let message = failure(async move { assert_layered(&*outside, "/").await }).await;
    assert!(message.unwrap().contains("outside"));
}
