//! Memory in front of a store: what may be shown from it, and what may not.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::routing::get;
use http::Method;
use session_runtime::clock::Clock;
use session_runtime::patch::{FieldOp, Lifetime, Op, Patch, SignIn};
use session_runtime::record::{Fields, Meta, Principal, Record};
use session_runtime::store::{
    CachedStore, ChangeFeed, Lookup, MemoryStore, Revoke, SessionStore, Touch, Visit,
};
use session_runtime::testing::{Fault, FaultStore, Gate, Operation, SpyStore};
use session_runtime::token::SessionToken;
use session_runtime::{AtLimit, Authenticated, Session, SessionError, SessionLayer};
use session_runtime::{SessionManager, SessionRejection};
use session_tests::Client;
use session_tests::cache::Fed;
use session_tests::stores::clock;

use crate::visitor::{Visitor, app_in, show};

type Spied = SpyStore<MemoryStore>;

const SECOND: Duration = Duration::from_secs(1);

/// Two processes in front of one store: this one caches, and what it asks is
/// told; the other one is where things happen.
struct Nodes {
    clock: Clock,
    cache: CachedStore<Spied>,
    here: Client,
    there: Client,
}

impl Nodes {
    fn new(routes: fn(Router) -> Router, layer: fn(SessionLayer) -> SessionLayer) -> Self {
        let clock = clock();
        let memory = MemoryStore::with_clock(clock.clone());
        let cache = CachedStore::new(SpyStore::new(memory.clone()));
        let meet = || Arc::new(tokio::sync::Barrier::new(1));
        let app = |store: SessionLayer| app_in(layer(store), meet());
        let own = routes(Router::new()).layer(layer(SessionLayer::new(cache.clone())));
        let here = Client::new(&app(SessionLayer::new(cache.clone())).merge(own));
        let there = Client::new(&app(SessionLayer::new(memory)));
        Self { clock, cache, here, there }
    }

    /// Somebody is signed in and the cache has seen it.
    async fn signed_in(&mut self) {
        self.there.post("/sign-in").await;
        self.there.post("/push").await;
        self.here.cookies = self.there.cookies.clone();
        assert_eq!(self.here.get("/read").await.body, HERE);
        self.asked();
    }

    fn asked(&self) -> Vec<Operation> {
        self.cache.inner().take_calls().iter().map(|call| call.operation()).collect()
    }
}

const HERE: &str = "42 en 0 [\"pen\"]";
const NOBODY: &str = "nobody en 0 []";

fn plain() -> Nodes {
    Nodes::new(|routes| routes, |layer| layer)
}

#[tokio::test]
async fn who_only_looks_costs_no_round_trip_within_the_bound() {
    let mut nodes = plain();
    nodes.signed_in().await;
    for _ in 0..3 {
        assert_eq!(nodes.here.get("/read").await.body, HERE);
        nodes.here.send(Method::HEAD, "/read").await;
    }
    assert_eq!(nodes.asked(), []);
    nodes.clock.advance(SECOND - Duration::from_millis(1));
    nodes.here.get("/read").await;
    assert_eq!(nodes.asked(), []);
    nodes.clock.advance(Duration::from_millis(1));
    nodes.here.get("/read").await;
    assert_eq!(nodes.asked(), [Operation::Load]);
    assert_eq!((nodes.cache.stats().hits, nodes.cache.stats().held), (7, 1));
}

#[tokio::test]
async fn a_change_costs_one_round_trip_and_is_seen_at_once_by_its_own_process() {
    let mut nodes = plain();
    nodes.signed_in().await;
    nodes.here.get("/visit").await;
    assert_eq!(nodes.asked(), [Operation::Apply]);
    assert_eq!(nodes.here.get("/read").await.body, "42 en 1 [\"pen\"]");
    nodes.here.post("/logout").await;
    nodes.here.cookies = nodes.there.cookies.clone();
    assert_eq!(nodes.here.get("/read").await.body, NOBODY);
}

