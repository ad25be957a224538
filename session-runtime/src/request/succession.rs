//! Another user's session in the place of the former one's: first it is stored,
//! with all that a sign-in depends on, then the former one ends, then the answer
//! leaves. Whatever fails on the way leaves one of them, and the answer says which.

use std::sync::Arc;
use std::time::Duration;

use super::RequestSession;
use super::to_end::spawn;
use crate::error::SessionError;
use crate::record::Record;
use crate::store::{EndedBy, Lookup, Touch};

/// When the removal of a record is tried, and tried again.
const TRIES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(300),
];

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

    /// Removes a record whose token nobody has, though nobody waits for it.
    ///
    /// It may be stored late, and in its place may be the session of another request: so
    /// it is looked for by its secret, and more than once.
    pub(super) fn remove_unused(&self, record: &Record) {
        let engine = Arc::clone(&self.engine);
        let (id, secret) = (record.id, [record.meta.secret]);
        spawn(async move {
            let mut last = Ok(());
            for pause in TRIES {
                tokio::time::sleep(pause).await;
                let found = engine.store.load(id, &secret, Touch::Never.into());
                last = match engine.within(found).await {
                    Ok(Lookup::Found(_)) => {
                        let deleted = engine.store.delete(id, EndedBy::Browser);
                        match engine.within(deleted).await {
                            Ok(_) => return,
                            Err(error) => Err(error),
                        }
                    }
                    Ok(_) => Ok(()),
                    Err(error) => Err(error),
                };
            }
            if let Err(error) = last {
                tracing::error!(
                    session = %id,
                    %error,
                    "a session that nobody can open could not be removed; it counts and is listed until it expires"
                );
            }
        });
    }
}
