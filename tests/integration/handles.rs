//! One or several handles in one request.

mod beside;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::post;
use http::StatusCode;
use session_runtime::{Session, SessionError, SessionLayer};
use session_tests::stores::{all, memory};
use session_tests::{Call, Client, Spy};

use crate::visitor::{Visitor, show};

fn app(layer: SessionLayer, handler: axum::routing::MethodRouter) -> Router {
    Router::new()
        .route("/run", handler)
        .route("/read", post(|s: Session<Visitor>| async move { show(&s) }))
        .layer(layer)
}

async fn after(handler: axum::routing::MethodRouter) -> String {
    let app = app(SessionLayer::new(memory().store), handler);
    let mut client = Client::new(&app);
    let reply = client.post("/run").await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    client.post("/read").await.body
}

#[tokio::test]
async fn two_handles_of_one_request_merge_by_field() {
    let handler = |mut a: Session<Visitor>, mut b: Session<Visitor>| async move {
        a.set_locale("de");
        b.cart_mut().push("pen".into());
        a.add_visits(1);
        b.add_visits(2);
    };
    assert_eq!(after(post(handler)).await, "nobody de 3 [\"pen\"]");
}

#[tokio::test]
async fn the_change_made_later_wins_whatever_the_order_of_drops() {
    let handler = |mut a: Session<Visitor>, mut b: Session<Visitor>| async move {
        a.set_locale("first");
        b.set_locale("second");
        drop(b);
        drop(a);
    };
    assert_eq!(after(post(handler)).await, "nobody second 0 []");
}

#[tokio::test]
async fn a_handle_that_refreshes_sees_what_is_published_and_not_what_is_stored() {
    let handler = |mut a: Session<Visitor>, mut b: Session<Visitor>| async move {
        let before = b.locale().to_owned();
        b.set_locale("stored");
        b.save().await.unwrap();
        b.set_locale(before.clone());
        b.publish();
        a.refresh();
        // From here, not from what was stored meanwhile.
        a.locale_mut().push('!');
        drop(a);
        drop(b);
        before
    };
    let app = app(SessionLayer::new(memory().store), post(handler));
    let mut client = Client::new(&app);
    assert_eq!(client.post("/run").await.body, "en");
    assert_eq!(client.post("/read").await.body, "nobody en! 0 []");
    assert_eq!(client.post("/run").await.body, "en!");
    assert_eq!(client.post("/read").await.body, "nobody en!! 0 []");
}

#[tokio::test]
async fn middleware_that_holds_a_handle_does_not_overwrite_the_handler() {
    async fn outer(mut session: Session<Visitor>, request: Request, next: Next) -> Response {
        session.set_locale("middleware");
        session.publish();
        let response = next.run(request).await;
        session.refresh();
        assert_eq!(session.locale(), "handler", "sees it without a store call");
        session.add_visits(1);
        response
    }
    let spy = Spy::new();
    let inner = |mut session: Session<Visitor>| async move {
        assert_eq!(session.locale(), "middleware");
        session.set_locale("handler");
    };
    let app = Router::new()
        .route("/run", post(inner))
        .layer(from_fn(outer))
        .route("/read", post(|s: Session<Visitor>| async move { show(&s) }))
        .layer(SessionLayer::new(spy.clone()));
    let mut client = Client::new(&app);
    client.post("/run").await;
    assert!(matches!(spy.calls()[..], [Call::Create(_)]));
    assert_eq!(client.post("/read").await.body, "nobody handler 1 []");
}

#[tokio::test]
async fn discard_throws_away_what_was_not_published() {
    let handler = |mut s: Session<Visitor>| async move {
        s.set_locale("kept");
        s.publish();
        s.set_locale("gone");
        s.add_visits(9);
        s.discard();
        assert_eq!((s.locale(), s.visits()), ("kept", 0));
    };
    assert_eq!(after(post(handler)).await, "nobody kept 0 []");
}

#[tokio::test]
async fn two_saves_in_one_request_write_each_change_once() {
    for under in all().await {
        let spy = Spy::on(under.store);
        let handler = |mut s: Session<Visitor>| async move {
            s.add_visits(1);
            s.set_locale("de");
            s.save().await?;
            assert_eq!((s.visits(), s.is_new()), (1, false));
            s.add_visits(1);
            s.save().await?;
            s.save().await?;
            assert_eq!(s.visits(), 2);
            Ok::<_, SessionError>(s.id().unwrap().to_string())
        };
        let app = app(SessionLayer::new(spy.clone()), post(handler));
        let mut client = Client::new(&app);
        let id = client.post("/run").await.body;
        assert_eq!(client.token().unwrap()[..21], id[..21]);
        let calls = spy.calls();
        assert!(matches!(calls[..], [Call::Create(_), Call::Apply(..)]), "{calls:?}");
        assert_eq!(client.post("/read").await.body, "nobody de 2 []");
    }
}

