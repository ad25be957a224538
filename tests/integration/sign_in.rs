//! Authentication is an event: tokens, epochs, logouts.

mod clicks;

use std::time::Duration;

use axum::Router;
use axum::routing::post;
use http::{Method, StatusCode};
use session_runtime::__private::record::TOMBSTONE;
use session_runtime::{Session, SessionLayer};
use session_tests::stores::{all, memory};
use session_tests::{Client, Tab};

use crate::visitor::{Visitor, app};

#[tokio::test]
async fn a_chosen_token_is_never_adopted() {
    for under in all().await {
        let app = app(under.store.clone());
        let mut attacker = Client::new(&app);
        attacker.get("/visit").await;
        let mut chosen = attacker.token().unwrap().to_owned();
        // The right id, another secret; and something made up altogether.
        chosen.replace_range(30..31, if &chosen[30..31] == "A" { "B" } else { "A" });
        for planted in [chosen.as_str(), &"A".repeat(43), "", "x"] {
            let mut victim = Client::new(&app);
            victim.cookies.insert("__Host-session".into(), planted.to_owned());
            victim.post("/sign-in").await;
            assert_eq!(victim.get("/account").await.body, "42");
            assert_ne!(victim.token(), Some(planted));
            assert_ne!(victim.token().unwrap()[..22], chosen[..22], "not even its id");
        }
    }
}

#[tokio::test]
async fn signing_in_renews_the_token_also_as_the_same_user_and_the_old_one_is_dead() {
    for under in all().await {
        let app = app(under.store.clone());
        let mut client = Client::new(&app);
        client.get("/visit").await;
        for _ in 0..3 {
            let old = client.tab();
            let id = client.token().unwrap()[..21].to_owned();
            client.post("/sign-in").await;
            assert_ne!(client.token(), old.token());
            assert_eq!(client.token().unwrap()[..21], id, "the record keeps its id");
            assert_eq!(client.get("/account").await.body, "42", "{}", under.name);
            assert_eq!(old.ask(Method::GET, "/account").await.status, 401, "{}", under.name);
        }
    }
}

#[tokio::test]
async fn clearing_the_principal_or_changing_a_role_renews_and_setting_the_same_role_does_not() {
    for under in all().await {
        let app = app(under.store.clone());
        let mut client = Client::new(&app);
        client.post("/sign-in").await;
        for (path, renews) in [("/role", true), ("/role", false), ("/sign-out", true)] {
            let before = client.token().unwrap().to_owned();
            client.post(path).await;
            assert_eq!(client.token().unwrap() != before, renews, "{path}");
        }
        assert_eq!(client.get("/account").await.status, 401);
        assert_eq!(client.get("/read").await.body, "nobody en 0 []", "the session itself stays");
    }
}

#[tokio::test]
async fn regenerate_renews_and_keeps_everything() {
    let app = app(memory().store);
    let mut client = Client::new(&app);
    client.post("/push").await;
    let before = client.tab();
    client.post("/regenerate").await;
    assert_ne!(client.token(), before.token());
    assert_eq!(client.get("/read").await.body, "nobody en 0 [\"pen\"]");
    assert_eq!(before.ask(Method::GET, "/read").await.body, "nobody en 0 []");
}

#[tokio::test]
async fn a_retired_token_sees_nobody_and_creates_nothing_but_may_sign_in() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone());
        let manager = layer.manager();
        let app = crate::visitor::app_in(layer, std::sync::Arc::new(tokio::sync::Barrier::new(1)));
        for end in ["/logout", "/sign-in"] {
            let mut client = Client::new(&app);
            client.post("/sign-in").await;
            let late = client.tab();
            client.post(end).await;
            let live = manager.count().await.unwrap();
            let visit = late.ask(Method::GET, "/visit").await;
            assert_eq!((visit.status, visit.set_cookie()), (StatusCode::OK, None), "{end}");
            assert_eq!(late.ask(Method::POST, "/push").await.status, 409, "{end}");
            assert_eq!(late.ask(Method::GET, "/account").await.status, 401, "{end}");
            assert_eq!(manager.count().await.unwrap(), live, "{end}: nothing was created");
            let mut again = late.tab();
            again.post("/sign-in").await;
            assert_eq!(again.get("/account").await.body, "42", "{end}");
            under.clock.advance(TOMBSTONE);
            // After a minute it is just an unknown token.
            assert!(late.ask(Method::GET, "/visit").await.set_cookie().is_some(), "{end}");
        }
    }
}

