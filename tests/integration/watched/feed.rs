//! Sockets on a store that says what changes elsewhere: they end when it says so, and the interval
//! bounds what it misses.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use session_runtime::store::contract::{Lookup, SecretHash, Touch, Visit};
use session_runtime::store::{AnyStore, MemoryStore, SessionStore, Watchers};
use session_runtime::testing::{FaultStore, SpyStore};
use session_runtime::{SessionId, forward_store};
use session_tests::cache::Fed;

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

/// Two nodes: this one has a coherent cache, whose feed the test speaks for; the other one is where
/// things happen.
struct Nodes {
    spy: Spy,
    below: Fed<Spy>,
    cache: CachedStore<Fed<Spy>>,
    here: SessionLayer,
    there: SessionLayer,
}

impl Nodes {
    fn new(interval: Duration) -> Self {
        let under = memory();
        let spy = Spy::on(under.store.clone());
        let below = Fed::new(spy.clone());
        let cache = CachedStore::coherent(below.clone());
        // Through the wrappers, which have to pass it on.
        let store = AnyStore::new(FaultStore::new(SpyStore::new(cache.clone())));
        let here = SessionLayer::new(store).watch_interval(interval);
        Self { spy, below, cache, here, there: layer(&under) }
    }

    /// A socket whose session the cache holds.
    async fn socket(&self) -> (Tab, SessionId, JoinHandle<EndReason>) {
        let tab = signed_in(&self.here).await;
        let handle = tab.ask(|s: Handle| async move { s }).await.ok();
        let id = *handle.id().unwrap();
        let sink = self.below.sink();
        sink.alive_until(sink.now().unwrap().after(HOUR));
        let open = tokio::spawn(async move { handle.ended().await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!open.is_finished() && self.cache.stats().entries > 0);
        self.spy.calls();
        (tab, id, open)
    }

    async fn revoke(&self) {
        self.there.manager_for::<Visitor>().unwrap().revoke_all(&7).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_of_the_feed_ends_the_socket_at_once() {
    let nodes = Nodes::new(HOUR);
    let (_, id, open) = nodes.socket().await;
    nodes.revoke().await;
    tokio::time::sleep(MINUTE).await;
    assert!(!open.is_finished(), "not told yet");
    let begun = Instant::now();
    nodes.below.sink().changed(id);
    assert_eq!(open.await.unwrap(), EndReason::OtherDevice);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_report_of_a_change_completes_changed_elsewhere_and_ends_no_socket() {
    let nodes = Nodes::new(HOUR);
    let (tab, id, open) = nodes.socket().await;
    let mut mine = tab.ask(|s: Handle| async move { s }).await.ok();
    for points in 1..=3 {
        tab.by(&nodes.there).ask(|mut s: Handle| async move { s.add_points(1) }).await.ok();
        let begun = Instant::now();
        {
            let told = mine.changed_elsewhere();
            let report = async {
                tokio::time::sleep(MINUTE).await;
                nodes.below.sink().changed(id);
            };
            tokio::join!(told, report).0.unwrap();
        }
        // The first look of `changed_elsewhere` may see it before it is reported.
        assert!(begun.elapsed() <= MINUTE);
        mine.reload().await.unwrap();
        assert_eq!(mine.points(), points);
    }
    assert!(!open.is_finished());
}

#[tokio::test(start_paused = true)]
async fn an_idle_socket_does_nothing_but_look_into_memory_at_the_interval() {
    let nodes = Nodes::new(MINUTE);
    let (_, _, open) = nodes.socket().await;
    // Its first look filled the cache.
    tokio::time::sleep(MINUTE).await;
    let looks = nodes.cache.stats().hits;
    for other in 0..100 {
        nodes.below.sink().changed(SessionId::from_bytes([other; 16]));
    }
    tokio::time::sleep(10 * MINUTE).await;
    assert_eq!(nodes.cache.stats().hits - looks, 10);
    assert_eq!(nodes.spy.calls().len(), 0);
    open.abort();
}

/// All of them at once would ask the store at once.
#[tokio::test(start_paused = true)]
async fn after_a_loss_each_socket_looks_at_its_own_time() {
    let nodes = Nodes::new(MINUTE);
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(nodes.socket().await.2);
        tokio::time::sleep(MINUTE / 30).await;
    }
    nodes.revoke().await;
    nodes.below.sink().everything();
    nodes.below.sink().lost();
    nodes.spy.calls();
    let (mut most, begun) = (0, Instant::now());
    while sockets.iter().any(|socket| !socket.is_finished()) {
        tokio::time::sleep(MINUTE / 30).await;
        most = most.max(nodes.spy.calls().len());
    }
    assert!(most <= 2 * 2, "{most} calls at a time");
    assert!(begun.elapsed() <= MINUTE + MINUTE / 30, "{:?}", begun.elapsed());
}

/// Looks for the session at the very moment it is woken.
struct Looks {
    cache: CachedStore<Fed<Spy>>,
    id: SessionId,
    secret: SecretHash,
    woken: AtomicUsize,
}

impl Looks {
    fn finds_it_cached(&self) -> bool {
        let visit = Visit { stale_ok: true, ..Touch::Never.into() };
        let secrets = [self.secret];
        let load = std::pin::pin!(self.cache.load(self.id, &secrets, visit));
        let answer = load.poll(&mut Context::from_waker(Waker::noop()));
        matches!(answer, Poll::Ready(Ok(Lookup::Cached(_))))
    }
}

impl Wake for Looks {
    fn wake(self: Arc<Self>) {
        assert!(!self.finds_it_cached(), "the cache knows no better");
        self.woken.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn the_entry_is_forgotten_before_the_socket_is_woken() {
    let nodes = Nodes::new(HOUR);
    let (tab, id, open) = nodes.socket().await;
    open.abort();
    let handle = tab.ask(|s: Handle| async move { s }).await.ok();
    let page = nodes.cache.scan(None, 10).await.unwrap();
    let secret = page.records.iter().find(|it| it.id == id).unwrap().meta.secret;
    let (cache, woken) = (nodes.cache.clone(), AtomicUsize::new(0));
    let looks = Arc::new(Looks { cache, id, secret, woken });
    let waker = Waker::from(Arc::clone(&looks));
    let mut ended = Box::pin(handle.ended());
    assert!(ended.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(looks.finds_it_cached());
    nodes.below.sink().changed(id);
    assert_eq!(looks.woken.load(Ordering::Relaxed), 1);
}

/// A store that learns of changes in some way of its own, without a cache.
struct Told(MemoryStore, Watchers);

#[deny(clippy::missing_trait_methods)]
impl SessionStore for Told {
    forward_store! { this => this.0;
        clock capabilities load reload create apply delete list revoke count sweep scan cache
    }

    fn watchers(&self) -> Watchers {
        self.1.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_of_ones_own_wakes_the_sockets_without_a_cache() {
    let (memory, watchers) = (MemoryStore::new(), Watchers::default());
    let here = SessionLayer::new(Told(memory.clone(), watchers.clone())).watch_interval(HOUR);
    let tab = signed_in(&here).await;
    let id = tab.ask(|s: Handle| async move { *s.id().unwrap() }).await.ok();
    let open = socket(&tab).await;
    let there = SessionLayer::new(memory).manager_for::<Visitor>().unwrap();
    there.revoke_all(&7).await.unwrap();
    let begun = Instant::now();
    watchers.changed(id);
    assert_eq!(open.await.unwrap(), EndReason::OtherDevice);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}
