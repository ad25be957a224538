//! Two nodes in front of one server, of which one caches.

use session_runtime::Realm;
use std::time::{Duration, Instant};

use session_runtime::__private::patch::{FieldOp, Lifetime, Op, Outcome, Patch, SignIn};
use session_runtime::__private::record::{Fields, Meta, Record};
use session_runtime::__private::token::{SecretHash, SessionToken};
use session_runtime::SessionId;
use session_runtime::store::{
    CachedStore, RedisStore, SessionStore,
    contract::{Lookup, Touch, Visit},
};
use session_tests::servers::redis::{self, Server};

pub(super) struct Nodes {
    pub(super) here: CachedStore<RedisStore>,
    pub(super) there: RedisStore,
}

impl Nodes {
    /// The cache reaches the server by the first URL, the other node by the
    /// second.
    pub(super) async fn at(here: &str, there: &str) -> Self {
        Self::with(here, there, Duration::from_secs(2)).await
    }

    pub(super) async fn with(here: &str, there: &str, silence: Duration) -> Self {
        let prefix = redis::fresh_prefix();
        let options = RedisStore::options().prefix(prefix);
        let there = options.clone().connect(there).await.unwrap();
        let below = options.silence(silence).connect(here).await.unwrap();
        let here = CachedStore::coherent(below);
        usable(&here).await;
        Self { here, there }
    }

    /// A session that both know, and of which the cache holds the answer.
    pub(super) async fn session(&self) -> Record {
        let record = created(&self.there).await;
        self.settled().await;
        self.held(&record).await;
        record
    }

    /// Waits until what one server has told so far has come: it tells in order.
    pub(super) async fn settled(&self) {
        let other = created(&self.there).await;
        self.held(&other).await;
        let rev = change(&self.there, &other).await;
        eventually("it has told", async || look(&self.here, &other).await.0 == Some(rev)).await;
    }

    /// Looks until the answer comes out of memory.
    pub(super) async fn held(&self, record: &Record) {
        eventually("the answer is held", async || look(&self.here, record).await.1).await;
    }
}

/// Ends the connections on which a server reports changes, and returns how many there were.
pub(super) fn kill_feeds(server: &Server) -> usize {
    let clients = server.ask(&["CLIENT", "LIST"]);
    let listening = clients.lines().filter(|line| line.contains(" resp=3"));
    let ids = listening.filter_map(|line| line.split_whitespace().next()?.strip_prefix("id="));
    ids.inspect(|id| drop(server.ask(&["CLIENT", "KILL", "ID", id]))).count()
}

pub(super) async fn usable(cache: &CachedStore<RedisStore>) {
    let (nobody, nothing) = (SessionId::from_bytes([0; 16]), SecretHash::from_bytes([0; 32]));
    eventually("the feed is alive", async || {
        let _ = cache.load(nobody, &[nothing], Touch::Never.into()).await;
        cache.stats().usable
    })
    .await;
}

/// Asks again until it is so, and says how long that took.
#[allow(clippy::disallowed_methods)] // how long the test itself waits
pub(super) async fn eventually(what: &str, mut so: impl AsyncFnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !so().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
        tokio::task::yield_now().await;
    }
    begun.elapsed()
}

pub(super) async fn created(store: &impl SessionStore) -> Record {
    let token = SessionToken::generate().unwrap();
    let lifetime =
        Lifetime { idle: Some(Duration::from_secs(1_800)), absolute: None, remember: false };
    let meta = Meta::new(token.secret_hash(&Realm::default()), store.clock().now(), lifetime);
    let record = Record::new(token.id(), meta, Fields::new());
    store.create(record.clone().into(), SignIn::default()).await.unwrap();
    record
}

/// What a request that only looks is shown, and whether out of memory.
pub(super) async fn look(store: &impl SessionStore, record: &Record) -> (Option<u64>, bool) {
    let visit = Visit { stale_ok: true, ..Touch::IfDue.into() };
    match store.load(record.id, &[record.meta.secret], visit).await.unwrap() {
        Lookup::Found(record) => (Some(record.meta.rev), false),
        Lookup::Cached(record) => (Some(record.meta.rev), true),
        _ => (None, false),
    }
}

/// The revision after it.
pub(super) async fn change(store: &impl SessionStore, record: &Record) -> u64 {
    let patch = Patch::of(vec![FieldOp::new("n", Op::set("1"))]);
    match store.apply(record.id, record.meta.epoch, &patch, None).await.unwrap() {
        Outcome::Applied(applied) => applied.rev,
        other => panic!("{other:?}"),
    }
}