#[tokio::test]
async fn an_error_after_save_keeps_what_was_saved_and_its_cookie() {
    let handler = |mut s: Session<Visitor>| async move {
        s.set_locale("saved");
        s.save().await.unwrap();
        s.set_locale("dropped");
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let app = app(SessionLayer::new(memory().store), post(handler));
    let mut client = Client::new(&app);
    assert!(client.post("/run").await.set_cookie().is_some());
    assert_eq!(client.post("/read").await.body, "nobody saved 0 []");
}

#[tokio::test]
async fn a_handle_with_unsaved_changes_that_outlives_its_handler_is_an_error_not_a_loss() {
    struct Holds(#[allow(dead_code)] Session<Visitor>);
    let moved = |mut s: Session<Visitor>| async move {
        s.set_locale("lost?");
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(std::sync::Arc::new(Holds(s)));
        response
    };
    let app = app(SessionLayer::new(memory().store), post(moved));
    let reply = Client::new(&app).post("/run").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (500, "session error"));
}

#[tokio::test]
async fn a_handle_saves_after_the_response_has_left_but_cannot_create() {
    let under = memory();
    let (give, mut take) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |s: Session<Visitor>| async move { give.send(s).unwrap() };
    let app = app(SessionLayer::new(under.store), post(handler));
    let mut client = Client::new(&app);
    client.post("/run").await;
    let mut late = take.recv().await.unwrap();
    late.set_locale("de");
    assert!(matches!(late.save().await, Err(SessionError::HeadSent)));
    assert_eq!(client.post("/read").await.body, "nobody en 0 []");
}

#[tokio::test]
async fn a_long_lived_handle_saves_reloads_and_is_refused_after_a_sign_in() {
    for under in all().await {
        let (give, mut take) = tokio::sync::mpsc::unbounded_channel();
        let handler = move |mut s: Session<Visitor>| async move {
            if s.visits() == 0 {
                s.add_visits(1);
            } else {
                give.send(s).unwrap();
            }
        };
        let app = Router::new()
            .route("/run", post(handler))
            .route("/read", post(|s: Session<Visitor>| async move { show(&s) }))
            .route("/sign-in", post(|mut s: Session<Visitor>| async move { s.set_user_id(5) }))
            .layer(SessionLayer::new(under.store));
        let mut client = Client::new(&app);
        client.post("/run").await;
        client.post("/run").await;
        let mut socket = take.recv().await.unwrap();
        socket.set_locale("de");
        socket.save().await.unwrap();
        assert_eq!(client.post("/read").await.body, "nobody de 1 []");
        socket.reload().await.unwrap();
        client.post("/sign-in").await;
        socket.set_locale("fr");
        assert!(matches!(socket.save().await, Err(SessionError::Gone)), "{}", under.name);
        assert!(matches!(socket.reload().await, Err(SessionError::Gone)), "{}", under.name);
        assert_eq!(client.post("/read").await.body, "5 de 1 []");
    }
}

#[tokio::test]
async fn generic_code_works_by_key_and_by_snapshot() {
    let handler = |mut s: Session<Visitor>| async move {
        s.set(Visitor::LOCALE, "de".into());
        s.update(Visitor::CART, |cart| cart.push("pen".into()));
        s.add(Visitor::VISITS, 3);
        s.set(Visitor::NICKNAME, Some("bo".into()));
        assert!(s.changed(Visitor::LOCALE) && !s.changed(Visitor::PRICES));
        assert_eq!(s.changed_fields(), ["locale", "cart", "visits", "nickname"]);
        let mut all = s.snapshot();
        assert_eq!((all.locale.as_str(), all.visits), ("de", 3));
        all.nickname = None;
        all.visits = 7;
        s.replace(all);
        assert_eq!(s.changed_fields(), ["locale", "cart", "visits"]);
        let entries = s.entries().unwrap();
        assert!(entries.contains(&("cart", "[\"pen\"]".to_owned())), "{entries:?}");
        assert!(!format!("{s:?}").contains("pen"), "Debug shows no values");
    };
    assert_eq!(after(post(handler)).await, "nobody de 7 [\"pen\"]");
}

#[tokio::test]
async fn clear_resets_every_field_and_keeps_the_session() {
    let under = memory();
    let app = Router::new()
        .route(
            "/fill",
            post(|mut s: Session<Visitor>| async move {
                s.set_locale("de");
                s.set_user_id(1);
                s.add_visits(2);
            }),
        )
        .route("/clear", post(|mut s: Session<Visitor>| async move { s.clear() }))
        .route("/read", post(|s: Session<Visitor>| async move { show(&s) }))
        .layer(SessionLayer::new(under.store));
    let mut client = Client::new(&app);
    client.post("/fill").await;
    let before = client.tab();
    client.post("/clear").await;
    assert_eq!(client.post("/read").await.body, "nobody en 0 []");
    assert_eq!(client.token().unwrap()[..21], before.token().unwrap()[..21]);
    assert_ne!(client.token(), before.token(), "a sign-out renews");
}

#[tokio::test]
async fn an_optional_session_is_only_one_that_exists() {
    let under = memory();
    let app = Router::new()
        .route("/maybe", post(|s: Option<Session<Visitor>>| async move { s.is_some().to_string() }))
        .route("/start", post(|mut s: Session<Visitor>| async move { s.add_visits(1) }))
        .layer(SessionLayer::new(under.store));
    let mut client = Client::new(&app);
    let reply = client.post("/maybe").await;
    assert_eq!((reply.body.as_str(), reply.set_cookie()), ("false", None));
    client.post("/start").await;
    assert_eq!(client.post("/maybe").await.body, "true");
}

#[tokio::test]
async fn what_is_lost_or_unseen_is_reported_with_the_cure() {
    let traced = session_tests::traced::Traced::start();
    let (give, mut take) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |mut first: Session<Visitor>, request: Request| {
        let give = give.clone();
        async move {
            use axum::RequestPartsExt;
            let mut parts = request.into_parts().0;
            first.set_locale("de");
            let second: Session<Visitor> = parts.extract().await.unwrap();
            assert_eq!(second.locale(), "en");
            drop(first);
            give.send(second).unwrap();
        }
    };
    let app = app(SessionLayer::new(memory().store), post(handler));
    let mut client = Client::new(&app);
    assert_eq!(client.post("/run").await.status, 200);
    assert!(traced.text().contains("call `publish()`"), "{}", traced.text());
    let mut late = take.recv().await.unwrap();
    late.set_nickname("lost");
    drop(late);
    let text = traced.text();
    assert!(text.contains("call `save().await`") && text.contains("[\"nickname\"]"), "{text}");
    assert_eq!(client.post("/read").await.body, "nobody de 0 []");
}

#[tokio::test]
async fn destroy_after_the_response_has_left_still_ends_the_session() {
    for under in all().await {
        let (give, mut take) = tokio::sync::mpsc::unbounded_channel();
        let layer = SessionLayer::new(under.store);
        let manager = layer.manager();
        let app = Router::new()
            .route("/start", post(|mut s: Session<Visitor>| async move { s.add_visits(1) }))
            .route("/hold", post(move |s: Session<Visitor>| async move { give.send(s).unwrap() }))
            .layer(layer);
        let mut client = Client::new(&app);
        client.post("/start").await;
        client.post("/hold").await;
        let mut socket = take.recv().await.unwrap();
        socket.destroy();
        drop(socket);
        for _ in 0..500 {
            if manager.count().await.unwrap() == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(manager.count().await.unwrap(), 0, "{}", under.name);
    }
}

#[tokio::test]
async fn a_destroy_in_the_handler_is_no_loss_for_middleware_that_changed_something_before() {
    async fn outer(mut session: Session<Visitor>, request: Request, next: Next) -> Response {
        session.set_locale("middleware");
        next.run(request).await
    }
    let app = Router::new()
        .route("/run", post(|mut s: Session<Visitor>| async move { s.destroy() }))
        .layer(from_fn(outer))
        .route("/start", post(|mut s: Session<Visitor>| async move { s.add_visits(1) }))
        .layer(SessionLayer::new(memory().store));
    let mut client = Client::new(&app);
    client.post("/start").await;
    let reply = client.post("/run").await;
    assert_eq!(reply.status, 200, "the logout worked");
    assert_eq!(client.token(), None);
}

#[tokio::test]
async fn a_gone_that_save_has_told_is_the_callers_to_answer() {
    let handler = |mut s: Session<Visitor>, sessions: session_runtime::SessionManager| async move {
        s.set_user_id(1);
        s.save().await.unwrap();
        sessions.revoke_all(&1_u64).await.unwrap();
        s.set_locale("de");
        assert!(matches!(s.save().await, Err(SessionError::Gone)));
        "told"
    };
    let app = app(SessionLayer::new(memory().store), post(handler));
    let reply = Client::new(&app).post("/run").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, "told"));
}
