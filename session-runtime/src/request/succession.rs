//! Another user's session in the place of the former one's: first it is stored,
//! with all that a sign-in depends on, then the former one ends, then the answer
//! leaves. Whatever fails on the way leaves one of them, and the answer says which.

use std::sync::Arc;
use std::time::Duration;

use super::RequestSession;
use super::to_end::spawn;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::record::Record;
use crate::store::EndedBy;

/// When the removal of a record is tried, and tried again.
const TRIES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(10)];

impl RequestSession {
    /// The record as it stands now, if it changed since a transaction `read` it.
    ///
    /// It is in another record that the transaction writes, which no store does in
    /// one step with this look.
    pub(super) async fn outdated(
        &self,
        read: &Record,
    ) -> Result<Option<Arc<Record>>, SessionError> {
        let reload = self.engine.store.reload(read.id, read.meta.epoch);
        let current = self.engine.within(reload).await?;
        Ok(current.filter(|current| current.meta.rev != read.meta.rev))
    }

    /// Ends the session `former` of another user, now that `new` is stored. If that
    /// cannot be known, nobody is told the token of `new`, and it goes.
    pub(super) async fn end_former(
        &self,
        former: SessionId,
        new: SessionId,
    ) -> Result<(), SessionError> {
        match self.engine.within(self.engine.store.delete(former, EndedBy::Browser)).await {
            Ok(was_live) => {
                tracing::debug!(session = %former, was_live, successor = %new, "another user signed in");
                Ok(())
            }
            Err(error) => {
                self.remove_unused(new);
                Err(error.into())
            }
        }
    }

    /// Removes a record whose token nobody has, though nobody waits for it.
    pub(super) fn remove_unused(&self, id: SessionId) {
        let engine = Arc::clone(&self.engine);
        spawn(async move {
            for pause in TRIES {
                tokio::time::sleep(pause).await;
                if engine.within(engine.store.delete(id, EndedBy::Browser)).await.is_ok() {
                    return;
                }
            }
            tracing::error!(
                session = %id,
                "a session that nobody can open could not be removed; it counts and is listed until it expires"
            );
        });
    }
}