#[tokio::test]
async fn what_another_process_does_is_seen_after_the_bound() {
    let mut nodes = plain();
    nodes.signed_in().await;
    let cookies = nodes.here.cookies.clone();
    nodes.there.post("/locale").await;
    assert_eq!(nodes.here.get("/read").await.body, HERE);
    nodes.clock.advance(SECOND);
    assert_eq!(nodes.here.get("/read").await.body, "42 de 0 [\"pen\"]");
    nodes.there.post("/logout").await;
    assert_eq!(nodes.here.get("/read").await.body, "42 de 0 [\"pen\"]");
    nodes.clock.advance(SECOND);
    assert_eq!(nodes.here.get("/read").await.body, NOBODY);
    assert_eq!(nodes.here.cookies, cookies, "whoever destroys it removes the cookie");
}

#[tokio::test]
async fn nobody_is_let_in_after_a_logout_elsewhere() {
    let mut nodes = plain();
    nodes.signed_in().await;
    nodes.there.post("/logout").await;
    assert_eq!(nodes.here.get("/account").await.status, 401);
    assert_eq!(nodes.here.get("/read").await.body, NOBODY, "what was found out is remembered");
    let mut nodes = plain();
    nodes.signed_in().await;
    nodes.there.post("/logout").await;
    let reply = nodes.here.post("/push").await;
    assert_eq!(reply.set_cookie(), None);
    assert_eq!(nodes.asked(), [Operation::Load], "nothing was written");
}

#[tokio::test]
async fn a_session_that_is_over_is_not_written_by_whoever_saw_it_in_the_cache() {
    let mut nodes = plain();
    nodes.signed_in().await;
    nodes.there.post("/logout").await;
    let reply = nodes.here.get("/visit").await;
    assert_eq!((reply.status.as_u16(), reply.set_cookie()), (200, None));
    assert_eq!(nodes.asked(), [Operation::Apply], "it was shown, and refused by the store");
    assert_eq!(nodes.cache.count().await.unwrap(), 0);

    // The same after a change of privilege: the epoch is another one.
    let mut nodes = plain();
    nodes.signed_in().await;
    nodes.there.post("/role").await;
    nodes.here.get("/visit").await;
    assert_eq!(nodes.there.get("/read").await.body, HERE);
}

