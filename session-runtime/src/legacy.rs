//! Access to the sessions of another library, so that a layer can take them over.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;

use crate::store::{StoreError, StoreFuture};

/// The fields of a legacy session: stored names, each with the JSON of its value.
pub type LegacyFields = Vec<(String, Vec<u8>)>;

/// Access to the sessions of another library, for
/// [`SessionLayer::adopt`](crate::SessionLayer::adopt).
///
/// # Contract
///
/// 1. [`load`](Self::load) returns the live session that the cookie opens in the other
///    library, and `None` for a missing or expired one.
/// 2. After an acknowledged [`delete`](Self::delete), `load` returns `None`.
pub trait Legacy: Send + Sync + 'static {
    /// Returns the full name of the other library's cookie. It must differ from the name
    /// of the layer's cookie.
    fn cookie_name(&self) -> &str;

    /// Returns the `Set-Cookie` value that removes the cookie, with the path and domain
    /// that it was set with.
    fn removal(&self) -> HeaderValue;

    /// Returns the credential in the cookie's value, in a canonical form; `None` if the
    /// value is malformed.
    fn credential(&self, value: &str) -> Option<String>;

    /// Loads the session that `credential` opens.
    ///
    /// # Errors
    ///
    /// If the store cannot answer. A failed load must not return `None`.
    fn load<'a>(
        &'a self,
        credential: &'a str,
    ) -> StoreFuture<'a, Result<Option<LegacyFields>, StoreError>>;

    /// Deletes the session that `credential` opens. A missing session is not an error.
    ///
    /// # Errors
    ///
    /// If the session may still exist.
    fn delete<'a>(&'a self, credential: &'a str) -> StoreFuture<'a, Result<(), StoreError>>;
}

/// The layer's `adopt` setting.
#[derive(Clone)]
pub(crate) struct Adopt {
    pub(crate) legacy: Arc<dyn Legacy>,
    /// Names of no schema's field that were already reported.
    unknown: Arc<Mutex<BTreeSet<String>>>,
}

/// The most names that are reported: another library may create names at run time.
const UNKNOWN: usize = 64;

impl Adopt {
    pub(crate) fn new(legacy: impl Legacy) -> Self {
        Self { legacy: Arc::new(legacy), unknown: Arc::default() }
    }

    /// Returns those of the unknown `names` that were not reported before.
    pub(crate) fn unreported(&self, names: impl Iterator<Item = String>) -> Vec<String> {
        // Nothing panics while the lock is held.
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
