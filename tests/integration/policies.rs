//! What a declared policy does with a concurrent change.

use std::sync::Arc;

use http::StatusCode;
use session_runtime::{Session, SessionError, SessionLayer, SessionSchema};
use session_tests::stores::all;
use session_tests::{Call, Spy, Tab};
use tokio::sync::Barrier;

/// Three-way: what somebody else added or removed meanwhile stays so.
fn union(base: &[String], stored: &[String], mine: Vec<String>) -> Vec<String> {
    let mut all: Vec<String> =
        stored.iter().filter(|tag| mine.contains(tag) || !base.contains(tag)).cloned().collect();
    all.extend(mine.into_iter().filter(|tag| !base.contains(tag) && !stored.contains(tag)));
    all
}

#[derive(SessionSchema)]
struct Draft {
    #[session(principal)]
    user: Option<u64>,
    #[session(merge = union)]
    tags: Vec<String>,
    #[session(compare)]
    balance: i64,
    #[session(write_once)]
    referrer: Option<String>,
    #[session(clear_on_login)]
    next: Option<String>,
    #[session(clear_on_login, alias = "old_cart")]
    cart: Vec<String>,
    note: String,
}

type Draft_ = Session<Draft>;

/// Two requests that both load before either changes anything.
async fn overlap(
    tab: &Tab,
    one: impl FnOnce(&mut Draft_) + Send + 'static,
    other: impl FnOnce(&mut Draft_) + Send + 'static,
) -> [StatusCode; 2] {
    let both = Arc::new(Barrier::new(2));
    let request = |change: Box<dyn FnOnce(&mut Draft_) + Send>| {
        let both = Arc::clone(&both);
        tab.ask(move |mut session: Draft_| async move {
            both.wait().await;
            change(&mut session);
        })
    };
    let (one, other) = tokio::join!(request(Box::new(one)), request(Box::new(other)));
    [one.status, other.status]
}

async fn read<R: Send + 'static>(tab: &Tab, look: impl FnOnce(&Draft_) -> R + Send + 'static) -> R {
    tab.ask(|session: Draft_| async move { look(&session) }).await.ok()
}

