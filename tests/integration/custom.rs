//! Extractors and middleware of the user's own, built on sessions.

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{RequestPartsExt, Router};
use http::StatusCode;
use http::request::Parts;
use session_runtime::schema::CounterKey;
use session_runtime::{
    Authenticated, Session, SessionLayer, SessionRejection, SessionSchema, session_of,
};
use session_tests::stores::{all, memory};
use session_tests::traced::Traced;
use session_tests::{Call, Client, Spy};

use crate::visitor::{Visitor, show};

/// The cart alone, for handlers that need not know where it is kept.
struct Cart(Session<Visitor>);

impl Cart {
    fn add(&mut self, item: &str) {
        self.0.cart_mut().push(item.to_owned());
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Cart {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(parts.extract().await?))
    }
}

/// Counts the request and lets nobody in after the second one.
struct Twice;

impl<S: Send + Sync> FromRequestParts<S> for Twice {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let session = parts.extract().await;
        let mut session: Session<Visitor> =
            session.map_err(|_: SessionRejection| StatusCode::INTERNAL_SERVER_ERROR)?;
        session.add_visits(1);
        if session.visits() > 2 { Err(StatusCode::TOO_MANY_REQUESTS) } else { Ok(Self) }
    }
}

fn read() -> Router {
    Router::new().route("/read", get(|s: Session<Visitor>| async move { show(&s) }))
}

#[tokio::test]
async fn an_extractor_on_a_session_works_beside_the_session_itself() {
    for under in all().await {
        let spy = Spy::on(under.store);
        let handler = |mut cart: Cart, mut session: Session<Visitor>| async move {
            cart.add("pen");
            session.set_locale("de");
        };
        let app = read().route("/run", post(handler)).layer(SessionLayer::new(spy.clone()));
        let mut client = Client::new(&app);
        client.post("/run").await;
        client.post("/run").await;
        let calls = spy.calls();
        assert!(
            matches!(calls[..], [Call::Create(_), Call::Load(_), Call::Apply(..)]),
            "one load and one write each: {calls:?}"
        );
        assert_eq!(client.get("/read").await.body, "nobody de 0 [\"pen\", \"pen\"]");
    }
}

#[tokio::test]
async fn what_an_extractor_changed_is_seen_by_the_next_and_kept_when_it_refuses() {
    for under in all().await {
        let handler = |_: Twice, session: Session<Visitor>| async move { show(&session) };
        let app = read().route("/run", get(handler)).layer(SessionLayer::new(under.store));
        let mut client = Client::new(&app);
        assert_eq!(client.get("/run").await.body, "nobody en 1 []", "{}", under.name);
        assert_eq!(client.get("/run").await.body, "nobody en 2 []", "{}", under.name);
        assert_eq!(client.get("/run").await.status, 429);
        assert_eq!(client.get("/read").await.body, "nobody en 3 []", "{}", under.name);
    }
}

#[tokio::test]
async fn an_extractor_that_fails_on_the_server_keeps_nothing() {
    struct Broken;
    impl<S: Send + Sync> FromRequestParts<S> for Broken {
        type Rejection = StatusCode;

        async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
            let mut session: Session<Visitor> = parts.extract().await.unwrap();
            session.add_visits(1);
            Err(StatusCode::BAD_GATEWAY)
        }
    }
    let spy = Spy::new();
    let app =
        read().route("/run", post(|_: Broken| async {})).layer(SessionLayer::new(spy.clone()));
    let reply = Client::new(&app).post("/run").await;
    assert_eq!((reply.status.as_u16(), reply.set_cookie()), (502, None));
    assert!(spy.calls().is_empty());
}

#[tokio::test]
async fn without_the_layer_an_extractor_of_the_users_own_says_what_is_missing() {
    let traced = Traced::start();
    let app = Router::new().route("/run", post(|_: Cart| async {}));
    let reply = Client::new(&app).post("/run").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (500, "session layer missing"));
    assert!(traced.text().contains("Visitor"), "{}", traced.text());
}

/// Before the handler, after it, or both; the last change wins.
async fn around(before: bool, after: bool) -> String {
    let outer = move |mut session: Session<Visitor>, request: Request, next: Next| async move {
        if before {
            session.set_locale("before");
        }
        let response = next.run(request).await;
        if after {
            session.set_locale("after");
        }
        response
    };
    let handler = |mut cart: Cart| async move {
        cart.add("pen");
        cart.0.set_locale("handler");
    };
    let app = Router::new()
        .route("/run", post(handler))
        .layer(from_fn(outer))
        .merge(read())
        .layer(SessionLayer::new(memory().store));
    let mut client = Client::new(&app);
    assert_eq!(client.post("/run").await.status, 200);
    client.get("/read").await.body
}

