//! Who must know asks the store, and nobody writes by what a cache remembers.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::routing::get;
use session_runtime::{Authenticated, Session, SessionError, SessionManager, SessionRejection};

use super::*;
use crate::visitor::{Visitor, show};

#[tokio::test]
async fn nobody_is_let_in_after_a_logout_elsewhere() {
    let mut nodes = plain();
    nodes.signed_in().await;
    nodes.there.post("/logout").await;
    assert_eq!(nodes.here.get("/account").await.status, 401);
    assert_eq!(nodes.here.get("/read").await.body, NOBODY, "what was found out is remembered");
    let mut nodes = plain();
    nodes.signed_in().await;
    nodes.there.post("/logout").await;
    let reply = nodes.here.post("/push").await;
    assert_eq!(reply.set_cookie(), None);
    assert_eq!(nodes.asked(), [Operation::Load], "nothing was written");
}

#[tokio::test]
async fn a_session_that_is_over_is_not_written_by_whoever_saw_it_in_the_cache() {
    let mut nodes = plain();
    nodes.signed_in().await;
    nodes.there.post("/logout").await;
    let reply = nodes.here.get("/visit").await;
    assert_eq!((reply.status.as_u16(), reply.set_cookie()), (200, None));
    assert_eq!(nodes.asked(), [Operation::Apply], "it was shown, and refused by the store");
    assert_eq!(nodes.cache.count().await.unwrap(), 0);

    // The same after a change of privilege: the epoch is another one.
    let mut nodes = plain();
    nodes.signed_in().await;
    nodes.there.post("/role").await;
    nodes.here.get("/visit").await;
    assert_eq!(nodes.there.get("/read").await.body, HERE);
}