#[tokio::test]
async fn changes_of_a_merged_field_are_merged_by_the_function_that_was_named() {
    for under in all().await {
        let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
        tab.run(|mut s: Draft_| async move { s.set_tags(vec!["a".into(), "b".into()]) }).await.ok();
        let statuses = overlap(
            &tab,
            |s| s.tags_mut().push("c".into()),
            |s| s.tags_mut().retain(|tag| tag != "a"),
        )
        .await;
        assert_eq!(statuses, [StatusCode::OK; 2], "{}", under.name);
        assert_eq!(read(&tab, |s| s.tags().to_vec()).await, ["b", "c"], "{}", under.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_concurrent_changes_of_a_merged_field_are_all_merged() {
    for under in all().await {
        let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
        tab.run(|mut s: Draft_| async move { s.set_note("there") }).await.ok();
        let together = Arc::new(Barrier::new(64));
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..64 {
            let (tab, together) = (tab.clone(), Arc::clone(&together));
            writers.spawn(async move {
                tab.ask(move |mut s: Draft_| async move {
                    together.wait().await;
                    s.tags_mut().push(format!("{writer:02}"));
                })
                .await
                .status
            });
        }
        while let Some(status) = writers.join_next().await {
            assert_eq!(status.unwrap(), StatusCode::OK, "{}", under.name);
        }
        let mut tags = read(&tab, |s| s.tags().to_vec()).await;
        tags.sort();
        assert_eq!(tags, (0..64).map(|n| format!("{n:02}")).collect::<Vec<_>>(), "{}", under.name);
    }
}

#[tokio::test]
async fn of_two_changes_of_a_compared_field_one_is_refused_and_stores_nothing() {
    for under in all().await {
        let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
        tab.run(|mut s: Draft_| async move { s.set_balance(10) }).await.ok();
        let mut statuses = overlap(
            &tab,
            |s| {
                s.set_balance(s.balance() - 10);
                s.set_note("one");
            },
            |s| {
                s.set_balance(s.balance() - 10);
                s.set_note("other");
            },
        )
        .await;
        statuses.sort();
        assert_eq!(statuses, [StatusCode::OK, StatusCode::CONFLICT], "{}", under.name);
        assert_eq!(read(&tab, |s| s.balance()).await, 0, "{}", under.name);
    }
}

#[tokio::test]
async fn the_conflict_of_a_compared_field_names_it() {
    let spy = Spy::new();
    let mut tab = Tab::new(&SessionLayer::new(spy.clone()));
    tab.run(|mut s: Draft_| async move { s.set_balance(10) }).await.ok();
    let other = tab.clone();
    let error = tab
        .run(|mut s: Draft_| async move {
            other.ask(|mut s: Draft_| async move { s.set_balance(7) }).await.ok();
            s.set_balance(3);
            s.save().await.unwrap_err()
        })
        .await
        .ok();
    let SessionError::Conflict { field } = error else { panic!("{error:?}") };
    assert_eq!(field.as_deref(), Some("balance"));
}

#[tokio::test]
async fn what_is_written_once_stays_and_the_same_value_again_is_no_conflict() {
    for under in all().await {
        let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
        tab.run(|mut s: Draft_| async move { s.set_note("there") }).await.ok();
        let mut statuses =
            overlap(&tab, |s| s.set_referrer("anna"), |s| s.set_referrer("bert")).await;
        statuses.sort();
        assert_eq!(statuses, [StatusCode::OK, StatusCode::CONFLICT], "{}", under.name);
        let first = read(&tab, |s| s.referrer().map(str::to_owned)).await.unwrap();
        let again = first.clone();
        tab.run(|mut s: Draft_| async move { s.set_referrer(again) }).await.ok();
        let error = tab
            .run(|mut s: Draft_| async move {
                s.set_referrer("carl");
                s.save().await.unwrap_err().to_string()
            })
            .await;
        assert!(error.value.unwrap().contains("`referrer` is written once"));
        tab.run(|mut s: Draft_| async move { s.clear() }).await.ok();
        let kept = read(&tab, |s| (s.referrer().map(str::to_owned), s.note().to_owned())).await;
        assert_eq!(kept, (Some(first), String::new()), "`clear` leaves it, and only it");
    }
}

#[tokio::test]
async fn a_sign_in_removes_what_could_have_been_planted_unless_it_sets_it_itself() {
    for under in all().await {
        let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
        let plant = |mut s: Draft_| async move {
            s.set_next("https://evil.example");
            s.set_cart(vec!["planted".into()]);
            s.set_note("kept");
        };
        tab.run(plant).await.ok();
        tab.run(|mut s: Draft_| async move {
            s.set_cart(vec!["mine".into()]);
            s.set_user(1);
        })
        .await
        .ok();
        let seen =
            read(&tab, |s| (s.next().map(str::to_owned), s.cart().to_vec(), s.note().to_owned()))
                .await;
        assert_eq!(seen, (None, vec!["mine".to_owned()], "kept".to_owned()), "{}", under.name);
        // Proving oneself again is not somebody else's coming.
        tab.run(|mut s: Draft_| async move { s.reauthenticated() }).await.ok();
        assert_eq!(read(&tab, |s| s.cart().to_vec()).await, ["mine"], "{}", under.name);
    }
}

#[tokio::test]
async fn proof_of_somebody_unknown_removes_what_could_have_been_planted() {
    for under in all().await {
        // With a record that is there, and with one that this request makes.
        for there in [true, false] {
            let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
            let plant = |s: &mut Draft_| {
                s.set_next("https://evil.example");
                s.set_note("kept");
            };
            if there {
                tab.run(move |mut s: Draft_| async move { plant(&mut s) }).await.ok();
            }
            tab.run(|mut s: Draft_| async move {
                s.set_cart(vec!["mine".into()]);
                s.reauthenticated();
            })
            .await
            .ok();
            let seen = read(&tab, |s| (s.next().is_some(), s.cart().to_vec())).await;
            assert_eq!(seen, (false, vec!["mine".to_owned()]), "{} {there}", under.name);
            // By now it is known that somebody is there.
            tab.run(move |mut s: Draft_| async move { plant(&mut s) }).await.ok();
            tab.run(|mut s: Draft_| async move { s.reauthenticated() }).await.ok();
            assert!(read(&tab, |s| s.next().is_some()).await, "{} {there}", under.name);
        }
    }
}

#[tokio::test]
async fn a_sign_in_that_forks_a_record_takes_nothing_planted_along() {
    let under = session_tests::stores::memory();
    let mut tab = Tab::new(&SessionLayer::new(under.store.clone()));
    tab.run(|mut s: Draft_| async move {
        s.set_next("https://evil.example");
        s.set_note("kept");
    })
    .await
    .ok();
    let other = tab.clone();
    tab.run(|mut s: Draft_| async move {
        other.ask(|mut s: Draft_| async move { s.set_user(1) }).await.ok();
        s.set_user(2);
    })
    .await
    .ok();
    let seen = read(&tab, |s| (s.user(), s.next().is_some(), s.note().to_owned())).await;
    assert_eq!(seen, (Some(2), false, "kept".to_owned()));
}

#[tokio::test]
async fn two_handles_of_one_request_merge_by_the_same_policy() {
    let spy = Spy::new();
    let layer = SessionLayer::new(spy.clone());
    let mut tab = Tab::new(&layer);
    tab.run(|mut s: Draft_| async move { s.set_tags(vec!["a".into()]) }).await.ok();
    spy.calls();
    let app = axum::Router::new()
        .route(
            "/",
            axum::routing::post(|mut one: Draft_, mut two: Draft_| async move {
                one.tags_mut().push("b".into());
                two.tags_mut().push("c".into());
            }),
        )
        .layer(layer);
    let mut client = session_tests::Client::new(&app);
    client.cookies.insert("__Host-session".into(), tab.cookie.clone().unwrap());
    assert_eq!(client.post("/").await.status, StatusCode::OK);
    assert_eq!(read(&tab, |s| s.tags().to_vec()).await, ["a", "b", "c"]);
    let applied = spy.calls().into_iter().filter(|call| matches!(call, Call::Apply(..))).count();
    assert_eq!(applied, 1);
}
