//! One of our stores below a tower-sessions layer.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::their_core::session::{Id, Record as Theirs};
use super::their_core::session_store::{Error, ExpiredDeletion, Result};
use super::{their_core, times};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::patch::{Expect, FieldOp, Lifetime, Op, Outcome, Patch, SignIn};
use crate::record::{Fields, MAX_LIFETIME, Meta, Record};
use crate::store::{Created, EndReason, Lookup, SessionStore, StoreError, Touch};
use crate::token::SecretHash;

/// How many times a save is retried after a concurrent save. Each time another save has succeeded.
const ATTEMPTS: usize = 64;

/// How many expired records one step removes.
const STEP: usize = 1_000;

/// The epoch of every record here, as none is ever renewed.
const EPOCH: u64 = 1;

/// Uses any store of this crate as a store for
#[doc = concat!("`tower-sessions` ", version!(), ",")]
/// for its `SessionManagerLayer` and everything built on that.
///
/// ```
#[doc = concat!("use session_runtime::{store::MemoryStore, ", module!(), "::AsTowerSessions};")]
///
/// let store = AsTowerSessions::new(MemoryStore::new());
/// // SessionManagerLayer::new(store)
/// # let _ = store;
/// ```
///
/// Each key of a session is a field that holds the value's JSON, so that a save writes only the
/// keys that differ from what is stored, and nothing if none does. The guarantees remain those of
/// tower-sessions: of two concurrent requests the later save wins as a whole, because each passes
/// its whole record.
///
/// - **The id is the credential**, as in all tower-sessions stores. Here it is not stored: the
///   record's own id and its secret are two hashes of it. An id read from the store opens nothing.
/// - **A save of a session that does not exist creates it**, as in most of their stores, but not
///   within a minute after it was deleted (or while an expired record waits for removal): such a save
///   comes from a request that was in flight during a logout, and is dropped with `Ok`. Later it
///   creates a new session like any other.
/// - A session expires at most 400 days after its last save.
/// - A session has no principal and appears in no listing of one.
pub struct AsTowerSessions<S>(Arc<S>);

impl<S: SessionStore> AsTowerSessions<S> {
    /// Wraps `store`, which may also hold sessions of a [`SessionLayer`]: neither side sees the
    /// other's sessions.
    ///
    /// [`SessionLayer`]: crate::SessionLayer
    pub fn new(store: S) -> Self {
        Self(Arc::new(store))
    }

    /// Returns the store inside.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.0
    }

    fn now(&self) -> Timestamp {
        self.0.clock().now()
    }

    /// Creates a record; returns `false` if the id is taken.
    async fn insert(&self, theirs: &Theirs) -> Result<bool> {
        let (id, secret) = names(theirs.id);
        let now = self.now();
        let meta = Meta::new(secret, now, lifetime(theirs, now));
        let fields = encode(theirs)?.into_iter().collect();
        let created = self.0.create(Record::new(id, meta, fields).into(), SignIn::default());
        match created.await.map_err(failed)? {
            Created::Created { .. } => Ok(true),
            Created::Exists => Ok(false),
            Created::Refused(refused) => Err(Error::Backend(refused.to_string())),
            // Only sign-ins are denied.
            Created::Denied(_) => Err(unexpected()),
        }
    }

    /// Returns the stored record, even if it has expired while a request held it; `None` if it was
    /// ended.
    async fn current(&self, id: SessionId) -> Result<Option<Arc<Record>>> {
        let mut nothing = Patch::new();
        // No record has revision 0, so the answer is the record itself, or that there is none.
        nothing.expect.push(Expect::Rev(0));
        match self.0.apply(id, EPOCH, &nothing, None).await.map_err(failed)? {
            Outcome::Conflict(conflict) => Ok(Some(conflict.current)),
            Outcome::Gone(_) => Ok(None),
            _ => Err(unexpected()),
        }
    }
}

#[async_trait]
impl<S: SessionStore> their_core::SessionStore for AsTowerSessions<S> {
    async fn create(&self, record: &mut Theirs) -> Result<()> {
        while !self.insert(record).await? {
            record.id = Id::default();
        }
        Ok(())
    }

    async fn save(&self, record: &Theirs) -> Result<()> {
        let (id, _) = names(record.id);
        let wanted = encode(record)?;
        let mut stored = self.0.reload(id, EPOCH).await.map_err(failed)?;
        for _ in 0..ATTEMPTS {
            let Some(before) = &stored else {
                if self.insert(record).await? {
                    return Ok(());
                }
                stored = self.current(id).await?;
                if stored.is_none() {
                    tracing::debug!(session = %id, "a save came after its session was deleted");
                    return Ok(());
                }
                continue;
            };
            let Some(patch) = difference(before, record, &wanted, self.now()) else {
                return Ok(());
            };
            match self.0.apply(id, EPOCH, &patch, Some(before)).await.map_err(failed)? {
                Outcome::Applied(_) => return Ok(()),
                Outcome::Conflict(conflict) => stored = Some(conflict.current),
                Outcome::Gone(_) => stored = None,
                Outcome::Refused(refused) => return Err(Error::Backend(refused.to_string())),
                Outcome::Uncertain => {
                    let text = "a session may or may not have been saved";
                    return Err(Error::Backend(text.to_owned()));
                }
                Outcome::Denied(_) => return Err(unexpected()),
            }
        }
        Err(Error::Backend("too many saves of one session at once".to_owned()))
    }

