//! Concurrent changes of encrypted fields.

use super::*;

#[derive(SessionSchema)]
struct Shared {
    #[session(secret, merge = union)]
    tags: Vec<u8>,
    #[session(secret, compare)]
    draft: String,
    #[session(secret, write_once)]
    once: String,
    #[session(secret, flash)]
    notice: Option<String>,
}

fn union(base: &[u8], stored: &[u8], mine: Vec<u8>) -> Vec<u8> {
    let new = mine.into_iter().filter(|tag| !base.contains(tag));
    stored.iter().copied().chain(new).collect()
}

async fn begun() -> (Bench, Tab) {
    let bench = Bench::new();
    let mut tab = bench.tab.clone();
    tab.run(|mut s: SharedSession| async move {
        s.set_tags(vec![1]);
        s.set_draft("a");
        s.set_notice("hello");
    })
    .await
    .ok();
    (bench, tab)
}

/// What `ours` says once `theirs` was stored between its load and its commit.
async fn meanwhile<R: Send + 'static>(
    tab: &Tab,
    theirs: impl FnOnce(&mut SharedSession) + Send + 'static,
    ours: impl FnOnce(&mut SharedSession) -> R + Send + 'static,
) -> (R, Result<(), SessionError>) {
    let mut other = tab.clone();
    tab.ask(|mut s: SharedSession| async move {
        other.run(|mut s: SharedSession| async move { theirs(&mut s) }).await.ok();
        let value = ours(&mut s);
        (value, s.save().await)
    })
    .await
    .ok()
}

#[tokio::test]
async fn a_merge_sees_all_three_values_in_clear() {
    let (_bench, mut tab) = begun().await;
    let (_, saved) = meanwhile(&tab, |s| s.tags_mut().push(2), |s| s.tags_mut().push(3)).await;
    saved.unwrap();
    assert_eq!(tab.run(|s: SharedSession| async move { s.tags().to_vec() }).await.ok(), [1, 2, 3]);
}

#[tokio::test]
async fn compare_and_write_once_meet_what_is_stored() {
    let (_bench, mut tab) = begun().await;
    let (_, saved) = meanwhile(&tab, |s| s.set_draft("b"), |s| s.set_draft("c")).await;
    assert!(matches!(saved, Err(SessionError::Conflict { .. })));
    let (_, saved) = meanwhile(&tab, |s| s.set_once("x"), |s| s.set_once("x")).await;
    saved.unwrap();
    let (_, saved) = meanwhile(&tab, |_| {}, |s| s.set_once("y")).await;
    assert!(matches!(saved, Err(SessionError::AlreadySet { field: "once" })));
    let seen =
        tab.run(|s: SharedSession| async move { (s.draft().to_owned(), s.once().to_owned()) });
    assert_eq!(seen.await.ok(), ("b".to_owned(), "x".to_owned()));
}

#[tokio::test]
async fn a_flash_that_was_set_meanwhile_is_not_taken_with_the_old_one() {
    let (_bench, mut tab) = begun().await;
    // Also where it says the same: it is another message.
    let (taken, saved) = meanwhile(
        &tab,
        |s| {
            s.take_notice();
            s.set_notice("again")
        },
        SharedSession::take_notice,
    )
    .await;
    saved.unwrap();
    assert_eq!(taken.as_deref(), Some("hello"));
    let notice = tab.run(|mut s: SharedSession| async move { s.take_notice() }).await.ok();
    assert_eq!(notice.as_deref(), Some("again"));
    let notice = tab.run(|mut s: SharedSession| async move { s.take_notice() }).await.ok();
    assert_eq!(notice, None);
}

/// The store sees a conflict of another field, and the plan is made anew on what it has.
#[tokio::test]
async fn a_flash_that_was_set_meanwhile_outlives_a_conflict_of_another_field() {
    let (_bench, mut tab) = begun().await;
    let (taken, saved) = meanwhile(
        &tab,
        |s| {
            s.set_notice("again");
            s.tags_mut().push(2);
        },
        |s| {
            s.tags_mut().push(3);
            s.take_notice()
        },
    )
    .await;
    saved.unwrap();
    assert_eq!(taken.as_deref(), Some("hello"));
    let seen = tab.run(|mut s: SharedSession| async move { (s.tags().to_vec(), s.take_notice()) });
    assert_eq!(seen.await.ok(), (vec![1, 2, 3], Some("again".to_owned())));
}

#[tokio::test]
async fn a_transaction_reads_and_writes_secrets() {
    let (_bench, mut tab) = begun().await;
    let mut others: Vec<_> = (0..4).map(|_| tab.clone()).collect();
    let add = |tab: &mut Tab| {
        let tab = tab.clone();
        async move {
            tab.ask(|mut s: SharedSession| async move {
                s.transaction(|s| {
                    let next = s.tags().len() as u8;
                    s.tags_mut().push(next);
                })
                .await
                .unwrap();
            })
            .await
            .ok();
        }
    };
    let mut running = tokio::task::JoinSet::new();
    others.iter_mut().for_each(|tab| drop(running.spawn(add(tab))));
    running.join_all().await;
    assert_eq!(
        tab.run(|s: SharedSession| async move { s.tags().to_vec() }).await.ok(),
        [1, 1, 2, 3, 4]
    );
}
