//! Memory in front of a store: what may be shown from it, and what may not.
//!
//! - this file: the processes and records that the others use
//! - [`bound`]: what a request costs, and how old its answer may be
//! - [`certain`]: who must know asks the store
//! - [`entries`]: what is remembered, and who makes room
//! - [`answers`]: answers on their way while something happens
//! - [`feed`]: a store that says what changes

mod answers;
mod bound;
mod certain;
mod entries;
mod feed;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use session_runtime::__private::patch::{FieldOp, Lifetime, Op, Patch, SignIn};
use session_runtime::__private::record::{Fields, Meta, Principal, Record};
use session_runtime::__private::token::SessionToken;
use session_runtime::Realm;
use session_runtime::SessionLayer;
use session_runtime::clock::Clock;
use session_runtime::store::{
    CachedStore, MemoryStore, SessionStore,
    contract::{Lookup, Touch, Visit},
};
use session_runtime::testing::{Operation, SpyStore};
use session_tests::Client;
use session_tests::stores::clock;

use crate::visitor::app_in;

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

fn record(clock: &Clock, principal: &str) -> Record {
    let token = SessionToken::generate().unwrap();
    let lifetime =
        Lifetime { idle: Some(Duration::from_secs(1_800)), absolute: None, remember: false };
    let mut meta = Meta::new(token.secret_hash(&Realm::default()), clock.now(), lifetime);
    meta.principal = Some(Principal::new("", principal));
    Record::new(token.id(), meta, Fields::new())
}

async fn stored(store: &impl SessionStore, principal: &str) -> Record {
    let record = record(store.clock(), principal);
    store.create(record.clone().into(), SignIn::default()).await.unwrap();
    record
}

/// What a request that only looks is shown, and whether by the cache.
async fn look(store: &impl SessionStore, record: &Record) -> (Option<u64>, bool) {
    let visit = Visit { stale_ok: true, ..Touch::IfDue.into() };
    match store.load(record.id, &[record.meta.secret], visit).await.unwrap() {
        Lookup::Found(record) => (Some(record.meta.rev), false),
        Lookup::Cached(record) => (Some(record.meta.rev), true),
        _ => (None, false),
    }
}

async fn change(store: &impl SessionStore, record: &Record) {
    let patch = Patch::of(vec![FieldOp::new("n", Op::set("1"))]);
    store.apply(record.id, record.meta.epoch, &patch, None).await.unwrap();
}
