//! Values that are handed out once, and values with a time of their own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use session_runtime::{Session, SessionError, SessionLayer, SessionSchema};
use session_tests::slow::{Fault, Method};
use session_tests::stores::all;
use session_tests::{Call, Slow, Spy, Tab};
use tokio::sync::Barrier;

#[derive(SessionSchema)]
struct Login {
    #[session(nonce)]
    state: Option<String>,
    #[session(nonce = keyed, ttl = "10m")]
    flows: HashMap<String, String>,
    #[session(ttl = "10m")]
    code: Option<String>,
    #[session(counter)]
    hits: u64,
}

type Login_ = Session<Login>;

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_four_requests_at_once_exactly_one_gets_the_nonce() {
    for under in all().await {
        let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
        for round in 0..10 {
            tab.run(move |mut s: Login_| async move { s.set_state(format!("{round}")) }).await.ok();
            let together = Arc::new(Barrier::new(64));
            let mut takers = tokio::task::JoinSet::new();
            for _ in 0..64 {
                let (tab, together) = (tab.clone(), Arc::clone(&together));
                takers.spawn(async move {
                    tab.ask(move |mut s: Login_| async move {
                        together.wait().await;
                        s.consume_state().await.unwrap()
                    })
                    .await
                    .ok()
                });
            }
            let got: Vec<_> = takers.join_all().await.into_iter().flatten().collect();
            assert_eq!(got, [round.to_string()], "{}", under.name);
        }
    }
}

#[tokio::test]
async fn a_nonce_is_gone_even_if_the_request_that_took_it_fails() {
    for under in all().await {
        let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
        tab.run(|mut s: Login_| async move { s.set_state("once") }).await.ok();
        let taken = tab
            .run(|mut s: Login_| async move {
                let taken = s.consume_state().await.unwrap();
                s.discard();
                taken
            })
            .await
            .ok();
        assert_eq!(taken.as_deref(), Some("once"), "{}", under.name);
        let again = tab.run(|mut s: Login_| async move { s.consume_state().await.unwrap() }).await;
        assert_eq!(again.ok(), None, "{}", under.name);
    }
}

#[tokio::test]
async fn a_nonce_set_in_the_same_request_is_taken_without_asking_the_store() {
    let spy = Spy::new();
    let mut tab = Tab::new(&SessionLayer::new(spy.clone()));
    let taken = tab
        .run(|mut s: Login_| async move {
            s.set_state("new");
            (s.consume_state().await.unwrap(), s.consume_state().await.unwrap())
        })
        .await
        .ok();
    assert_eq!(taken, (Some("new".to_owned()), None));
    assert!(!spy.calls().iter().any(|call| matches!(call, Call::Apply(..) | Call::Create(_))));
}

#[tokio::test]
async fn a_lost_answer_never_hands_a_nonce_out_twice() {
    let slow = Slow::new();
    let mut tab =
        Tab::new(&SessionLayer::new(slow.clone()).store_timeout(Duration::from_millis(20)));
    tab.run(|mut s: Login_| async move { s.set_state("once") }).await.ok();
    slow.next(Method::Apply, Fault::AnswerLost);
    let error =
        tab.run(|mut s: Login_| async move { s.consume_state().await.unwrap_err() }).await.ok();
    assert!(matches!(error, SessionError::Uncertain), "{error:?}");
    let again = tab.run(|mut s: Login_| async move { s.consume_state().await.unwrap() }).await;
    assert_eq!(again.ok(), None);
}

#[tokio::test]
async fn nonces_under_keys_are_taken_one_by_one_and_end_after_their_time() {
    for under in all().await {
        let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
        tab.run(|mut s: Login_| async move {
            s.set_flows("a", "first".to_owned());
            s.set_flows("b", "second".to_owned());
            s.set_flows("c", "third".to_owned());
        })
        .await
        .ok();
        let take = |key: &'static str| {
            tab.ask(move |mut s: Login_| async move { s.consume_flows(key).await.unwrap() })
        };
        assert_eq!(take("b").await.ok().as_deref(), Some("second"), "{}", under.name);
        assert_eq!(take("b").await.ok(), None, "{}", under.name);
        under.clock.advance(Duration::from_secs(600) - Duration::from_millis(1));
        assert_eq!(take("a").await.ok().as_deref(), Some("first"), "{}", under.name);
        under.clock.advance(Duration::from_millis(1));
        assert_eq!(take("c").await.ok(), None, "{}: its time is over", under.name);
        assert_eq!(take("x").await.ok(), None);
    }
}