    async fn load(&self, session_id: &Id) -> Result<Option<Theirs>> {
        let (id, secret) = names(*session_id);
        let found = self.0.load(id, &[secret], Touch::Never.into()).await.map_err(failed)?;
        let Lookup::Found(record) = found else { return Ok(None) };
        Ok(Some(Theirs {
            id: *session_id,
            data: decode(&record.fields)?,
            expiry_date: times::theirs(record.meta.expires_at()),
        }))
    }

    async fn delete(&self, session_id: &Id) -> Result<()> {
        self.0.delete(names(*session_id).0, EndReason::SignedOut).await.map(drop).map_err(failed)
    }
}

#[async_trait]
impl<S: SessionStore> ExpiredDeletion for AsTowerSessions<S> {
    /// Removes expired sessions. Our stores do so on their own; this is for your own scheduler.
    async fn delete_expired(&self) -> Result<()> {
        while self.0.sweep(STEP).await.map_err(failed)?.more {}
        Ok(())
    }
}

impl<S> Clone for AsTowerSessions<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> fmt::Debug for AsTowerSessions<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AsTowerSessions")
    }
}

/// Derives the record's id and the hash of its secret from the id in the browser.
fn names(id: Id) -> (SessionId, SecretHash) {
    let hash = |purpose: &[u8]| -> [u8; 32] {
        Sha256::new_with_prefix(purpose).chain_update(id.0.to_le_bytes()).finalize().into()
    };
    let mut short = [0; SessionId::BYTES];
    short.copy_from_slice(&hash(b"tower-sessions id ")[..SessionId::BYTES]);
    (SessionId::from_bytes(short), SecretHash::from_bytes(hash(b"tower-sessions secret ")))
}

fn lifetime(theirs: &Theirs, now: Timestamp) -> Lifetime {
    let left = times::ours(theirs.expiry_date).since(now);
    Lifetime { idle: None, absolute: Some(left), remember: false }
}

type Encoded = HashMap<String, Vec<u8>>;

fn encode(theirs: &Theirs) -> Result<Encoded> {
    let json =
        |value: &Value| serde_json::to_vec(value).map_err(|it| Error::Encode(it.to_string()));
    theirs.data.iter().map(|(key, value)| Ok((key.clone(), json(value)?))).collect()
}

fn decode(fields: &Fields) -> Result<HashMap<String, Value>> {
    let value = |(name, json): (&str, &[u8])| match serde_json::from_slice(json) {
        Ok(value) => Ok((name.to_owned(), value)),
        Err(error) => Err(Error::Decode(format!("the key `{name}`: {error}"))),
    };
    fields.iter().map(value).collect()
}

/// Returns the patch from `before` to what is to be saved; `None` if nothing differs.
fn difference(before: &Record, theirs: &Theirs, wanted: &Encoded, now: Timestamp) -> Option<Patch> {
    let differs = |(key, json): &(&String, &Vec<u8>)| before.fields.get(key) != Some(json);
    let set = |(key, json): (&String, &Vec<u8>)| FieldOp::new(key.clone(), Op::set(json.clone()));
    let mut ops: Vec<_> = wanted.iter().filter(differs).map(set).collect();
    let surplus = before.fields.iter().filter(|(name, _)| !wanted.contains_key(*name));
    ops.extend(surplus.map(|(name, _)| FieldOp::new(name.to_owned(), Op::Remove)));
    let mut patch = Patch::of(ops);
    let expiry = times::ours(theirs.expiry_date);
    if before.meta.expires_at() != expiry.min(before.meta.last_seen.after(MAX_LIFETIME)) {
        patch.meta.lifetime = Some(lifetime(theirs, now));
    }
    // All of it is saved, or the concurrent change is looked at first.
    patch.expect.push(Expect::Rev(before.meta.rev));
    (!patch.is_empty()).then_some(patch)
}

fn failed(error: StoreError) -> Error {
    match std::error::Error::source(&error) {
        Some(source) => Error::Backend(format!("{error}: {source}")),
        None => Error::Backend(error.to_string()),
    }
}

fn unexpected() -> Error {
    Error::Backend("the session store answered something else".to_owned())
}
