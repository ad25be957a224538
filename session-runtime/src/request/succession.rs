//! Replaces the session of one user with another's. The new session is stored first, subject to all
//! conditions of a sign-in; then the former one ends; then the response is sent. A failure on the
//! way leaves one of the two, and the response tells which.

use std::sync::Arc;
use std::time::Duration;

use super::RequestSession;
use super::to_end::spawn;
use crate::error::SessionError;
use crate::record::Record;
use crate::store::{EndReason, Lookup, Touch};

/// The delays before each attempt to remove a record.
const TRIES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(300),
];

impl RequestSession {
    /// Returns the current record if it has changed since a transaction `read` it.
    ///
    /// The transaction writes another record, and no store can check this one in the same step.
    pub(super) async fn outdated(
        &self,
        read: &Record,
    ) -> Result<Option<Arc<Record>>, SessionError> {
        let reload = self.engine.store.reload(read.id, read.meta.epoch);
        let current = self.engine.within(reload).await?;
        Ok(current.filter(|current| current.meta.rev != read.meta.rev))
    }

    /// Removes a record whose token no client has, in the background.
    ///
    /// It may be stored late, and the session of another request may be in its place: so it is
    /// looked up by its secret, and several times.
    pub(super) fn remove_unused(&self, record: &Record) {
        let engine = Arc::clone(&self.engine);
        let (id, secret) = (record.id, [record.meta.secret]);
        spawn(async move {
            let mut last = Ok(());
            for pause in TRIES {
                tokio::time::sleep(pause).await;
                let found = engine.store.load(id, &secret, Touch::Never.into());
                last = match engine.within(found).await {
                    Ok(Lookup::Found(_)) => match engine.end(id, EndReason::SignedOut).await {
                        Ok(_) => return,
                        Err(error) => Err(error),
                    },
                    Ok(_) => Ok(()),
                    Err(error) => Err(error),
                };
            }
            if let Err(error) = last {
                tracing::error!(
                    session = %id,
                    %error,
                    "an orphaned session could not be removed; it is counted and listed until it expires"
                );
            }
        });
    }
}
