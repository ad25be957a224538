//! What a map has to do.

use std::future::Future;

use crate::clock::{Clock, Timestamp};
use crate::store::{Cursor, StoreError};

/// A value with its version; `None`: nothing is there.
pub type Versioned<V> = Option<(Vec<u8>, V)>;

/// A map from keys to bytes that replaces a value only if it is still the one that was
/// read: all that [`CasStore`] needs to be a session store on top of it.
///
/// # Contract
///
/// 1. **A read gives what was put last**, byte for byte, with its version; `None` where
///    nothing was ever put, or what was put was removed. It never sees half of a write,
///    and an acknowledged swap is seen by every read after it, of any process.
/// 2. **A version tells values apart.** Two different values of a key never have the same
///    version, not even if the first was removed before the second was put. A counter of
///    the whole map will do, a strong hash of the bytes, or the bytes themselves; a counter
///    per key that begins again with a new value will not.
/// 3. **A swap is one atomic step** against every process that shares the map: it does
///    what is asked if the key has the expected version, or no value if none is
///    expected, and nothing otherwise.
/// 4. **Nothing is dropped before [`Put::keep_until`].** Afterwards the map may remove
///    it by itself, at any later time. What it still returns then is judged by the times
///    in the bytes.
/// 5. **A failed read is an error**, never `None`. A swap of which the map cannot know
///    whether it was done fails as [`Unavailable`] or [`Timeout`]; a failure of any other
///    kind means that nothing was done, now or later. The store finds out what became of
///    a swap by reading again, so a map need not try anything twice.
/// 6. **Calls for any keys overlap**, in any order. A call may be given up at any
///    `.await`: then its swap was done as a whole or not at all.
///
/// A swap knows no time: a step is decided by the clock at the read before it, so what is
/// written just before the end of a session may arrive later than that, by no more than
/// the [deadline](super::CasStore::deadline) of a call.
///
/// Keys are ASCII letters, digits, `-`, `_` and at most two `.`; they are at most 68
/// characters long and name nobody. Values are text of at most the session's
/// [limits](crate::store::Limits) and some 2 KB more; the values of principals with
/// hundreds of sessions have up to 50 KB.
///
/// # Example
///
/// A map of one process. `custom_store` in the examples keeps a directory of files,
/// which survives a restart.
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
    /// What tells the values of a key apart: a number, an `ETag`, the value itself.
    type Version: Send + Sync + 'static;

    /// The clock that decides expiry. The layer asks it too.
    ///
    /// Processes that share the map keep their clocks within a few seconds of each
    /// other.
    fn clock(&self) -> &Clock;

    /// The value under `key`, and its version.
    ///
    /// # Errors
    ///
    /// If the map cannot answer.
    fn get(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<Versioned<Self::Version>, StoreError>> + Send;

    /// Puts a value under `key`, or removes what is there, if it has the `expected`
    /// version, or, without one, if nothing is there. Says whether it did.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] and [`Timeout`] if it may have been done or not; of any other
    /// kind if it was not.
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

/// A value to be put.
#[derive(Clone, Copy, Debug)]
pub struct Put<'v> {
    /// The bytes.
    pub value: &'v [u8],
    /// It must not be dropped before this time, by the map's [clock], and may be dropped
    /// afterwards.
    ///
    /// [clock]: CompareAndSwap::clock
    pub keep_until: Timestamp,
}

/// A map that can also say which keys it has, in pages: then sessions can be scanned
/// and counted, and what is over is swept.
pub trait ListKeys: CompareAndSwap {
    /// The next page of all keys, in no particular order: about `limit` of them, from
    /// the beginning without a cursor. A key that has a value from the first page to
    /// the last is on at least one of them, whatever else comes and goes. A page may be
    /// empty and not be the last.
    ///
    /// # Errors
    ///
    /// If the map cannot answer, or the cursor is not one of its own
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
    /// Some keys.
    pub keys: Vec<String>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Cursor>,
}
