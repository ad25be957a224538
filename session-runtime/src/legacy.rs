//! Where sessions of another library are, and which cookie opens them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;

use crate::store::{StoreError, StoreFuture};

/// What is in a session that was taken over: stored field names, each with the
/// JSON of its value.
pub type LegacyFields = Vec<(String, Vec<u8>)>;

/// Where sessions of another library are, and which cookie opens them: for
/// [`SessionLayer::adopt`](crate::SessionLayer::adopt).
///
/// # Contract
///
/// 1. [`load`](Self::load) shows what the cookie opened before, and nothing
///    where it opened nothing: an expired session is none.
/// 2. After an acknowledged [`delete`](Self::delete) no load finds it.
pub trait Legacy: Send + Sync + 'static {
    /// The name of the cookie that browsers still have: the whole of it, and another one
    /// than that of the layer.
    fn cookie_name(&self) -> &str;

    /// The `Set-Cookie` that removes it, with the path and domain it was set
    /// with.
    fn removal(&self) -> HeaderValue;

    /// The credential in the cookie's value: the same for every way to write
    /// it. `None` for what is none.
    fn credential(&self, value: &str) -> Option<String>;

    /// What `credential` opens.
    ///
    /// # Errors
    ///
    /// If that cannot be known now. A failed load is never "nothing".
    fn load<'a>(
        &'a self,
        credential: &'a str,
    ) -> StoreFuture<'a, Result<Option<LegacyFields>, StoreError>>;

    /// Removes it. Nothing there is not an error.
    ///
    /// # Errors
    ///
    /// If it may still be there.
    fn delete<'a>(&'a self, credential: &'a str) -> StoreFuture<'a, Result<(), StoreError>>;
}

/// The setting of the layer.
#[derive(Clone)]
pub(crate) struct Adopt {
    pub(crate) legacy: Arc<dyn Legacy>,
    /// Names that no schema has, and that were reported.
    unknown: Arc<Mutex<BTreeSet<String>>>,
}

/// How many names are reported at most: in another library they may be made at
/// run time.
const UNKNOWN: usize = 64;

impl Adopt {
    pub(crate) fn new(legacy: impl Legacy) -> Self {
        Self { legacy: Arc::new(legacy), unknown: Arc::default() }
    }

    /// Those of `names`, which are of no field, that were not reported before.
    pub(crate) fn unreported(&self, names: impl Iterator<Item = String>) -> Vec<String> {
        // Nothing panics while it is held.
        let mut reported = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = Vec::new();
        for name in names {
            if reported.len() < UNKNOWN && reported.insert(name.clone()) {
                new.push(name);
            }
        }
        new
    }
}

impl fmt::Debug for Adopt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Adopt").field(&self.legacy.cookie_name()).finish()
    }
}