#[tokio::test]
async fn of_middleware_and_handler_the_later_change_wins_and_not_the_later_drop() {
    assert_eq!(around(true, false).await, "nobody handler 0 [\"pen\"]");
    assert_eq!(around(false, true).await, "nobody after 0 [\"pen\"]");
    assert_eq!(around(true, true).await, "nobody after 0 [\"pen\"]");
}

#[tokio::test]
async fn counts_of_middleware_extractor_and_handler_add_up() {
    for under in all().await {
        let outer = |mut session: Session<Visitor>, request: Request, next: Next| async move {
            session.add_visits(1);
            let response = next.run(request).await;
            session.add_visits(10);
            response
        };
        let handler = |_: Twice, mut s: Session<Visitor>| async move { s.add_visits(100) };
        let app = Router::new()
            .route("/run", post(handler))
            .layer(from_fn(outer))
            .merge(read())
            .layer(SessionLayer::new(under.store));
        let mut client = Client::new(&app);
        client.post("/run").await;
        assert_eq!(client.get("/read").await.body, "nobody en 112 []", "{}", under.name);
    }
}

#[tokio::test]
async fn a_sign_out_in_the_handler_is_not_taken_back_by_middleware_that_only_looked() {
    let outer = |session: Session<Visitor>, request: Request, next: Next| async move {
        let response = next.run(request).await;
        assert_eq!(session.user_id(), Some(7), "its own snapshot");
        response
    };
    let app = Router::new()
        .route("/run", post(|mut s: Session<Visitor>| async move { s.clear_user_id() }))
        .layer(from_fn(outer))
        .route("/sign-in", post(|mut s: Session<Visitor>| async move { s.set_user_id(7) }))
        .merge(read())
        .layer(SessionLayer::new(memory().store));
    let mut client = Client::new(&app);
    client.post("/sign-in").await;
    client.post("/run").await;
    assert_eq!(client.get("/read").await.body, "nobody en 0 []");
}

#[derive(SessionSchema)]
struct Staff {
    #[session(counter)]
    clicks: u64,
    #[session(counter)]
    errors: u64,
}

/// Middleware over any schema with a counter.
async fn count<S: SessionSchema>(
    State(key): State<CounterKey<S, u64>>,
    request: Request,
    next: Next,
) -> Result<Response, SessionRejection> {
    let mut session = session_of::<S>(request.extensions(), request.headers()).await?;
    session.add(key, 1);
    session.publish();
    Ok(next.run(request).await)
}

#[tokio::test]
async fn one_middleware_serves_every_schema_with_a_field_of_its_type() {
    let visitors = Router::new()
        .route("/visitor", get(|s: Session<Visitor>| async move { s.visits().to_string() }))
        .layer(from_fn_with_state(Visitor::VISITS, count::<Visitor>));
    let staff = Router::new()
        .route(
            "/staff",
            get(|s: Session<Staff>| async move { format!("{} {}", s.clicks(), s.errors()) }),
        )
        .layer(from_fn_with_state(Staff::CLICKS, count::<Staff>))
        .layer(from_fn_with_state(Staff::ERRORS, count::<Staff>));
    let layer = SessionLayer::new(memory().store).schema::<Visitor>();
    let app = visitors.merge(staff).layer(layer);
    let mut client = Client::new(&app);
    assert_eq!(client.get("/visitor").await.body, "1");
    assert_eq!(client.get("/staff").await.body, "1 1");
    assert_eq!(client.get("/staff").await.body, "2 2");
    assert_eq!(client.get("/visitor").await.body, "2");
}

#[tokio::test]
async fn a_guard_of_the_users_own_takes_the_session_out_of_an_authenticated_one() {
    struct Admin(Session<Visitor>);
    impl<S: Send + Sync> FromRequestParts<S> for Admin {
        type Rejection = Response;

        async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
            use axum::response::IntoResponse;
            let who = <Authenticated<Visitor>>::from_request_parts(parts, state).await;
            let (user, session) = who.map_err(IntoResponse::into_response)?.into_parts();
            if user == 1 { Ok(Self(session)) } else { Err(StatusCode::FORBIDDEN.into_response()) }
        }
    }
    let sign_in = |axum::extract::Path(user): axum::extract::Path<u64>, mut s: Session<Visitor>| async move {
        s.set_user_id(user)
    };
    let app = read()
        .route("/in/{user}", post(sign_in))
        .route("/admin", post(|mut admin: Admin| async move { admin.0.add_visits(1) }))
        .layer(SessionLayer::new(memory().store));
    let mut client = Client::new(&app);
    assert_eq!(client.post("/admin").await.status, 401);
    client.post("/in/2").await;
    assert_eq!(client.post("/admin").await.status, 403);
    client.post("/in/1").await;
    assert_eq!(client.post("/admin").await.status, 200);
    assert_eq!(client.get("/read").await.body, "1 en 1 []");
}