#[tokio::test]
async fn destroy_wins_over_an_error_response_a_panic_and_a_client_that_hangs_up() {
    async fn failing(mut session: Session<Visitor>) -> StatusCode {
        session.destroy();
        StatusCode::INTERNAL_SERVER_ERROR
    }
    async fn panicking(mut session: Session<Visitor>) {
        session.destroy();
        panic!("after destroy");
    }
    async fn hanging(mut session: Session<Visitor>) {
        session.destroy();
        std::future::pending::<()>().await;
    }
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone());
        let manager = layer.manager();
        let app = Router::new()
            .route("/sign-in", post(|mut s: Session<Visitor>| async move { s.set_user_id(7) }))
            .route("/failing", post(failing))
            .route("/panicking", post(panicking))
            .route("/hanging", post(hanging))
            .layer(layer);
        let mut client = Client::new(&app);
        client.post("/sign-in").await;
        let failed = client.post("/failing").await;
        assert_eq!(failed.status, 500);
        assert!(failed.set_cookie().unwrap().contains("Max-Age=0"));
        assert_eq!(manager.count().await.unwrap(), 0, "{}", under.name);

        client.post("/sign-in").await;
        let tab = client.tab();
        let panicked = tokio::spawn(async move { tab.ask(Method::POST, "/panicking").await });
        assert!(panicked.await.unwrap_err().is_panic());
        eventually_empty(&manager).await;

        client.cookies.clear();
        client.post("/sign-in").await;
        let hung_up = client.ask(Method::POST, "/hanging");
        tokio::time::timeout(Duration::from_millis(20), hung_up).await.unwrap_err();
        eventually_empty(&manager).await;
    }
}

async fn eventually_empty(manager: &session_runtime::SessionManager) {
    for _ in 0..500 {
        if manager.count().await.unwrap() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the session was not destroyed");
}

#[tokio::test]
async fn what_is_set_after_destroy_starts_a_fresh_session_in_the_same_response() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone());
        let manager = layer.manager();
        let goodbye = |mut session: Session<Visitor>| async move {
            session.set_nickname("dropped");
            session.destroy();
            assert_eq!(session.user_id(), None);
            session.set_notice("Goodbye");
        };
        let app = Router::new()
            .route("/sign-in", post(|mut s: Session<Visitor>| async move { s.set_user_id(7) }))
            .route("/goodbye", post(goodbye))
            .route(
                "/taken",
                post(|mut s: Session<Visitor>| async move {
                    format!("{:?} {:?} {:?}", s.take_notice(), s.user_id(), s.nickname())
                }),
            )
            .layer(layer);
        let mut client = Client::new(&app);
        client.post("/sign-in").await;
        let old = client.tab();
        let reply = client.post("/goodbye").await;
        assert_eq!(reply.headers.get_all("set-cookie").iter().count(), 1, "one cookie, not two");
        assert_ne!(client.token().unwrap()[..22], old.token().unwrap()[..22]);
        assert_eq!(client.post("/taken").await.body, "Some(\"Goodbye\") None None");
        assert_eq!(old.ask(Method::POST, "/taken").await.body, "None None None");
        assert_eq!(manager.count().await.unwrap(), 1, "{}", under.name);
    }
}

#[tokio::test]
async fn a_failed_response_withdraws_a_sign_in_and_keeps_a_sign_out() {
    let under = memory();
    let app = Router::new()
        .route("/in", post(|mut s: Session<Visitor>| async move { s.set_user_id(7) }))
        .route(
            "/in-fails",
            post(|mut s: Session<Visitor>| async move {
                s.set_user_id(8);
                StatusCode::BAD_GATEWAY
            }),
        )
        .route(
            "/out-fails",
            post(|mut s: Session<Visitor>| async move {
                s.clear_user_id();
                s.set_locale("de");
                StatusCode::BAD_GATEWAY
            }),
        )
        .route("/who", post(|s: Session<Visitor>| async move { crate::visitor::show(&s) }))
        .layer(SessionLayer::new(under.store));
    let mut client = Client::new(&app);
    assert_eq!(client.post("/in-fails").await.set_cookie(), None);
    client.post("/in").await;
    assert_eq!(client.post("/in-fails").await.set_cookie(), None);
    assert_eq!(client.post("/who").await.body, "7 en 0 []");
    client.post("/out-fails").await;
    assert_eq!(client.post("/who").await.body, "nobody en 0 []");
}

#[tokio::test]
async fn whoever_signs_out_is_no_longer_authenticated() {
    let at = |s: Session<Visitor>| async move { s.authenticated_at().is_some().to_string() };
    let app = Router::new()
        .route("/in", post(|mut s: Session<Visitor>| async move { *s.user_id_mut() = Some(7) }))
        .route("/out", post(|mut s: Session<Visitor>| async move { s.clear_user_id() }))
        .route("/at", post(at))
        .layer(SessionLayer::new(memory().store));
    let mut client = Client::new(&app);
    client.post("/in").await;
    assert_eq!(client.post("/at").await.body, "true", "signing in through `_mut` counts");
    client.post("/out").await;
    assert_eq!(client.post("/at").await.body, "false");
}

#[tokio::test]
async fn whoever_signs_out_of_a_session_that_is_over_is_out() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone());
        let mut tab = Tab::new(&layer);
        tab.run(|mut s: Session<Visitor>| async move { s.set_user_id(7) }).await.ok();
        let other = tab.clone();
        let answer = tab
            .run(|mut s: Session<Visitor>| async move {
                other.ask(|mut s: Session<Visitor>| async move { s.destroy() }).await.ok();
                s.clear_user_id();
            })
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}: in flight", under.name);
        let late = tab.ask(|mut s: Session<Visitor>| async move { s.clear_user_id() }).await;
        assert_eq!(late.status, StatusCode::OK, "{}: afterwards", under.name);
    }
}
