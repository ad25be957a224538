//! A tower-sessions store below our layer.

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

/// The entry of a tower-sessions record that holds our record, if it is UTF-8.
const ENTRY: &str = "session-runtime";
/// The entry that holds our record as base64, if it is not.
const BYTES: &str = "session-runtime-base64";

/// Keeps sessions in any store written for
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
/// A session is one entry, `session-runtime` (or `session-runtime-base64` if it is not UTF-8), in
/// the data of one tower-sessions record. The key of that record is a hash of the session's id, so
/// that an id from a listing or a log is not a valid cookie for a tower-sessions layer: the first
/// 16 bytes of the SHA-256 of the text `session-runtime key `, including the space, followed by the
/// 16 bytes of the id. The tower-sessions store removes its records by their own expiry dates;
/// whether a session has expired is decided by the times inside.
///
/// The limits of [`WholeRecords`] apply: sessions are not listed, revoked, capped or counted by
/// principal. A store that answers before every load sees the save breaks the contract of
/// [`WholeRecordStore`]; one such store is `CachingSessionStore` with several processes.
pub struct TowerSessionsStore<T> {
    store: T,
    clock: Clock,
}

impl<T: Theirs> TowerSessionsStore<T> {
    /// Wraps a store whose sessions **only this process writes**: see
    /// [`WholeRecords::single_process`].
    pub fn single_process(store: T) -> WholeRecords<Self> {
        WholeRecords::single_process(Self::new(store))
    }

    /// Wraps a store that several processes write to: see [`WholeRecords::shared`].
    pub fn shared(store: T) -> WholeRecords<Self> {
        WholeRecords::shared(Self::new(store))
    }

    /// Creates the part that reads and writes whole records, on the system clock.
    pub const fn new(store: T) -> Self {
        Self::with_clock(store, Clock::system())
    }

    /// Like [`new`](Self::new), on another clock. The tower-sessions store still uses its own: it
    /// is given the remaining lifetime, counted from the real time.
    pub const fn with_clock(store: T, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Returns the tower-sessions store.
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
    // A record without either entry is a session that tower-sessions itself wrote.
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

    /// Uses `create`, because `save` of some stores, such as the Redis one, ignores records that do
    /// not exist.
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
            // The id was taken, so the store has saved this under another one. Its holder has
            // expired, or is not one of our sessions.
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

/// Whether a tower-sessions record holds one of our sessions, readable or not.
pub(super) fn is_ours(record: &Record) -> bool {
    [ENTRY, BYTES].iter().any(|it| record.data.contains_key(*it))
}

/// Returns the key that a session is stored under. To a tower-sessions layer the key is the
/// credential, whereas our ids are public.
fn key(id: SessionId) -> Id {
    let hash = Sha256::new_with_prefix(b"session-runtime key ").chain_update(id.as_bytes());
    let mut short = [0; SessionId::BYTES];
    short.copy_from_slice(&hash.finalize()[..SessionId::BYTES]);
    Id(i128::from_le_bytes(short))
}

pub(super) fn failed(error: Error) -> StoreError {
    // The error's text may quote the value that does not encode or decode.
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
