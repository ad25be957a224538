//! The contract of a compare-and-swap map.

use std::future::Future;

use crate::clock::{Clock, Timestamp};
use crate::store::{Cursor, StoreError};

/// A value with its version; `None` if there is no value.
pub type Versioned<V> = Option<(Vec<u8>, V)>;

/// A map from keys to bytes that replaces a value only if it has not changed since it was read: all
/// that [`CasStore`] needs to be a full session store.
///
/// # Contract
///
/// 1. **A read returns what was last put**, byte for byte, with its version; `None` if nothing was
///    ever put, or what was put was removed. It never returns half of a write, and every later
///    read, in any process, sees an acknowledged swap.
/// 2. **Versions are unique.** Two different values of a key never have the same version, even if
///    the first was removed before the second was put. Suitable are a counter for the whole map, a
///    strong hash of the bytes, or the bytes themselves; a counter per key that starts again with a
///    new value is not.
/// 3. **A swap is one atomic step** with respect to every process that shares the map: it takes
///    effect if the key has the expected version, or no value if none is expected; otherwise it
///    does nothing.
/// 4. **Nothing is dropped before [`Put::keep_until`].** After that, the map may remove it at any
///    time. If it still returns the value, the times in the bytes decide.
/// 5. **A failed read is an error**, never `None`. A swap that may or may not have been done fails
///    as [`Unavailable`] or [`Timeout`]; a failure of any other kind means that nothing was done,
///    now or later. The store reads again to find out whether a swap was done, so a map need not
///    retry anything.
/// 6. **Calls for any keys may overlap**, in any order. A call may be dropped at any `.await`: its
///    swap is then done as a whole or not at all.
///
/// A swap does not check the time: a step is decided by the clock at the read before it. So what is
/// written just before the expiry time of a session may arrive later than that, by no more than the
/// [deadline](super::CasStore::deadline) of a call.
///
/// Keys consist of ASCII letters, digits, `-`, `_` and at most two `.`; they are at most 68
/// characters long and contain no personal data. Values are text of at most the session's
/// [limits](crate::store::Limits) plus about 2 KB; the values of principals with hundreds of
/// sessions have up to 50 KB.
///
/// # Example
///
/// A map in memory. The example `custom_store` keeps a directory of files, which survives a
/// restart.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Mutex, atomic::{AtomicU64, Ordering}};
///
/// use session_runtime::SessionLayer;
/// use session_runtime::clock::Clock;
/// use session_runtime::store::StoreError;
/// use session_runtime::store::cas::{CasStore, CompareAndSwap, Put};
///
/// #[derive(Default)]
/// struct Map {
///     clock: Clock,
///     versions: AtomicU64,
///     values: Mutex<HashMap<String, (Vec<u8>, u64)>>,
/// }
///
/// impl CompareAndSwap for Map {
///     type Version = u64;
///
///     fn clock(&self) -> &Clock {
///         &self.clock
///     }
///
///     async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
///         Ok(self.values.lock().unwrap().get(key).cloned())
///     }
///
///     async fn swap(
///         &self,
///         key: &str,
///         expected: Option<&u64>,
///         put: Option<Put<'_>>,
///     ) -> Result<bool, StoreError> {
///         let mut values = self.values.lock().unwrap();
///         if values.get(key).map(|(_, version)| version) != expected {
///             return Ok(false);
///         }
///         let version = self.versions.fetch_add(1, Ordering::Relaxed);
///         match put {
///             Some(put) => values.insert(key.to_owned(), (put.value.to_vec(), version)),
///             None => values.remove(key),
///         };
///         Ok(true)
///     }
/// }
///
/// let layer = SessionLayer::new(CasStore::new(Map::default()));
/// # let _ = layer;
/// ```
///
/// [`CasStore`]: super::CasStore
/// [`Unavailable`]: crate::store::StoreErrorKind::Unavailable
/// [`Timeout`]: crate::store::StoreErrorKind::Timeout
pub trait CompareAndSwap: Send + Sync + 'static {
    /// The version of a value: a number, an `ETag`, or the value itself.
    type Version: Send + Sync + 'static;

    /// Returns the clock that decides expiry. The layer uses it too.
    ///
    /// The clocks of processes that share the map must be within a few seconds of each other.
    fn clock(&self) -> &Clock;

    /// Returns the value under `key`, and its version.
    ///
    /// # Errors
    ///
    /// If the map cannot answer.
    fn get(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<Versioned<Self::Version>, StoreError>> + Send;

    /// Puts a value under `key`, or removes the value, if it has the `expected` version; if
    /// `expected` is `None`, only if there is no value. Returns whether it did.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] and [`Timeout`] if it may or may not have been done; any other kind if it
    /// was not.
    ///
    /// [`Unavailable`]: crate::store::StoreErrorKind::Unavailable
    /// [`Timeout`]: crate::store::StoreErrorKind::Timeout
    fn swap(
        &self,
        key: &str,
        expected: Option<&Self::Version>,
        put: Option<Put<'_>>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// A value to put.
#[derive(Clone, Copy, Debug)]
pub struct Put<'v> {
    /// The bytes.
    pub value: &'v [u8],
    /// The time before which the value must not be dropped, by the map's [clock]. It may be dropped
    /// afterwards.
    ///
    /// [clock]: CompareAndSwap::clock
    pub keep_until: Timestamp,
}

/// A map that can also list its keys in pages, so that sessions can be scanned and counted, and
/// expired ones swept.
pub trait ListKeys: CompareAndSwap {
    /// Returns the next page of all keys, in no particular order: about `limit` of them, from the
    /// beginning if `from` is `None`. A key that has a value from the first page to the last is on
    /// at least one of them, whatever other keys come and go. A page may be empty without being the
    /// last.
    ///
    /// # Errors
    ///
    /// If the map cannot answer, or the cursor belongs to another map
    /// ([`StoreErrorKind::Config`](crate::store::StoreErrorKind::Config)).
    fn keys(
        &self,
        from: Option<&Cursor>,
        limit: usize,
    ) -> impl Future<Output = Result<Keys, StoreError>> + Send;
}

/// A page of keys.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// The keys.
    pub keys: Vec<String>,
    /// Where the next page begins; `None` after the last page.
    pub next: Option<Cursor>,
}
