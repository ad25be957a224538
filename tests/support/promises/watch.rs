//! A socket ends with its session, whichever node ended it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use session_runtime::store::SessionStore;
use session_runtime::{EndReason, Session, SessionLayer, SessionSchema};
use tokio::time::{Instant, timeout};

use crate::Tab;

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
}

type S = Session<Visitor>;

/// What a test that polls sets as `watch_interval`.
pub const INTERVAL: Duration = Duration::from_millis(100);

/// Of many sockets on one node each is told by a revocation on another, and by a sign-out there.
pub async fn sockets_of_another_node_end_with_their_session(
    here: &(impl SessionStore + Clone),
    there: &(impl SessionStore + Clone),
    interval: Duration,
) {
    let layer = SessionLayer::new(here.clone()).watch_interval(interval);
    let other = SessionLayer::new(there.clone());
    let mut sockets = Vec::new();
    let mut tabs = Vec::new();
    for user in 0..40 {
        let mut tab = Tab::new(&layer);
        tab.run(move |mut s: S| async move { s.set_user(user / 2) }).await.ok();
        let handle = tab.ask(|s: S| async move { s }).await.ok();
        sockets.push(tokio::spawn(async move { (handle.ended().await, Instant::now()) }));
        tabs.push(tab);
    }
    tokio::time::sleep(INTERVAL * 3).await;
    assert!(sockets.iter().all(|socket| !socket.is_finished()), "nothing has ended yet");
    let sessions = other.manager_for::<Visitor>().unwrap();
    let mut ended = Vec::new();
    for (user, tabs) in tabs.chunks(2).enumerate() {
        let expected = if user % 2 == 0 {
            sessions.as_administrator().revoke_all(&(user as u64)).await.unwrap();
            EndReason::Administrator
        } else {
            for tab in tabs {
                tab.by(&other).ask(|mut s: S| async move { s.destroy() }).await.ok();
            }
            EndReason::SignedOut
        };
        ended.extend([(expected, Instant::now()); 2]);
    }
    let mut waits = Vec::new();
    for (socket, (expected, at)) in sockets.into_iter().zip(ended) {
        let told = timeout(Duration::from_secs(30), socket).await.expect("every socket is told");
        let (because, told) = told.unwrap();
        assert_eq!(because, expected);
        waits.push(told.saturating_duration_since(at));
    }
    waits.sort();
    println!("sockets told after {:?} (median), {:?} (last)", waits[20], waits[39]);
}

/// Sockets that are open at once.
const AT_ONCE: usize = 50;

/// Revokes the sessions of `number` sockets on another node, one after the other, and returns how
/// long after the call each of them ended: shortest first.
pub async fn revocations(
    here: &(impl SessionStore + Clone),
    there: &(impl SessionStore + Clone),
    interval: Duration,
    number: usize,
) -> Vec<Duration> {
    let layer = SessionLayer::new(here.clone()).watch_interval(interval);
    let sessions = SessionLayer::new(there.clone()).manager_for::<Visitor>().unwrap();
    let mut waits = Vec::new();
    while waits.len() < number {
        let mut sockets = Vec::new();
        for user in 0..AT_ONCE as u64 {
            let mut tab = Tab::new(&layer);
            tab.run(move |mut s: S| async move { s.set_user(user) }).await.ok();
            let handle = tab.ask(|s: S| async move { s }).await.ok();
            sockets.push(tokio::spawn(async move { (handle.ended().await, Instant::now()) }));
        }
        let mut asked = Vec::new();
        for user in 0..AT_ONCE as u64 {
            asked.push(Instant::now());
            assert_eq!(sessions.revoke_all(&user).await.unwrap(), 1);
        }
        for (socket, asked) in sockets.into_iter().zip(asked) {
            let told =
                timeout(Duration::from_secs(60), socket).await.expect("every socket is told");
            let (because, told) = told.unwrap();
            assert_eq!(because, EndReason::OtherDevice);
            waits.push(told - asked);
        }
    }
    waits.sort_unstable();
    waits
}

/// How many revocations `usual` are, in a test that may be asked for more.
fn number(usual: usize) -> usize {
    std::env::var("SESSION_TESTS_REVOCATIONS").map_or(usual, |it| it.parse().expect("a number"))
}

/// Revokes while the connections that report it are killed again and again: every socket ends within
/// twice the interval.
pub async fn revoked_while_killed(
    here: &(impl SessionStore + Clone),
    there: &(impl SessionStore + Clone),
    kill: impl Fn() -> usize + Send + 'static,
) {
    const BOUND: Duration = Duration::from_secs(1);
    let killed = Arc::new(AtomicUsize::new(0));
    let killing = tokio::spawn({
        let killed = Arc::clone(&killed);
        async move {
            loop {
                killed.fetch_add(tokio::task::block_in_place(&kill), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }
    });
    let waits = revocations(here, there, BOUND, number(300)).await;
    killing.abort();
    let _ = killing.await;
    let killed = killed.load(Ordering::Relaxed);
    let reported = waits.partition_point(|wait| *wait < BOUND / 10);
    println!(
        "of {} sockets {reported} were told in a tenth of the bound; ended after {:?}, 99 % within {:?}, all within {:?}; {killed} connections killed",
        waits.len(),
        at(&waits, 50),
        at(&waits, 99),
        at(&waits, 100),
    );
    assert!(killed > 3, "{killed}");
    assert!(at(&waits, 100) <= 2 * BOUND, "{:?}", at(&waits, 100));
}

/// The wait that this share of all, in percent, did not exceed.
#[must_use]
pub fn at(waits: &[Duration], share: usize) -> Duration {
    waits[(waits.len() - 1) * share / 100]
}
