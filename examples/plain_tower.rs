//! Run with: cargo run -p session-examples --example plain_tower
//!
//! Sessions without axum: a tower service, served by hyper. The layer is the
//! same. `session_of` is what axum's extractor calls. To leave axum out of your
//! program, depend on `session-runtime = { default-features = false }`.

use std::convert::Infallible;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use session_runtime::store::MemoryStore;
use session_runtime::{Session, SessionLayer, SessionRejection, SessionSchema, session_of};
use tower::{Layer, Service, service_fn};

#[derive(SessionSchema)]
struct Visitor {
    #[session(counter)]
    visits: u64,
}

/// Any body type that can be created from a string works.
type Body = Full<Bytes>;

async fn count<B>(request: Request<B>) -> Result<String, SessionRejection> {
    let mut session: Session<Visitor> =
        session_of::<Visitor>(request.extensions(), request.headers()).await?;
    session.add_visits(1);
    Ok(format!("{} visits\n", session.visits()))
}

async fn respond<B>(request: Request<B>) -> Result<Response<Body>, Infallible> {
    let (status, text) = match count(request).await {
        Ok(text) => (http::StatusCode::OK, text),
        Err(rejection) => {
            eprintln!("{rejection}");
            let (status, text) = rejection.status_and_text();
            (status, text.to_owned())
        }
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    Ok(response)
}

fn app<B: Send + 'static>()
-> impl Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send
{
    // For plain http on your own machine. Leave this call out behind https.
    let sessions = SessionLayer::new(MemoryStore::new()).insecure_for_development();
    sessions.layer(service_fn(respond::<B>))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = session_examples::listen().await;
    let app = TowerToHyperService::new(app());
    loop {
        let (stream, _) = listener.accept().await?;
        let served = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), app.clone());
        tokio::spawn(async {
            if let Err(error) = served.await {
                eprintln!("{error}");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use http::header::{COOKIE, SET_COOKIE};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn visits_are_counted_per_browser() {
        let app = app::<()>();
        let first = app.clone().oneshot(Request::new(())).await.unwrap();
        let cookie = first.headers()[SET_COOKIE].clone();
        let again = Request::builder().header(COOKIE, cookie).body(()).unwrap();
        let again = app.oneshot(again).await.unwrap().into_body();
        assert_eq!(again.collect().await.unwrap().to_bytes(), "2 visits\n");
    }
}
