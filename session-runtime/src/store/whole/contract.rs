//! What a store of whole records has to do.

use crate::clock::{Clock, Timestamp};
use crate::id::SessionId;
use crate::store::{StoreError, StoreFuture};

/// Keeps bytes under a key: all that [`WholeRecords`] needs to be a session
/// store on top of it.
///
/// # Contract
///
/// 1. **A load gives what was saved last**, byte for byte, or `None` after a
///    delete, or where nothing was ever saved. It never sees half of a save.
/// 2. **A save replaces everything** under the id, and an acknowledged save or
///    delete is seen by every load after it.
/// 3. **Nothing is dropped before `expires_at`.** Afterwards the store removes
///    it by itself, sooner or later: nobody else does. What it still returns is
///    judged by the times in the bytes.
/// 4. **A failed load is an error**, never `None`.
/// 5. **Calls for one id do not overlap**, but for loads, which may come at any
///    time. Calls for different ids do.
///
/// What the bytes are is written in the guide to stores; a store has no reason
/// to look.
///
/// [`WholeRecords`]: super::WholeRecords
pub trait WholeRecordStore: Send + Sync + 'static {
    /// The clock that decides expiry. The layer asks it too.
    fn clock(&self) -> &Clock;

    /// The bytes under `id`.
    ///
    /// # Errors
    ///
    /// If the store cannot answer.
    fn load(&self, id: SessionId) -> StoreFuture<'_, Result<Option<Vec<u8>>, StoreError>>;

    /// Keeps `bytes` under `id`, at least until `expires_at`.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] and [`Timeout`] if it may have been saved or not; of any
    /// other kind if nothing was.
    ///
    /// [`Unavailable`]: crate::store::StoreErrorKind::Unavailable
    /// [`Timeout`]: crate::store::StoreErrorKind::Timeout
    fn save(
        &self,
        id: SessionId,
        bytes: Vec<u8>,
        expires_at: Timestamp,
    ) -> StoreFuture<'_, Result<(), StoreError>>;

    /// The same where a load has just found nothing, or something that is over.
    ///
    /// For stores that tell an insertion from an update.
    ///
    /// # Default
    ///
    /// [`save`](Self::save).
    ///
    /// # Errors
    ///
    /// As of a save.
    fn insert(
        &self,
        id: SessionId,
        bytes: Vec<u8>,
        expires_at: Timestamp,
    ) -> StoreFuture<'_, Result<(), StoreError>> {
        self.save(id, bytes, expires_at)
    }

    /// Removes what is under `id`. Nothing there is not an error.
    ///
    /// # Errors
    ///
    /// If it may still be there.
    fn delete(&self, id: SessionId) -> StoreFuture<'_, Result<(), StoreError>>;
}
