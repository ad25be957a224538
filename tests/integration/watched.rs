//! Sockets and streams that wait for the end or a change of their session.

mod feed;

use std::sync::Arc;
use std::time::Duration;

use session_runtime::store::{CachedStore, StoreErrorKind};
use session_runtime::testing::{Fault, FaultStore, Operation};
use session_runtime::{AtLimit, EndReason, Session, SessionError, SessionLayer, SessionSchema};
use session_tests::stores::{Under, all, memory};
use session_tests::{Spy, Tab};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    #[session(counter)]
    points: i64,
}

type Handle = Session<Visitor>;

const MINUTE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(200);

fn layer(under: &Under) -> SessionLayer {
    SessionLayer::new(under.store.clone()).schema::<Visitor>().watch_interval(INTERVAL)
}

async fn signed_in(layer: &SessionLayer) -> Tab {
    let mut tab = Tab::new(layer);
    tab.run(|mut s: Handle| async move { s.set_user(7) }).await.ok();
    tab
}

/// A socket of the session that has begun to wait.
async fn socket(tab: &Tab) -> JoinHandle<EndReason> {
    let handle = tab.ask(|s: Handle| async move { s }).await.ok();
    let waiting = tokio::spawn(async move { handle.ended().await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished());
    waiting
}

async fn told(socket: JoinHandle<EndReason>) -> EndReason {
    timeout(Duration::from_secs(10), socket).await.expect("it is told").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_ends_with_its_session_by_whatever_reason() {
    for under in all().await {
        let layer = layer(&under);
        let name = under.name;
        let sessions = layer.manager_for::<Visitor>().unwrap();

        let tab = signed_in(&layer).await;
        let sockets = [socket(&tab).await, socket(&tab).await];
        tab.ask(|mut s: Handle| async move { s.destroy() }).await.ok();
        for socket in sockets {
            assert_eq!(told(socket).await, EndReason::SignedOut, "{name}");
        }

        let open = socket(&signed_in(&layer).await).await;
        sessions.as_administrator().revoke_all(&7).await.unwrap();
        assert_eq!(told(open).await, EndReason::Administrator, "{name}");

        let tab = signed_in(&layer).await;
        let open = socket(&tab).await;
        tab.ask(|mut s: Handle| async move { s.set_user(7) }).await.ok();
        assert_eq!(told(open).await, EndReason::Replaced, "{name}: another sign-in");

        let one = layer.clone().max_sessions(1, AtLimit::EvictOldest);
        sessions.revoke_all(&7).await.unwrap();
        let open = socket(&signed_in(&one).await).await;
        signed_in(&one).await;
        assert_eq!(told(open).await, EndReason::Limit, "{name}");

        let open = socket(&signed_in(&layer).await).await;
        under.clock.advance(30 * MINUTE);
        assert_eq!(told(open).await, EndReason::Idle, "{name}");
    }
}

/// Another node has another layer on the same store.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_by_another_node_is_noticed_within_the_interval() {
    for under in all().await {
        let (here, there) = (layer(&under), layer(&under));
        let open = socket(&signed_in(&here).await).await;
        let begun = Instant::now();
        there.manager_for::<Visitor>().unwrap().revoke_all(&7).await.unwrap();
        assert_eq!(told(open).await, EndReason::OtherDevice, "{}", under.name);
        assert!(begun.elapsed() >= Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn this_process_is_noticed_at_once_and_others_at_the_interval() {
    let under = memory();
    let hour = Duration::from_secs(3_600);
    let here = layer(&under).watch_interval(hour).idle_timeout(None).absolute_timeout(None);
    let open = socket(&signed_in(&here).await).await;
    let begun = Instant::now();
    here.manager_for::<Visitor>().unwrap().revoke_all(&7).await.unwrap();
    assert_eq!(open.await.unwrap(), EndReason::OtherDevice);
    assert_eq!(begun.elapsed(), Duration::ZERO);

    let tab = signed_in(&here).await;
    let handle = tab.ask(|s: Handle| async move { s }).await.ok();
    let waiting = tokio::spawn(async move { handle.changed_elsewhere().await });
    tokio::time::sleep(MINUTE).await;
    let begun = Instant::now();
    tab.ask(|mut s: Handle| async move { s.add_points(1) }).await.ok();
    waiting.await.unwrap().unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
    here.manager_for::<Visitor>().unwrap().revoke_all(&7).await.unwrap();

    let there = layer(&under);
    let open = socket(&signed_in(&here).await).await;
    let begun = Instant::now();
    there.manager_for::<Visitor>().unwrap().revoke_all(&7).await.unwrap();
    assert_eq!(open.await.unwrap(), EndReason::OtherDevice);
    assert!(begun.elapsed() <= hour, "{:?}", begun.elapsed());
    assert!(begun.elapsed() > hour - MINUTE);
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_by_age_and_changes_end_no_socket() {
    for under in all().await {
        let layer = layer(&under).renew_after(10 * MINUTE);
        let mut tab = signed_in(&layer).await;
        let open = socket(&tab).await;
        for _ in 0..3 {
            under.clock.advance(10 * MINUTE);
            tab.run(|mut s: Handle| async move { s.add_points(1) }).await.ok();
            tab.run(|_: Handle| async {}).await.ok();
            tokio::time::sleep(INTERVAL * 2).await;
            assert!(!open.is_finished(), "{}", under.name);
        }
        tab.ask(|mut s: Handle| async move { s.destroy() }).await.ok();
        assert_eq!(told(open).await, EndReason::SignedOut, "{}", under.name);
    }
}

/// Between two looks the token is renewed and its grace is over.
#[tokio::test]
async fn renewals_that_were_missed_end_no_socket() {
    for under in all().await {
        let interval = Duration::from_secs(1);
        let here = layer(&under).watch_interval(interval);
        let there = layer(&under).renew_after(10 * MINUTE);
        let tab = signed_in(&here).await;
        let open = socket(&tab).await;
        let mut elsewhere = tab.by(&there);
        under.clock.advance(10 * MINUTE);
        elsewhere.run(|_: Handle| async {}).await.ok();
        elsewhere.run(|_: Handle| async {}).await.ok();
        under.clock.advance(2 * MINUTE);
        tokio::time::sleep(2 * interval).await;
        assert!(!open.is_finished(), "{}", under.name);
        open.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn expiry_is_noticed_when_it_comes_and_not_an_interval_later() {
    let under = memory();
    let layer = layer(&under).watch_interval(Duration::from_secs(3_600));
    let open = socket(&signed_in(&layer).await).await;
    for _ in 0..30 {
        assert!(!open.is_finished());
        under.clock.advance(MINUTE);
        tokio::time::sleep(MINUTE).await;
    }
    assert_eq!(timeout(MINUTE, open).await.unwrap().unwrap(), EndReason::Idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_others_is_told_and_ones_own_is_not() {
    for under in all().await {
        let (here, there) = (layer(&under), layer(&under));
        let tab = signed_in(&here).await;
        let mut mine = tab.ask(|s: Handle| async move { s }).await.ok();
        mine.add_points(1);
        mine.save().await.unwrap();
        let nothing = timeout(INTERVAL * 2, mine.changed_elsewhere()).await;
        assert!(nothing.is_err(), "{}: one's own", under.name);
        for layer in [&here, &there] {
            tab.by(layer).ask(|mut s: Handle| async move { s.add_points(10) }).await.ok();
            let told = timeout(Duration::from_secs(10), mine.changed_elsewhere()).await;
            told.expect("it is told").unwrap();
            mine.reload().await.unwrap();
        }
        assert_eq!(mine.points(), 21, "{}", under.name);
        tab.ask(|mut s: Handle| async move { s.destroy() }).await.ok();
        let told = timeout(Duration::from_secs(10), mine.changed_elsewhere()).await;
        assert!(matches!(told.unwrap(), Err(SessionError::Gone)), "{}", under.name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_ends_nothing_and_is_asked_again() {
    let under = memory();
    let faults = FaultStore::new(under.store.clone());
    let layer = SessionLayer::new(faults.clone()).watch_interval(INTERVAL);
    let tab = signed_in(&layer).await;
    let open = socket(&tab).await;
    faults.times(20, Operation::Load, Fault::Fails(StoreErrorKind::Unavailable));
    tokio::time::sleep(INTERVAL * 30).await;
    assert_eq!(faults.remaining(), 0);
    assert!(!open.is_finished());
    let there = SessionLayer::new(under.store.clone());
    there.manager_for::<Visitor>().unwrap().revoke_all(&7).await.unwrap();
    assert_eq!(open.await.unwrap(), EndReason::OtherDevice);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_socket_asks_once_an_interval_and_nothing_once_it_is_dropped() {
    let under = memory();
    let spy = Spy::on(under.store.clone());
    let layer = SessionLayer::new(spy.clone()).watch_interval(INTERVAL);
    let open = socket(&signed_in(&layer).await).await;
    spy.calls();
    tokio::time::sleep(INTERVAL * 10).await;
    assert_eq!(spy.calls().len(), 10);
    open.abort();
    tokio::time::sleep(INTERVAL * 10).await;
    assert_eq!(spy.calls().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_is_woken_all_the_time_asks_ten_times_a_second() {
    let under = memory();
    let spy = Spy::on(under.store.clone());
    let layer = SessionLayer::new(spy.clone()).watch_interval(60 * MINUTE);
    let mut tab = signed_in(&layer).await;
    let open = socket(&tab).await;
    spy.calls();
    for _ in 0..200 {
        tab.run(|mut s: Handle| async move { s.add_points(1) }).await.ok();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Each request loads and changes.
    let asked = spy.calls().len() - 2 * 200;
    assert!((19..=21).contains(&asked), "{asked}");
    tab.run(|mut s: Handle| async move { s.destroy() }).await.ok();
    assert_eq!(told(open).await, EndReason::SignedOut);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_asked_no_more_often_when_the_session_is_due() {
    let under = memory();
    let spy = Spy::on(under.store.clone());
    let layer = SessionLayer::new(spy.clone()).watch_interval(INTERVAL);
    let open = socket(&signed_in(&layer).await).await;
    spy.down(true);
    under.clock.advance(30 * MINUTE);
    spy.calls();
    tokio::time::sleep(INTERVAL * 10).await;
    assert_eq!(spy.calls().len(), 10);
    spy.down(false);
    assert_eq!(told(open).await, EndReason::Idle);
}

#[tokio::test(start_paused = true)]
async fn behind_a_cache_a_waiting_socket_costs_the_store_nothing() {
    let under = memory();
    let spy = Spy::on(under.store.clone());
    let cache = CachedStore::new(spy.clone()).stale_for(Duration::from_secs(3_600));
    let layer = SessionLayer::new(cache).watch_interval(INTERVAL);
    let tab = signed_in(&layer).await;
    let open = socket(&tab).await;
    tokio::time::sleep(INTERVAL).await;
    spy.calls();
    tokio::time::sleep(INTERVAL * 100).await;
    assert_eq!(spy.calls().len(), 0);
    tab.ask(|mut s: Handle| async move { s.destroy() }).await.ok();
    assert_eq!(open.await.unwrap(), EndReason::SignedOut);
}

#[tokio::test]
async fn what_is_not_stored_has_nothing_to_wait_for() {
    let under = memory();
    let tab = Tab::new(&layer(&under));
    let fresh = tab.ask(|s: Handle| async move {
        (s.ended().await, matches!(s.changed_elsewhere().await, Err(SessionError::Gone)))
    });
    assert_eq!(fresh.await.ok(), (EndReason::Unknown, true));
    let short = layer(&under).watch_interval(Duration::from_millis(99));
    assert_eq!(short.check().unwrap_err().entry(), Some("watch_interval"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_sockets_of_a_user_end_at_once() {
    let under = memory();
    let hour = Duration::from_secs(3_600);
    let layer = Arc::new(layer(&under).watch_interval(hour));
    let tab = signed_in(&layer).await;
    let mut sockets = Vec::new();
    for _ in 0..1_000 {
        let handle = tab.ask(|s: Handle| async move { s }).await.ok();
        sockets.push(tokio::spawn(async move { handle.ended().await }));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    layer.manager().revoke_all(&7_u64).await.unwrap();
    for socket in sockets {
        assert_eq!(told(socket).await, EndReason::OtherDevice);
    }
}
