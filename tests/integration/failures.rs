//! A store that is down, slow, or holds what nobody can read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use http::Method;
use session_runtime::__private::patch::SignIn;
use session_runtime::__private::record::Record;
use session_runtime::store::{
    MemoryStore, SessionStore, StoreError, StoreFuture, contract::Created,
};
use session_runtime::{Session, SessionError, SessionLayer, SessionSchema, forward_store};
use session_tests::stores::memory;
use session_tests::{Call, Client, Spy};

use crate::visitor::{Visitor, app};

#[tokio::test]
async fn a_failed_load_is_a_503_and_never_an_empty_session_that_overwrites() {
    let spy = Spy::new();
    let app = app(spy.clone());
    let mut client = Client::new(&app);
    client.post("/push").await;
    spy.down(true);
    spy.calls();
    let reply = client.post("/locale").await;
    assert_eq!((reply.status.as_u16(), reply.set_cookie()), (503, None));
    assert!(matches!(spy.calls()[..], [Call::Load(_)]), "nothing was written");
    assert_eq!(client.get("/untouched").await.status, 200, "who does not ask is not harmed");
    spy.down(false);
    assert_eq!(client.get("/read").await.body, "nobody en 0 [\"pen\"]");
}

#[tokio::test]
async fn a_failed_write_changes_the_response_and_sends_no_cookie() {
    let spy = Spy::new();
    let breaks = spy.clone();
    let handler = move |mut s: Session<Visitor>| async move {
        s.set_user_id(1);
        breaks.down(true);
        "done"
    };
    let app = Router::new().route("/", post(handler)).layer(SessionLayer::new(spy.clone()));
    let reply = Client::new(&app).post("/").await;
    assert_eq!((reply.status.as_u16(), reply.set_cookie()), (503, None));
    assert_ne!(reply.body, "done");
}

#[tokio::test]
async fn a_save_that_failed_is_tried_again_at_the_end() {
    let spy = Spy::new();
    let switch = spy.clone();
    let handler = move |mut s: Session<Visitor>| async move {
        s.set_locale("de");
        switch.down(true);
        assert!(matches!(s.save().await, Err(SessionError::Store(_))));
        assert_eq!(s.locale(), "de");
        switch.down(false);
    };
    let app = Router::new()
        .route("/", post(handler))
        .route("/read", post(|s: Session<Visitor>| async move { s.locale().to_owned() }))
        .layer(SessionLayer::new(spy.clone()));
    let mut client = Client::new(&app);
    assert_eq!(client.post("/").await.status, 200);
    assert_eq!(client.post("/read").await.body, "de");
}

#[tokio::test]
async fn a_store_that_hangs_is_given_up_in_time() {
    let spy = Spy::new();
    let layer = SessionLayer::new(spy.clone()).store_timeout(Duration::from_millis(50));
    let app = crate::visitor::app_in(layer, Arc::new(tokio::sync::Barrier::new(1)));
    let mut client = Client::new(&app);
    client.get("/visit").await;
    spy.hang(true);
    #[allow(clippy::disallowed_methods)] // how long the test itself waits
    let start = Instant::now();
    assert_eq!(client.get("/read").await.status, 503);
    assert!(start.elapsed() < Duration::from_secs(5));
    spy.hang(false);
    assert_eq!(client.get("/read").await.body, "nobody en 1 []");
}

#[tokio::test]
async fn a_destroy_that_the_store_refuses_leaves_the_cookie_for_another_try() {
    let spy = Spy::new();
    let switch = spy.clone();
    let handler = move |mut s: Session<Visitor>| async move {
        switch.down(true);
        s.destroy();
    };
    let app = Router::new()
        .route("/in", post(|mut s: Session<Visitor>| async move { s.set_user_id(1) }))
        .route("/out", post(handler))
        .route("/who", post(|s: Session<Visitor>| async move { format!("{:?}", s.user_id()) }))
        .layer(SessionLayer::new(spy.clone()));
    let mut client = Client::new(&app);
    client.post("/in").await;
    let reply = client.post("/out").await;
    assert_eq!((reply.status.as_u16(), reply.set_cookie()), (503, None));
    spy.down(false);
    assert_eq!(client.post("/who").await.body, "Some(1)");
}

/// What an older release stored, and the struct as it is now.
mod changed {
    use super::*;

    #[derive(SessionSchema)]
    pub(super) struct Before {
        #[session(principal)]
        user_id: Option<u64>,
        amount: String,
        strict: String,
        ends: String,
        hits: String,
        kept: String,
    }

    #[derive(SessionSchema)]
    pub(super) struct After {
        #[session(principal)]
        user_id: Option<u64>,
        amount: u32,
        #[session(counter)]
        hits: u64,
        added: Vec<u8>,
    }

    #[derive(SessionSchema)]
    pub(super) struct Strict {
        #[session(on_invalid = error)]
        strict: u32,
    }

    #[derive(SessionSchema)]
    pub(super) struct Ends {
        #[session(on_invalid = drop_session)]
        ends: u32,
        kept: String,
    }

