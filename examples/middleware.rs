//! Run with: cargo run -p session-examples --example middleware
//!
//! Middleware that works with any schema that has a counter. It gets the field's
//! key, `Visitor::VISITS`, and needs nothing else of the struct. The handler
//! extracts its own handle. The changes of both are merged by field.

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::{Router, routing::get};
use session_runtime::schema::CounterKey;
use session_runtime::store::MemoryStore;
use session_runtime::{Session, SessionLayer, SessionRejection, SessionSchema, session_of};

#[derive(SessionSchema)]
struct Visitor {
    #[session(counter)]
    visits: u64,
    last_path: Option<String>,
}

#[derive(SessionSchema)]
struct Shop {
    #[session(counter)]
    shop_visits: u64,
}

/// Counts a session's requests in the field `key` of the schema `S`.
async fn count<S: SessionSchema>(
    State(key): State<CounterKey<S, u64>>,
    request: Request,
    next: Next,
) -> Result<Response, SessionRejection> {
    let mut session = session_of::<S>(request.extensions(), request.headers()).await?;
    session.add(key, 1);
    // Publishes now, rather than when dropped, so that the handler sees the change.
    session.publish();
    Ok(next.run(request).await)
}

async fn home(mut session: Session<Visitor>, request: Request) -> String {
    let before = session.take_last_path();
    session.set_last_path(request.uri().path());
    format!("{} visits, before this one to {before:?}\n", session.visits())
}

async fn shop(shop: Session<Shop>, session: Session<Visitor>) -> String {
    format!("{} visits, {} of them to the shop\n", session.visits(), shop.shop_visits())
}

fn app(sessions: SessionLayer) -> Router {
    Router::new()
        .route("/shop", get(shop))
        .route_layer(from_fn_with_state(Shop::SHOP_VISITS, count::<Shop>))
        .route("/", get(home))
        .route("/about", get(home))
        .route_layer(from_fn_with_state(Visitor::VISITS, count::<Visitor>))
        // Last, so that it is outside the middleware, which needs the session too.
        .layer(sessions)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // For plain http on your own machine. Leave this call out behind https.
    let app = app(SessionLayer::new(MemoryStore::new()).insecure_for_development());
    axum::serve(session_examples::listen().await, app).await
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::header::{COOKIE, SET_COOKIE};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn each_schema_has_its_own_count_in_one_session() {
        let app = app(SessionLayer::new(MemoryStore::new()));
        let ask = |path: &str, cookie: &str| {
            let request = Request::get(path).header(COOKIE, cookie).body(Body::empty());
            app.clone().oneshot(request.unwrap())
        };
        let first = ask("/about", "").await.unwrap();
        let cookie = first.headers()[SET_COOKIE].to_str().unwrap();
        let shop = ask("/shop", cookie).await.unwrap().into_body();
        assert_eq!(to_bytes(shop, 100).await.unwrap(), "2 visits, 1 of them to the shop\n");
        let home = ask("/", cookie).await.unwrap().into_body();
        assert_eq!(
            to_bytes(home, 100).await.unwrap(),
            "3 visits, before this one to Some(\"/about\")\n"
        );
    }
}
