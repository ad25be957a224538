//! Calls that wait for one row, in a known order: what the second one does has
//! to fit what the first one left, not what it saw before it waited.

mod hands;
mod touches;

use session_runtime::Realm;
use std::future::Future;
use std::time::Duration;

use session_runtime::__private::patch::{Lifetime, Outcome, Patch, SignIn};
use session_runtime::__private::record::{Fields, Meta, Record};
use session_runtime::__private::token::{SecretHash, SessionToken};
use session_runtime::SessionId;
use session_runtime::clock::Clock;
use session_runtime::store::{
    SessionStore,
    contract::{Created, Lookup, Touch},
};

pub(crate) use hands::*;
pub(crate) use touches::*;

/// A place for sessions on a server whose rows can be held.
pub(crate) trait Rows {
    type Store: SessionStore + Clone;
    type Holder;

    /// Another store of the same sessions.
    async fn open(&self, clock: Clock) -> Self::Store;

    /// Holds a session, or all of them, until what it returns is let go.
    async fn hold(&self, only: Option<SessionId>) -> Self::Holder;

    async fn let_go(&self, holder: Self::Holder);

    /// Until so many statements wait for a lock.
    async fn until_waiting(&self, statements: i64);
}

/// Somebody holds all sessions; `first` comes and waits, and `second` after it.
/// Then they may go on.
async fn in_turn<A, B>(
    rows: &impl Rows,
    first: impl Future<Output = A> + Send + 'static,
    second: impl Future<Output = B> + Send + 'static,
) -> (A, B)
where
    A: Send + 'static,
    B: Send + 'static,
{
    let holder = rows.hold(None).await;
    let first = tokio::spawn(first);
    rows.until_waiting(1).await;
    let second = tokio::spawn(second);
    rows.until_waiting(2).await;
    rows.let_go(holder).await;
    (first.await.unwrap(), second.await.unwrap())
}

const IDLE: Duration = Duration::from_secs(30 * 60);

fn idle(idle: Duration) -> Lifetime {
    Lifetime { idle: Some(idle), absolute: None, remember: false }
}

/// A stored session whose activity is due to be written, and what opens it.
async fn visited(store: &impl SessionStore) -> (SessionId, SecretHash) {
    let token = SessionToken::generate().unwrap();
    let meta = Meta::new(token.secret_hash(&Realm::default()), store.clock().now(), idle(IDLE));
    let record = Record::new(token.id(), meta, Fields::new());
    let created = store.create(record.into(), SignIn::default()).await.unwrap();
    assert_eq!(created, Created::ALONE);
    store.clock().advance(IDLE / 2);
    (token.id(), token.secret_hash(&Realm::default()))
}

/// A change of privilege, and what opens the session after it.
fn renewal(id: SessionId) -> (Patch, SecretHash) {
    let secret = SessionToken::renew(id).unwrap().secret_hash(&Realm::default());
    let mut patch = Patch::new();
    patch.meta.renew = Some(secret);
    (patch, secret)
}

async fn load(store: impl SessionStore, id: SessionId, secret: SecretHash) -> Lookup {
    store.load(id, &[secret], Touch::IfDue.into()).await.unwrap()
}

async fn look(store: &impl SessionStore, id: SessionId, secret: &SecretHash) -> Lookup {
    store.load(id, &[*secret], Touch::Never.into()).await.unwrap()
}

async fn apply(store: impl SessionStore, id: SessionId, patch: Patch) {
    let outcome = store.apply(id, 1, &patch, None).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
}