#[tokio::test]
async fn guessing_keys_writes_nothing() {
    let spy = Spy::new();
    let mut tab = Tab::new(&SessionLayer::new(spy.clone()));
    tab.run(|mut s: Login_| async move { s.set_flows("a", "first".to_owned()) }).await.ok();
    spy.calls();
    let long = "k".repeat(10_000);
    let guesses = ["x".to_owned(), String::new(), "a::".to_owned(), long];
    for guess in guesses {
        let got = tab.run(|mut s: Login_| async move { s.consume_flows(&guess).await.unwrap() });
        assert_eq!(got.await.ok(), None);
    }
    let written = |call: &Call| matches!(call, Call::Apply(..) | Call::Create(_));
    assert!(!spy.calls().iter().any(written));
}

#[tokio::test]
async fn flows_that_nobody_ends_do_not_pile_up() {
    for under in all().await {
        let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
        for flow in 0..40 {
            under.clock.advance(Duration::from_secs(1));
            tab.run(move |mut s: Login_| async move {
                s.set_flows(format!("{flow}"), format!("{flow}"));
            })
            .await
            .ok();
        }
        let mut left = Vec::new();
        for flow in 0..40 {
            let take = move |mut s: Login_| async move {
                s.consume_flows(&flow.to_string()).await.unwrap()
            };
            left.extend(tab.run(take).await.ok());
        }
        let newest: Vec<String> = (24..40).map(|flow| flow.to_string()).collect();
        assert_eq!(left, newest, "{}: the sixteen that live longest", under.name);
    }
}

#[tokio::test]
async fn a_key_that_is_too_long_is_an_error_and_not_another_key() {
    let under = session_tests::stores::memory();
    let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
    let answer =
        tab.run(|mut s: Login_| async move { s.set_flows("k".repeat(129), "x".to_owned()) }).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    let code = |mut s: Login_| async move { s.set_flows("k".repeat(128), "x".to_owned()) };
    tab.run(code).await.ok();
}

#[tokio::test]
async fn a_field_with_a_time_to_live_reads_as_unset_when_it_is_over() {
    for under in all().await {
        let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
        tab.run(|mut s: Login_| async move { s.set_code("4711") }).await.ok();
        let code = |s: Login_| async move { s.code().map(str::to_owned) };
        under.clock.advance(Duration::from_secs(600) - Duration::from_millis(1));
        assert_eq!(tab.ask(code).await.ok().as_deref(), Some("4711"), "{}", under.name);
        // Setting it anew, also to the same value, starts its time again.
        tab.run(|mut s: Login_| async move { s.set_code("4711") }).await.ok();
        under.clock.advance(Duration::from_secs(600) - Duration::from_millis(1));
        assert_eq!(tab.ask(code).await.ok().as_deref(), Some("4711"), "{}", under.name);
        // Looking at it through a mutable borrow does not.
        tab.run(|mut s: Login_| async move {
            let _ = s.code_mut();
        })
        .await
        .ok();
        under.clock.advance(Duration::from_millis(1));
        assert_eq!(tab.ask(code).await.ok(), None, "{}", under.name);
    }
}

#[tokio::test]
async fn what_has_outlived_its_time_leaves_the_store_with_the_next_change() {
    let under = session_tests::stores::memory();
    let spy = Spy::on(under.store.clone());
    let mut tab = Tab::new(&SessionLayer::new(spy.clone()));
    tab.run(|mut s: Login_| async move { s.set_code("4711") }).await.ok();
    under.clock.advance(Duration::from_secs(601));
    tab.run(|s: Login_| async move { assert_eq!(s.code(), None) }).await.ok();
    spy.calls();
    tab.run(|mut s: Login_| async move { s.add_hits(1) }).await.ok();
    let names: Vec<_> = spy
        .calls()
        .into_iter()
        .filter_map(|call| match call {
            Call::Apply(_, patch) => Some(patch.ops),
            _ => None,
        })
        .flatten()
        .map(|op| op.name.into_owned())
        .collect();
    assert_eq!(names, ["hits", "code"]);
}

#[tokio::test]
async fn a_nonce_under_a_key_counts_as_a_change_until_it_is_published() {
    let under = session_tests::stores::memory();
    let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
    tab.run(|mut s: Login_| async move {
        s.add_hits(1);
        s.set_flows("a", "first".to_owned());
        s.set_flows("b", "second".to_owned());
        assert_eq!(s.changed_fields(), ["hits", "flows"]);
        assert!(s.changed(Login::FLOWS) && !s.changed(Login::STATE));
        s.publish();
        assert!(s.changed_fields().is_empty());
    })
    .await
    .ok();
}
