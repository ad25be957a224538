//! Checks whether a path is inside a session layer.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::panic::Location;

use http::{Method, Request, Response, StatusCode};
use tower_service::Service;

use crate::middleware::Probe;

/// A path that only a fallback or a catch-all route answers.
const NO_ROUTE: &str = "/-/-/-/-/-/-/-/-";

/// Checks that a GET of `path` passes a [`SessionLayer`](crate::SessionLayer).
///
/// The layer answers in place of the handler, so that nothing happens. Only if this does not show
/// whether `path` is a route (because a fallback or a catch-all route answers it, or the service is
/// not a router), `path` is then really requested with GET: 404 counts as no route.
///
/// ```
/// use axum::{Router, routing::get};
/// use session_runtime::{SessionLayer, store::MemoryStore, testing::assert_layered};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let app: Router = Router::new()
///     .route("/account", get(|| async { "yours" }))
///     .layer(SessionLayer::new(MemoryStore::new()))
///     .route("/health", get(|| async { "well" }));
///
/// assert_layered(&app, "/account").await;
/// # let outside = tokio::spawn(async move { assert_layered(&app, "/health").await });
/// # assert!(outside.await.is_err());
/// # }
/// ```
///
/// `service` is an axum `Router` or any other service that accepts every body type;
/// [`assert_request_layered`] is for other services, and for other methods.
///
/// # Panics
///
/// If the path is not inside a layer, with the answer received and what to write.
#[track_caller]
pub fn assert_layered<S, R>(service: &S, path: &str) -> impl Future<Output = ()>
where
    S: Service<Request<String>, Response = Response<R>> + Clone,
    S::Error: Debug,
{
    let request = Request::get(path).body(String::new());
    let request = request.unwrap_or_else(|error| panic!("{path:?} is no path: {error}"));
    assert_request_layered(service, request)
}

/// Like [`assert_layered`], for a request with any method, headers and body type. Its body is not
/// sent.
///
/// ```
/// # use axum::{Router, body::Body, routing::post};
/// # use session_runtime::{SessionLayer, store::MemoryStore};
/// use session_runtime::testing::assert_request_layered;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let app: Router = Router::new()
/// #     .route("/login", post(|| async { "in" }))
/// #     .layer(SessionLayer::new(MemoryStore::new()));
/// let request = http::Request::post("/login").body(Body::empty()).unwrap();
/// assert_request_layered(&app, request).await;
/// # }
/// ```
///
/// # Panics
///
/// Same as [`assert_layered`].
#[track_caller]
pub fn assert_request_layered<S, B, R>(service: &S, request: Request<B>) -> impl Future<Output = ()>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Debug,
    B: Default,
{
    let (service, at) = (service.clone(), Location::caller());
    // Without the body, which need not be `Sync`.
    let request = request.map(drop);
    async move {
        if let Err(why) = check::<S, B, R>(&service, &request).await {
            panic!("{at}: {why}");
        }
    }
}

async fn check<S, B, R>(service: &S, request: &Request<()>) -> Result<(), String>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Debug,
    B: Default,
{
    let (method, path) = (request.method(), request.uri().path());
    let (seen, status) = probe(service, copy(request)).await?;
    let Some(seen) = seen else {
        return Err(match status {
            StatusCode::NOT_FOUND => {
                format!("there is no route `{path}`: {method} is answered 404")
            }
            StatusCode::METHOD_NOT_ALLOWED => format!(
                "`{path}` has no route for {method}, which is answered 405 outside of a session layer: ask with `assert_request_layered` and a method that it has"
            ),
            _ => format!(
                "`{path}` is outside of every session layer ({method} is answered {} without one): add `.layer(SessionLayer::new(store))` to the router after this route; what is routed after that call stays outside, and so does a path of `SessionLayer::exclude`",
                status.as_u16(),
            ),
        });
    };
    let mut nowhere = copy(request);
    *nowhere.uri_mut() = http::Uri::from_static(NO_ROUTE);
    let (fallback, _) = probe(service, nowhere).await?;
    if fallback.is_none_or(|fallback| fallback < seen) {
        return Ok(());
    }
    let mut get = copy(request);
    *get.method_mut() = Method::GET;
    match send(service, get).await? {
        StatusCode::NOT_FOUND => Err(format!(
            "there is no route `{path}`: it is inside a session layer, but GET is answered 404"
        )),
        _ => Ok(()),
    }
}

fn copy<B: Default>(request: &Request<()>) -> Request<B> {
    let mut copy = Request::new(B::default());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    copy
}

async fn probe<S, B, R>(
    service: &S,
    mut request: Request<B>,
) -> Result<(Option<usize>, StatusCode), String>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Debug,
{
    let probe = Probe::default();
    request.extensions_mut().insert(probe.clone());
    let status = send(service, request).await?;
    Ok((probe.seen(), status))
}

async fn send<S, B, R>(service: &S, request: Request<B>) -> Result<StatusCode, String>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Debug,
{
    let path = request.uri().path().to_owned();
    let response = call(service, request).await;
    let response = response.map_err(|error| format!("a request of `{path}` failed: {error:?}"))?;
    Ok(response.status())
}

/// Calls a clone of `service`.
pub(super) async fn call<S, B>(service: &S, request: Request<B>) -> Result<S::Response, S::Error>
where
    S: Service<Request<B>> + Clone,
{
    let mut service = service.clone();
    poll_fn(|context| service.poll_ready(context)).await?;
    service.call(request).await
}
