//! Changes that depend on what is stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use session_runtime::{Session, SessionError, SessionLayer, SessionSchema};
use session_tests::stores::{all, memory};
use session_tests::{Call, Spy, Tab};
use tokio::sync::Barrier;

#[derive(SessionSchema)]
struct Hall {
    #[session(principal)]
    user: Option<u64>,
    seats: Vec<u32>,
    price: u32,
    note: String,
}

type Hall_ = Session<Hall>;

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_transactions_at_once_each_see_what_the_others_did() {
    for under in all().await {
        let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
        tab.run(|mut s: Hall_| async move { s.set_note("there") }).await.ok();
        let together = Arc::new(Barrier::new(64));
        let mut buyers = tokio::task::JoinSet::new();
        for buyer in 0..64_u32 {
            let (tab, together) = (tab.clone(), Arc::clone(&together));
            buyers.spawn(async move {
                tab.ask(move |mut s: Hall_| async move {
                    together.wait().await;
                    // Only four seats, whoever comes first.
                    s.transaction(|s| {
                        let free = s.seats().len() < 4;
                        if free {
                            s.seats_mut().push(buyer);
                        }
                        free
                    })
                    .await
                    .unwrap()
                })
                .await
                .ok()
            });
        }
        let sold = buyers.join_all().await.into_iter().filter(|sold| *sold).count();
        let seats = tab.ask(|s: Hall_| async move { s.seats().len() }).await.ok();
        assert_eq!((sold, seats), (4, 4), "{}", under.name);
    }
}

#[tokio::test]
async fn what_a_transaction_only_read_still_holds_when_it_is_stored() {
    for under in all().await {
        let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
        tab.run(|mut s: Hall_| async move { s.set_price(10) }).await.ok();
        let other = tab.clone();
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let note = tab
            .run(|mut s: Hall_| async move {
                s.transaction(|s| {
                    if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                        // Somebody else changes what was read, while this runs.
                        let other = other.clone();
                        std::thread::spawn(move || {
                            let runtime = tokio::runtime::Builder::new_current_thread()
                                .enable_all()
                                .build()
                                .unwrap();
                            runtime.block_on(async move {
                                other.ask(|mut s: Hall_| async move { s.set_price(12) }).await.ok();
                            });
                        })
                        .join()
                        .unwrap();
                    }
                    s.set_note(format!("at {}", s.price()));
                })
                .await
                .unwrap();
                s.note().to_owned()
            })
            .await
            .ok();
        assert_eq!((&*note, runs.load(Ordering::SeqCst)), ("at 12", 2), "{}", under.name);
    }
}

#[tokio::test]
async fn an_aborted_transaction_stores_nothing_and_says_why() {
    let spy = Spy::new();
    let mut tab = Tab::new(&SessionLayer::new(spy.clone()));
    tab.run(|mut s: Hall_| async move { s.set_price(10) }).await.ok();
    spy.calls();
    let aborted = tab
        .run(|mut s: Hall_| async move {
            s.try_transaction(|s| {
                s.set_price(0);
                Err::<(), _>("too cheap")
            })
            .await
            .unwrap()
        })
        .await
        .ok();
    assert_eq!(aborted, Err("too cheap"));
    assert!(!spy.calls().iter().any(|call| matches!(call, Call::Apply(..))));
    assert_eq!(tab.ask(|s: Hall_| async move { s.price() }).await.ok(), 10);
}

#[tokio::test]
async fn what_was_changed_before_is_saved_first_and_seen_inside() {
    let under = memory();
    let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
    let seen = tab
        .run(|mut s: Hall_| async move {
            s.set_price(10);
            let seen = s.transaction(|s| s.price()).await.unwrap();
            s.set_note("after");
            seen
        })
        .await
        .ok();
    assert_eq!(seen, 10);
    let stored = tab.ask(|s: Hall_| async move { (s.price(), s.note().to_owned()) }).await.ok();
    assert_eq!(stored, (10, "after".to_owned()));
}

#[tokio::test]
async fn a_transaction_can_create_sign_in_and_end_a_session() {
    for under in all().await {
        let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
        tab.run(|mut s: Hall_| async move { s.transaction(|s| s.set_price(1)).await.unwrap() })
            .await
            .ok();
        let anonymous = tab.cookie.clone().expect("a record and its cookie");
        tab.run(|mut s: Hall_| async move { s.transaction(|s| s.set_user(7)).await.unwrap() })
            .await
            .ok();
        assert_ne!(tab.cookie.as_ref(), Some(&anonymous), "{}: a new token", under.name);
        let user = |s: Hall_| async move { (s.user(), s.price()) };
        assert_eq!(tab.ask(user).await.ok(), (Some(7), 1), "{}", under.name);
        let after = tab
            .run(|mut s: Hall_| async move {
                s.transaction(|s| s.destroy()).await.unwrap();
                s.is_new()
            })
            .await;
        assert!(after.ok());
        assert_eq!((tab.cookie, under.store_count().await), (None, 0), "{}", under.name);
    }
}

#[tokio::test]
async fn a_transaction_after_the_head_has_left_stores_what_it_changed() {
    let under = memory();
    let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
    tab.run(|mut s: Hall_| async move { s.set_price(1) }).await.ok();
    let session = tab.ask(|s: Hall_| async move { s }).await.ok();
    let later = tokio::spawn(async move {
        let mut session = session;
        let signed_in = session.transaction(|s| s.set_user(7)).await.unwrap_err();
        assert!(matches!(signed_in, SessionError::HeadSent), "a new cookie has no way");
        session.transaction(|s| s.set_price(2)).await
    });
    later.await.unwrap().unwrap();
    assert_eq!(tab.ask(|s: Hall_| async move { s.user() }).await.ok(), None);
    assert_eq!(tab.ask(|s: Hall_| async move { s.price() }).await.ok(), 2);
}

#[tokio::test]
async fn a_transaction_of_an_ended_session_is_gone() {
    for under in all().await {
        let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
        tab.run(|mut s: Hall_| async move { s.set_price(1) }).await.ok();
        let other = tab.clone();
        let error = tab
            .run(|mut s: Hall_| async move {
                other.ask(|mut s: Hall_| async move { s.destroy() }).await.ok();
                s.transaction(|s| s.set_price(2)).await.unwrap_err()
            })
            .await
            .ok();
        assert!(matches!(error, SessionError::Gone), "{}: {error:?}", under.name);
        assert_eq!(under.store_count().await, 0);
    }
}

#[tokio::test]
async fn one_that_never_comes_through_is_a_typed_conflict_after_its_time() {
    let under = memory();
    let layer = SessionLayer::new(under.store.clone()).conflict_timeout(Duration::from_millis(30));
    let mut tab = Tab::new(&layer);
    tab.run(|mut s: Hall_| async move { s.set_price(1) }).await.ok();
    let other = tab.clone();
    let answer = tab
        .run(|mut s: Hall_| async move {
            s.transaction(|s| {
                let other = other.clone();
                let spoil = std::thread::spawn(move || {
                    let runtime =
                        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(async move {
                        other
                            .ask(|mut s: Hall_| async move { s.set_price(s.price() + 1) })
                            .await
                            .ok();
                    });
                });
                spoil.join().unwrap();
                s.set_note("never");
            })
            .await
        })
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    let error = answer.value.unwrap().unwrap_err();
    assert!(matches!(error, SessionError::Conflict { field: None }), "{error:?}");
    assert_eq!(tab.ask(|s: Hall_| async move { s.note().to_owned() }).await.ok(), "");
}