/// Middleware that looks, before the handler that asks who is there.
fn guarded(routes: Router) -> Router {
    struct Seen(String);

    impl<State: Send + Sync> FromRequestParts<State> for Seen {
        type Rejection = SessionRejection;

        async fn from_request_parts(
            parts: &mut Parts,
            _: &State,
        ) -> Result<Self, SessionRejection> {
            let session =
                session_runtime::session_of::<Visitor>(&parts.extensions, &parts.headers).await?;
            Ok(Self(show(&session)))
        }
    }

    let both = |Seen(seen): Seen, who: Option<Who>, again: Session<Visitor>| async move {
        let who = who.map_or("nobody".to_owned(), |Who(id)| id.to_string());
        format!("{seen}|{who}|{}", show(&again))
    };
    let others = |session: Session<Visitor>, all: SessionManager| async move {
        match all.revoke_others(&session).await {
            Ok(ended) => ended.to_string(),
            Err(SessionError::Gone) => "gone".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    routes.route("/both", get(both)).route("/others", get(others))
}

struct Who(u64);

impl<State: Send + Sync> axum::extract::OptionalFromRequestParts<State> for Who {
    type Rejection = SessionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &State,
    ) -> Result<Option<Self>, SessionRejection> {
        let who = <Authenticated<Visitor>>::of(&parts.extensions, &parts.headers).await;
        Ok(who.ok().map(|who| Self(*who.principal())))
    }
}

#[tokio::test]
async fn who_must_know_asks_the_store_and_the_rest_of_the_request_knows_too() {
    let mut nodes = Nodes::new(guarded, |layer| layer);
    nodes.signed_in().await;
    nodes.there.post("/locale").await;
    let reply = nodes.here.get("/both").await;
    assert_eq!(reply.body, "42 en 0 [\"pen\"]|42|42 de 0 [\"pen\"]");
    assert_eq!(nodes.asked(), [Operation::Load], "once, and only by whoever must know");
    nodes.there.post("/logout").await;
    let reply = nodes.here.get("/both").await;
    assert_eq!(reply.body, "42 de 0 [\"pen\"]|nobody|nobody en 0 []");
    assert_eq!((nodes.asked(), reply.set_cookie()), (vec![Operation::Load], None));
    // What has just been read from the store is not asked for again.
    nodes.there.post("/sign-in").await;
    nodes.here.cookies = nodes.there.cookies.clone();
    nodes.here.get("/both").await;
    assert_eq!(nodes.asked(), [Operation::Load]);
}

#[tokio::test]
async fn other_devices_are_signed_out_only_by_a_session_that_is_there() {
    let mut nodes = Nodes::new(guarded, |layer| layer);
    nodes.signed_in().await;
    let mut phone = Client::new(&app_in(
        SessionLayer::new(nodes.cache.clone()),
        Arc::new(tokio::sync::Barrier::new(1)),
    ));
    phone.post("/sign-in").await;
    nodes.there.post("/logout").await;
    assert_eq!(nodes.here.get("/others").await.body, "gone");
    assert_eq!(phone.get("/account").await.status, 200);
}

/// Handlers that saw a session in the cache, and then ask for certainty.
fn asking(routes: Router) -> Router {
    fn said(asked: Result<(), SessionError>) -> String {
        match asked {
            Ok(()) => "there".to_owned(),
            Err(SessionError::Gone) => "gone".to_owned(),
            Err(error) => error.to_string(),
        }
    }
    let fresh = |it: Session<Visitor>| async move { said(it.require_fresh(SECOND * 300).await) };
    let reload = |mut it: Session<Visitor>| async move { said(it.reload().await) };
    let save = |mut it: Session<Visitor>| async move {
        it.add_visits(1);
        said(it.save().await)
    };
    let transaction = |mut it: Session<Visitor>| async move {
        said(it.transaction(|it: &mut Session<Visitor>| it.add_visits(1)).await)
    };
    routes
        .route("/fresh", get(fresh))
        .route("/reload", get(reload))
        .route("/save", get(save))
        .route("/transaction", get(transaction))
}

#[tokio::test]
async fn whoever_asks_for_certainty_gets_it_from_the_store() {
    for path in ["/fresh", "/reload", "/save", "/transaction"] {
        let mut nodes = Nodes::new(asking, |layer| layer);
        nodes.signed_in().await;
        assert_eq!(nodes.here.get(path).await.body, "there");
        assert_ne!(nodes.asked(), [], "{path}");
        nodes.here.get("/read").await;
        nodes.there.post("/logout").await;
        let reply = nodes.here.get(path).await;
        assert_eq!((reply.body.as_str(), reply.set_cookie()), ("gone", None), "{path}");
        assert_eq!(nodes.cache.count().await.unwrap(), 0, "{path}: nothing came back");
    }
}

/// Every method that may change something reads what the store has.
#[tokio::test]
async fn a_method_that_is_not_safe_is_answered_by_the_store() {
    let each = |routes: Router| {
        routes.route("/any", axum::routing::any(|it: Session<Visitor>| async move { show(&it) }))
    };
    for method in ["GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE", "BREW"] {
        let mut nodes = Nodes::new(each, |layer| layer);
        nodes.signed_in().await;
        nodes.there.post("/locale").await;
        let is_safe = matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE");
        let reply = nodes.here.send(method.parse().unwrap(), "/any").await;
        let asked = if is_safe { vec![] } else { vec![Operation::Load] };
        assert_eq!(nodes.asked(), asked, "{method}");
        if method != "HEAD" {
            let now = if is_safe { HERE } else { "42 de 0 [\"pen\"]" };
            assert_eq!(reply.body, now, "{method}");
        }
    }
}

#[tokio::test]
async fn other_devices_that_are_signed_out_are_forgotten_at_once() {
    let mut nodes = Nodes::new(guarded, |layer| layer);
    nodes.signed_in().await;
    let mut phone = nodes.here.clone();
    phone.cookies.clear();
    phone.post("/sign-in").await;
    assert_eq!(phone.get("/read").await.body, "42 en 0 []");
    assert_eq!(phone.get("/read").await.body, "42 en 0 []", "out of memory");
    assert_eq!(nodes.here.get("/others").await.body, "1");
    assert_eq!(phone.get("/read").await.body, NOBODY);
    assert_eq!(nodes.here.get("/read").await.body, HERE);
}
