//! The contract of a store of whole records.

use crate::clock::{Clock, Timestamp};
use crate::id::SessionId;
use crate::store::{StoreError, StoreFuture};

/// Stores bytes under a key: all that [`WholeRecords`] needs to be a session store.
///
/// # Contract
///
/// 1. **A load returns what was last saved**, byte for byte, or `None` after a delete, or if
///    nothing was ever saved. It never returns half of a save.
/// 2. **A save replaces everything** under the id, and every later load sees an acknowledged save
///    or delete.
/// 3. **Nothing is dropped before `expires_at`.** After that, the store itself has to remove it,
///    sooner or later. If it still returns the record, the times in the bytes decide.
/// 4. **A failed load is an error**, never `None`.
/// 5. **Calls for one id do not overlap**, except for loads, which may come at any time. Calls for
///    different ids may overlap.
///
/// The guide to stores describes the bytes; a store does not need to interpret them.
///
/// [`WholeRecords`]: super::WholeRecords
pub trait WholeRecordStore: Send + Sync + 'static {
    /// Returns the clock that decides expiry. The layer uses it too.
    fn clock(&self) -> &Clock;

    /// Returns the bytes under `id`.
    ///
    /// # Errors
    ///
    /// If the store cannot answer.
    fn load(&self, id: SessionId) -> StoreFuture<'_, Result<Option<Vec<u8>>, StoreError>>;

    /// Stores `bytes` under `id`, at least until `expires_at`.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] and [`Timeout`] if it may or may not have been saved; any other kind if
    /// nothing was.
    ///
    /// [`Unavailable`]: crate::store::StoreErrorKind::Unavailable
    /// [`Timeout`]: crate::store::StoreErrorKind::Timeout
    fn save(
        &self,
        id: SessionId,
        bytes: Vec<u8>,
        expires_at: Timestamp,
    ) -> StoreFuture<'_, Result<(), StoreError>>;

    /// Same as [`save`](Self::save), after a load has found nothing, or a record that is over.
    ///
    /// For stores that distinguish an insert from an update.
    ///
    /// # Default
    ///
    /// [`save`](Self::save).
    ///
    /// # Errors
    ///
    /// Same as [`save`](Self::save).
    fn insert(
        &self,
        id: SessionId,
        bytes: Vec<u8>,
        expires_at: Timestamp,
    ) -> StoreFuture<'_, Result<(), StoreError>> {
        self.save(id, bytes, expires_at)
    }

    /// Removes what is stored under `id`. It is no error if nothing is.
    ///
    /// # Errors
    ///
    /// If it may still be stored.
    fn delete(&self, id: SessionId) -> StoreFuture<'_, Result<(), StoreError>>;
}