    #[derive(SessionSchema)]
    pub(super) struct Who {
        #[session(principal)]
        user_id: Option<Vec<String>>,
        kept: String,
    }
}

use changed::{After, Before, Ends, Strict, Who};

/// One layer per release: the record is the same, the processes are not.
fn releases() -> (Router, Spy) {
    let spy = Spy::on(memory().store);
    let route = |path: &str, handler| {
        Router::new().route(path, handler).layer(SessionLayer::new(spy.clone()))
    };
    let fill = |mut s: Session<Before>| async move {
        s.set_user_id(1);
        s.set_amount("many");
        s.set_strict("many");
        s.set_ends("many");
        s.set_hits("many");
        s.set_kept("kept");
    };
    let app = Router::new()
        .merge(route("/before", post(fill)))
        .merge(route(
            "/old",
            post(|s: Session<Before>| async move {
                format!("{:?} {} {} {}", s.user_id(), s.amount(), s.hits(), s.kept())
            }),
        ))
        .merge(route(
            "/read",
            post(|s: Session<After>| async move {
                format!("{} {} {:?}", s.amount(), s.hits(), s.added())
            }),
        ))
        .merge(route("/set", post(|mut s: Session<After>| async move { s.set_amount(7) })))
        .merge(route(
            "/touch",
            post(|mut s: Session<After>| async move { s.update(After::AMOUNT, |n| *n += 1) }),
        ))
        .merge(route("/count", post(|mut s: Session<After>| async move { s.add_hits(1) })))
        .merge(route("/strict", post(|s: Session<Strict>| async move { s.strict().to_string() })))
        .merge(route("/ends", post(|s: Session<Ends>| async move { format!("{:?}", s.kept()) })))
        .merge(route(
            "/who",
            post(|mut s: Session<Who>| async move {
                s.set_kept("fresh");
                format!("{:?}", s.user_id())
            }),
        ));
    (app, spy)
}

async fn before() -> Client {
    let (app, _) = releases();
    let mut client = Client::new(&app);
    assert_eq!(client.post("/before").await.status, 200);
    client
}

const OLD: &str = "Some(1) many many kept";

#[tokio::test]
async fn a_retyped_field_reads_as_its_default_and_its_bytes_stay_until_it_is_set() {
    let mut client = before().await;
    assert_eq!(client.post("/read").await.body, "0 0 []");
    assert_eq!(client.post("/old").await.body, OLD, "a rolled-back deploy finds everything");
    assert_eq!(client.post("/set").await.status, 200);
    assert_eq!(client.post("/read").await.body, "7 0 []");
}

#[tokio::test]
async fn changing_an_unreadable_field_in_place_is_an_error_that_leaves_it_alone() {
    let mut client = before().await;
    let reply = client.post("/touch").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (500, "session error"));
    assert_eq!(client.post("/old").await.body, OLD);
}

#[tokio::test]
async fn an_unreadable_counter_is_left_alone_and_the_response_kept() {
    let mut client = before().await;
    assert_eq!(client.post("/count").await.status, 200);
    assert_eq!(client.post("/old").await.body, OLD);
}

#[tokio::test]
async fn a_strict_field_is_an_error_and_a_dropping_one_a_fresh_session() {
    let mut client = before().await;
    assert_eq!(client.post("/strict").await.status, 500);
    assert_eq!(client.post("/old").await.body, OLD);
    assert_eq!(client.post("/ends").await.body, "\"\"");
    assert_eq!(client.token(), None, "the session was ended");
}

#[tokio::test]
async fn an_unreadable_principal_is_nobody_and_its_session_is_not_deleted() {
    let client = before().await;
    let mut fresh = client.tab();
    assert_eq!(fresh.post("/who").await.body, "None");
    assert_ne!(fresh.token(), client.token(), "what is set goes to a fresh session");
    assert_eq!(client.ask(Method::POST, "/old").await.body, OLD);
}

/// A store in which every new id is taken already.
struct Crowded(MemoryStore);

impl SessionStore for Crowded {
    forward_store! { this => this.0;
        clock capabilities load reload apply delete list revoke count sweep scan cache watchers
    }

    fn create(&self, _: Arc<Record>, _: SignIn) -> StoreFuture<'_, Result<Created, StoreError>> {
        StoreFuture::new(async { Ok(Created::Exists) })
    }
}

#[tokio::test]
async fn a_commit_whose_attempts_are_used_up_is_a_conflict_and_blames_no_data() {
    let handler = |mut s: Session<Visitor>| async move {
        s.set_locale("de");
        let saved = s.save().await;
        assert!(matches!(saved, Err(SessionError::Conflict { field: None })), "{saved:?}");
        saved
    };
    let layer = SessionLayer::new(Crowded(MemoryStore::new()));
    let app = Router::new().route("/", post(handler)).layer(layer);
    assert_eq!(Client::new(&app).post("/").await.status, 409);
}
