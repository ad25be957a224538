//! A store of theirs below ours.

use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::their_core::SessionStore as Theirs;
use super::their_core::session::{Id, Record};
use super::their_core::session_store::Error;
use super::times;
use crate::clock::{Clock, Timestamp};
use crate::id::SessionId;
use crate::store::whole::{WholeRecordStore, WholeRecords};
use crate::store::{StoreError, StoreErrorKind, StoreFuture};

/// The entry of their record that holds ours, where it is text.
const ENTRY: &str = "session-runtime";
/// The entry that holds it as base64 where it is not.
const BYTES: &str = "session-runtime-base64";

/// Sessions in any store that was written for
#[doc = concat!("`tower-sessions` ", version!(), ".")]
///
/// ```
#[doc = concat!("use session_runtime::{SessionLayer, ", module!(), "::TowerSessionsStore};")]
#[doc = concat!("# use ", their_crate!(), "::SessionStore;")]
/// # fn layer(their_store: impl SessionStore) -> SessionLayer {
/// SessionLayer::new(TowerSessionsStore::single_process(their_store))
/// # }
/// ```
///
/// A session is one entry, `session-runtime` (or `session-runtime-base64`, where
/// it is not UTF-8), in the data of one record of theirs. The key of that record
/// is a hash of the session's id, so that an id from a listing or a log is no
/// cookie for their layer: the first 16 bytes of the SHA-256 of the text
/// `session-runtime key `, with the space, and the 16 bytes of the id. What they
/// keep until when is theirs to remove; when a session is over is decided by the
/// times within.
///
/// What [`WholeRecords`] cannot do, this cannot: sessions are not listed,
/// revoked, capped or counted by principal. A store of theirs that answers
/// before a save is seen by every load breaks the contract of
/// [`WholeRecordStore`]; their `CachingSessionStore` with several processes is
/// such a one.
pub struct TowerSessionsStore<T> {
    store: T,
    clock: Clock,
}

impl<T: Theirs> TowerSessionsStore<T> {
    /// Over a store whose sessions **only this process writes**: see
    /// [`WholeRecords::single_process`].
    pub fn single_process(store: T) -> WholeRecords<Self> {
        WholeRecords::single_process(Self::new(store))
    }

    /// Over a store that several processes write: see [`WholeRecords::shared`].
    pub fn shared(store: T) -> WholeRecords<Self> {
        WholeRecords::shared(Self::new(store))
    }

    /// The part that reads and writes whole records, on the system clock.
    pub const fn new(store: T) -> Self {
        Self::with_clock(store, Clock::system())
    }

    /// The same on another clock. Their store still has its own: it is told
    /// how long a session has left, counted from the real time.
    pub const fn with_clock(store: T, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Their store.
    pub const fn inner(&self) -> &T {
        &self.store
    }

    fn record(&self, id: SessionId, bytes: Vec<u8>, until: Timestamp) -> Record {
        let (entry, text) = match String::from_utf8(bytes) {
            Ok(text) => (ENTRY, text),
            Err(error) => (BYTES, STANDARD.encode(error.as_bytes())),
        };
        let left = until.since(self.clock.now());
        Record {
            id: key(id),
            data: HashMap::from([(entry.to_owned(), Value::String(text))]),
            expiry_date: times::theirs(Clock::system().now().after(left)),
        }
    }
}

fn ours(mut record: Record) -> Result<Option<Vec<u8>>, StoreError> {
    // Without either entry it is a session that tower-sessions itself wrote.
    match (record.data.remove(ENTRY), record.data.remove(BYTES)) {
        (Some(Value::String(text)), _) => Ok(Some(text.into_bytes())),
        (_, Some(Value::String(text))) => STANDARD
            .decode(text)
            .map(Some)
            .map_err(|_| StoreError::because(StoreErrorKind::Corrupt, "a session is not base64")),
        _ => Ok(None),
    }
}

impl<T: Theirs> WholeRecordStore for TowerSessionsStore<T> {
    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn load(&self, id: SessionId) -> StoreFuture<'_, Result<Option<Vec<u8>>, StoreError>> {
        StoreFuture::new(async move {
            let found = self.store.load(&key(id)).await.map_err(failed)?;
            found.map_or(Ok(None), ours)
        })
    }

    fn save(
        &self,
        id: SessionId,
        bytes: Vec<u8>,
        expires_at: Timestamp,
    ) -> StoreFuture<'_, Result<(), StoreError>> {
        StoreFuture::new(async move {
            let record = self.record(id, bytes, expires_at);
            self.store.save(&record).await.map_err(failed)
        })
    }

    /// By their `create`: a `save` of theirs may leave alone what is not there,
    /// as that of their Redis store does.
    fn insert(
        &self,
        id: SessionId,
        bytes: Vec<u8>,
        expires_at: Timestamp,
    ) -> StoreFuture<'_, Result<(), StoreError>> {
        StoreFuture::new(async move {
            let mut record = self.record(id, bytes, expires_at);
            self.store.create(&mut record).await.map_err(failed)?;
            if record.id == key(id) {
                return Ok(());
            }
            // It was taken, and they stored this under another id. What took it
            // is expired, or nobody's of ours.
            self.store.delete(&record.id).await.map_err(failed)?;
            let there = self.store.load(&key(id)).await.map_err(failed)?;
            if there.is_some_and(|record| !is_ours(&record)) {
                return Err(StoreError::because(
                    StoreErrorKind::Corrupt,
                    "a session of tower-sessions has the key of a new session",
                ));
            }
            record.id = key(id);
            self.store.save(&record).await.map_err(failed)
        })
    }

    fn delete(&self, id: SessionId) -> StoreFuture<'_, Result<(), StoreError>> {
        StoreFuture::new(async move { self.store.delete(&key(id)).await.map_err(failed) })
    }
}

impl<T: Clone> Clone for TowerSessionsStore<T> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), clock: self.clock.clone() }
    }
}

impl<T> fmt::Debug for TowerSessionsStore<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TowerSessionsStore")
    }
}

/// Whether a record of theirs holds a session of ours, readable or not.
pub(super) fn is_ours(record: &Record) -> bool {
    [ENTRY, BYTES].iter().any(|it| record.data.contains_key(*it))
}

/// Under what a session is stored: to their layer the key is the credential, and our ids are
/// public.
fn key(id: SessionId) -> Id {
    let hash = Sha256::new_with_prefix(b"session-runtime key ").chain_update(id.as_bytes());
    let mut short = [0; SessionId::BYTES];
    short.copy_from_slice(&hash.finalize()[..SessionId::BYTES]);
    Id(i128::from_le_bytes(short))
}

pub(super) fn failed(error: Error) -> StoreError {
    // What does not encode or decode may be quoted in the text.
    match error {
        Error::Encode(_) => {
            StoreError::because(StoreErrorKind::Unsupported, "a session does not encode")
        }
        Error::Decode(_) => {
            StoreError::because(StoreErrorKind::Corrupt, "a stored session does not decode")
        }
        error @ Error::Backend(_) => StoreError::because(StoreErrorKind::Unavailable, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_stored_session_stays_what_it_is() {
        let id = SessionId::from_bytes([0xf0; SessionId::BYTES]);
        assert_eq!(key(id).to_string(), "0BQrt_GieZhdoi-si0OaqA");
    }

    #[test]
    fn an_error_does_not_quote_what_it_could_not_read() {
        let error = failed(Error::Decode("invalid type: string \"hunter2\"".to_owned()));
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        assert!(!format!("{error:?}").contains("hunter2"));
        assert_eq!(failed(Error::Backend(String::new())).kind(), StoreErrorKind::Unavailable);
    }
}