/// Middleware that looks, before the handler that asks who is there.
fn guarded(routes: Router) -> Router {
    struct Seen(String);

    impl<State: Send + Sync> FromRequestParts<State> for Seen {
        type Rejection = SessionRejection;

        async fn from_request_parts(
            parts: &mut Parts,
            _: &State,
        ) -> Result<Self, SessionRejection> {
            let session =
                session_runtime::session_of::<Visitor>(&parts.extensions, &parts.headers).await?;
            Ok(Self(show(&session)))
        }
    }

    let both = |Seen(seen): Seen, who: Option<Who>, again: Session<Visitor>| async move {
        let who = who.map_or("nobody".to_owned(), |Who(id)| id.to_string());
        format!("{seen}|{who}|{}", show(&again))
    };
    let others = |session: Session<Visitor>, all: SessionManager| async move {
        match all.revoke_others(&session).await {
            Ok(ended) => ended.to_string(),
            Err(SessionError::Gone) => "gone".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    routes.route("/both", get(both)).route("/others", get(others))
}

struct Who(u64);

impl<State: Send + Sync> axum::extract::OptionalFromRequestParts<State> for Who {
    type Rejection = SessionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &State,
    ) -> Result<Option<Self>, SessionRejection> {
        let who = Authenticated::<Visitor>::of(&parts.extensions, &parts.headers).await;
        Ok(who.ok().map(|who| Self(*who.principal())))
    }
}

#[tokio::test]
async fn who_must_know_asks_the_store_and_the_rest_of_the_request_knows_too() {
    let mut nodes = Nodes::new(guarded, |layer| layer);
    nodes.signed_in().await;
    nodes.there.post("/locale").await;
    let reply = nodes.here.get("/both").await;
    assert_eq!(reply.body, "42 en 0 [\"pen\"]|42|42 de 0 [\"pen\"]");
    assert_eq!(nodes.asked(), [Operation::Load], "once, and only by whoever must know");
    nodes.there.post("/logout").await;
    let reply = nodes.here.get("/both").await;
    assert_eq!(reply.body, "42 de 0 [\"pen\"]|nobody|nobody en 0 []");
    assert_eq!((nodes.asked(), reply.set_cookie()), (vec![Operation::Load], None));
    // What has just been read from the store is not asked for again.
    nodes.there.post("/sign-in").await;
    nodes.here.cookies = nodes.there.cookies.clone();
    nodes.here.get("/both").await;
    assert_eq!(nodes.asked(), [Operation::Load]);
}

#[tokio::test]
async fn other_devices_are_signed_out_only_by_a_session_that_is_there() {
    let mut nodes = Nodes::new(guarded, |layer| layer);
    nodes.signed_in().await;
    let mut phone = Client::new(&app_in(
        SessionLayer::new(nodes.cache.clone()),
        Arc::new(tokio::sync::Barrier::new(1)),
    ));
    phone.post("/sign-in").await;
    nodes.there.post("/logout").await;
    assert_eq!(nodes.here.get("/others").await.body, "gone");
    assert_eq!(phone.get("/account").await.status, 200);
}

#[tokio::test]
async fn activity_is_written_as_without_a_cache_and_nothing_outlives_its_time() {
    let mut nodes = Nodes::new(
        |routes| routes,
        |layer| {
            layer
                .idle_timeout(Some(Duration::from_secs(100)))
                .absolute_timeout(Some(Duration::from_secs(1_000)))
        },
    );
    nodes.cache = nodes.cache.clone().stale_for(Duration::from_secs(3_600));
    let layer = SessionLayer::new(nodes.cache.clone());
    let app = app_in(layer, Arc::new(tokio::sync::Barrier::new(1)));
    nodes.here = Client::new(&app);
    nodes.signed_in().await;
    for second in 1..=999u32 {
        nodes.clock.advance(SECOND);
        assert_eq!(nodes.here.get("/read").await.body, HERE, "after {second} seconds");
    }
    // Every tenth of the idle timeout, and not once more.
    assert_eq!(nodes.asked().len(), 99);
    nodes.clock.advance(SECOND);
    assert_eq!(nodes.here.get("/read").await.body, NOBODY, "the absolute timeout");
}

#[tokio::test]
async fn a_token_that_is_renewed_by_age_goes_on_working() {
    let renewing = |layer: SessionLayer| layer.renew_after(Some(Duration::from_secs(60)));
    let mut nodes = Nodes::new(|routes| routes, renewing);
    nodes.signed_in().await;
    let old = nodes.here.tab();
    nodes.clock.advance(Duration::from_secs(60));
    let reply = nodes.here.get("/read").await;
    assert!(reply.set_cookie().is_some());
    assert_eq!(nodes.here.get("/read").await.body, HERE);
    assert_eq!(old.ask(Method::GET, "/read").await.body, HERE, "within the grace");
    nodes.clock.advance(Duration::from_secs(60));
    assert_eq!(old.ask(Method::GET, "/read").await.body, NOBODY, "a replay");
    assert_eq!(nodes.here.get("/read").await.body, HERE);
}

#[tokio::test]
async fn a_sign_in_that_makes_room_is_seen_by_the_device_that_made_it() {
    let one = |layer: SessionLayer| layer.max_sessions(1, AtLimit::EvictOldest);
    let mut nodes = Nodes::new(|routes| routes, one);
    nodes.signed_in().await;
    let mut phone = nodes.here.clone();
    phone.cookies.clear();
    phone.post("/sign-in").await;
    assert_eq!(nodes.here.get("/read").await.body, NOBODY);
    // And one that began without anybody, on a session that was there.
    let mut tablet = nodes.here.clone();
    tablet.cookies.clear();
    tablet.post("/locale").await;
    assert_eq!(phone.get("/read").await.body, "42 en 0 []");
    tablet.post("/sign-in").await;
    assert_eq!(phone.get("/read").await.body, NOBODY);
}

fn record(clock: &Clock, principal: &str) -> Record {
    let token = SessionToken::generate().unwrap();
    let lifetime =
        Lifetime { idle: Some(Duration::from_secs(1_800)), absolute: None, remember: false };
    let mut meta = Meta::new(token.secret_hash(), clock.now(), lifetime);
    meta.principal = Some(Principal::new("", principal));
    Record { id: token.id(), meta, fields: Fields::new() }
}

async fn stored(store: &impl SessionStore, principal: &str) -> Record {
    let record = record(store.clock(), principal);
    store.create(record.clone(), SignIn::default()).await.unwrap();
    record
}

/// What a request that only looks is shown, and whether by the cache.
async fn look(store: &impl SessionStore, record: &Record) -> (Option<u64>, bool) {
    let visit = Visit { stale_ok: true, ..Touch::IfDue.into() };
    match store.load(record.id, &record.meta.secret, visit).await.unwrap() {
        Lookup::Found(record) => (Some(record.meta.rev), false),
        Lookup::Cached(record) => (Some(record.meta.rev), true),
        _ => (None, false),
    }
}

async fn change(store: &impl SessionStore, record: &Record) {
    let patch = Patch::of(vec![FieldOp::new("n", Op::Set(b"1".into()))]);
    store.apply(record.id, record.meta.epoch, &patch).await.unwrap();
}

#[tokio::test]
async fn a_wrong_secret_is_never_answered_from_memory_and_empties_nothing() {
    let spy = SpyStore::default();
    let cache = CachedStore::new(spy.clone());
    let record = stored(&cache, "7").await;
    look(&cache, &record).await;
    let mut guess = record.clone();
    guess.meta.secret = SessionToken::generate().unwrap().secret_hash();
    spy.take_calls();
    assert_eq!(look(&cache, &guess).await, (None, false));
    assert_eq!(spy.operations(), [Operation::Load]);
    assert_eq!(look(&cache, &record).await, (Some(1), true));
}

#[tokio::test]
async fn who_is_asked_for_stays_and_no_more_are_held_than_there_is_room_for() {
    let spy = SpyStore::default();
    let cache = CachedStore::new(spy.clone()).capacity(3);
    let regular = stored(&cache, "1").await;
    look(&cache, &regular).await;
    for _ in 0..100 {
        assert_eq!(look(&cache, &regular).await, (Some(1), true), "it is asked for");
        let passing = stored(&cache, "2").await;
        assert_eq!(look(&cache, &passing).await, (Some(1), false));
        assert!(cache.stats().held <= 3);
    }
    let none = CachedStore::new(spy).capacity(0);
    look(&none, &regular).await;
    assert_eq!(look(&none, &regular).await, (Some(1), false));
}

#[tokio::test]
async fn a_revocation_here_is_seen_here() {
    let cache = CachedStore::new(MemoryStore::with_clock(clock()));
    let (mine, other) = (stored(&cache, "7").await, stored(&cache, "7").await);
    let theirs = stored(&cache, "8").await;
    for record in [&mine, &other, &theirs] {
        look(&cache, record).await;
    }
    let seven = Principal::new("", "7");
    assert_eq!(cache.revoke(&seven, Revoke::Others(mine.id)).await.unwrap(), 1);
    assert_eq!(look(&cache, &other).await.0, None);
    assert_eq!(look(&cache, &mine).await.0, Some(1));
    look(&cache, &mine).await;
    assert_eq!(cache.revoke(&seven, Revoke::One(mine.id)).await.unwrap(), 1);
    assert_eq!(look(&cache, &mine).await.0, None);
    assert_eq!(look(&cache, &theirs).await, (Some(1), true));
}

/// A load whose answer is on its way while the session changes.
#[tokio::test]
async fn an_answer_that_was_overtaken_by_a_write_is_not_kept() {
    let faults = FaultStore::default();
    let cache = CachedStore::new(faults.clone());
    let record = stored(&cache, "7").await;
    for write in [false, true] {
        let gate = Gate::new();
        faults.next(Operation::Load, Fault::AnsweredLate(gate.clone()));
        let (late, of) = (cache.clone(), record.clone());
        let loading = tokio::spawn(async move {
            late.load(of.id, &of.meta.secret, Touch::IfDue.into()).await.map(drop)
        });
        gate.reached().await;
        match write {
            true => change(&cache, &record).await,
            // Read again and found unchanged: that is newer, and kept.
            false => assert!(cache.reload(record.id, 1).await.unwrap().is_some()),
        }
        gate.open();
        loading.await.unwrap().unwrap();
        let kept = (Some(1), true);
        let expected = if write { (Some(2), false) } else { kept };
        assert_eq!(look(&cache, &record).await, expected);
    }
}

/// A write that is under way, or whose caller has given up.
#[tokio::test]
async fn nothing_is_kept_while_a_write_is_under_way() {
    let faults = FaultStore::default();
    let cache = CachedStore::new(faults.clone());
    let record = stored(&cache, "7").await;
    look(&cache, &record).await;
    let gate = Gate::new();
    faults.next(Operation::Apply, Fault::AskedLate(gate.clone()));
    let (writer, of) = (cache.clone(), record.clone());
    let writing = tokio::spawn(async move { change(&writer, &of).await });
    gate.reached().await;
    assert_eq!(look(&cache, &record).await, (Some(1), false));
    assert_eq!(look(&cache, &record).await, (Some(1), false));
    gate.open();
    writing.await.unwrap();
    assert_eq!(look(&cache, &record).await, (Some(2), false));
    assert_eq!(look(&cache, &record).await, (Some(2), true));

    faults.next(Operation::Apply, Fault::NeverAnswers);
    let (writer, of) = (cache.clone(), record.clone());
    let writing = tokio::spawn(async move { change(&writer, &of).await });
    while look(&cache, &record).await.1 {
        tokio::task::yield_now().await;
    }
    writing.abort();
    assert!(writing.await.unwrap_err().is_cancelled());
    assert_eq!(look(&cache, &record).await, (Some(3), false));
    assert_eq!(look(&cache, &record).await, (Some(3), true), "the abandoned one is over");
}

mod with_a_feed {
    use super::*;

    type Below = Fed<FaultStore>;

    /// A cache whose feed is alive for two seconds.
    async fn following() -> (CachedStore<Below>, Below, Record) {
        let below = Fed::new(FaultStore::default());
        let cache = CachedStore::coherent(below.clone());
        let record = stored(&cache, "7").await;
        assert_eq!(look(&cache, &record).await, (Some(1), false));
        beat(&below);
        (cache, below, record)
    }

    fn beat(below: &Below) {
        let sink = below.sink();
        sink.alive_until(sink.now().unwrap().after(2 * SECOND));
    }

    #[tokio::test]
    async fn an_entry_lives_until_the_feed_says_otherwise() {
        let (cache, below, record) = following().await;
        assert_eq!(look(&cache, &record).await, (Some(1), false), "read before it was alive");
        for _ in 0..60 {
            assert_eq!(look(&cache, &record).await, (Some(1), true));
            below.clock().advance(SECOND);
            beat(&below);
        }
        change(&below, &record).await;
        assert_eq!(look(&cache, &record).await, (Some(1), true), "not told yet");
        below.sink().changed(record.id);
        assert_eq!(look(&cache, &record).await, (Some(2), false));
        assert_eq!(look(&cache, &record).await, (Some(2), true));
        below.delete(record.id).await.unwrap();
        below.sink().everything();
        assert_eq!(look(&cache, &record).await, (None, false));
    }

    #[tokio::test]
    async fn an_answer_that_was_overtaken_by_its_own_invalidation_is_not_kept() {
        let (cache, below, record) = following().await;
        let tellings: [fn(&Below, &Record); 3] = [
            |below, record| below.sink().changed(record.id),
            |below, _| below.sink().everything(),
            |below, _| {
                below.sink().lost();
                beat(below);
            },
        ];
        for (round, tell) in tellings.into_iter().enumerate() {
            let rev = round as u64 + 1;
            below.sink().changed(record.id);
            let gate = Gate::new();
            below.0.next(Operation::Load, Fault::AnsweredLate(gate.clone()));
            let (late, of) = (cache.clone(), record.clone());
            let loading = tokio::spawn(async move { look(&late, &of).await });
            gate.reached().await;
            change(&below, &record).await;
            tell(&below, &record);
            gate.open();
            assert_eq!(loading.await.unwrap(), (Some(rev), false));
            assert_eq!(look(&cache, &record).await, (Some(rev + 1), false), "round {round}");
        }
    }

    #[tokio::test]
    async fn a_feed_that_is_silent_is_out_of_use_after_its_bound_and_may_come_back() {
        let (cache, below, record) = following().await;
        look(&cache, &record).await;
        below.clock().advance(2 * SECOND - Duration::from_millis(1));
        assert_eq!(look(&cache, &record).await, (Some(1), true));
        below.clock().advance(Duration::from_millis(1));
        assert!(!cache.stats().usable);
        assert_eq!(look(&cache, &record).await, (Some(1), false));
        assert_eq!(look(&cache, &record).await, (Some(1), false), "nothing is kept");
        // It was slow, and has missed nothing.
        beat(&below);
        assert_eq!(look(&cache, &record).await, (Some(1), true));
    }

    #[tokio::test]
    async fn a_feed_that_is_lost_empties_the_cache_and_works_again_once_it_is_back() {
        let (cache, below, record) = following().await;
        look(&cache, &record).await;
        below.sink().lost();
        assert_eq!((cache.stats().held, cache.stats().usable), (0, false));
        assert_eq!(look(&cache, &record).await, (Some(1), false));
        assert_eq!(look(&cache, &record).await, (Some(1), false));
        below.sink().everything();
        beat(&below);
        assert_eq!(look(&cache, &record).await, (Some(1), false));
        assert_eq!(look(&cache, &record).await, (Some(1), true));
    }

    #[tokio::test]
    async fn the_feed_ends_with_the_last_clone_of_the_cache() {
        let (cache, below, _) = following().await;
        let clone = cache.clone();
        drop(cache);
        assert!(below.sink().now().is_some());
        drop(clone);
        assert!(below.sink().now().is_none());
        // Nobody listens; nothing happens.
        below.sink().everything();
    }

    #[tokio::test]
    async fn a_bound_of_its_own_holds_beside_the_feed() {
        let below = Fed::new(FaultStore::default());
        let cache = CachedStore::coherent(below.clone()).stale_for(SECOND);
        let record = stored(&cache, "7").await;
        look(&cache, &record).await;
        beat(&below);
        look(&cache, &record).await;
        assert_eq!(look(&cache, &record).await, (Some(1), true));
        below.clock().advance(SECOND);
        assert_eq!(look(&cache, &record).await, (Some(1), false));
    }

    /// Compiles: a feed is what makes a cache coherent.
    #[allow(dead_code)]
    fn needs_a_feed<S: ChangeFeed>(store: S) -> CachedStore<S> {
        CachedStore::coherent(store)
    }
}
