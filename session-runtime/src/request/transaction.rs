//! Attempts at a transaction. Each is a small request of its own on the record as stored, and
//! expects it to be unchanged when it commits.

use std::sync::Arc;

use super::turn::For;
use super::{Committed, RequestSession, ToEnd};
use crate::error::SessionError;
use crate::retry::Retry;
use crate::session::{Attempt, Backend, BoxFuture, Keep, Origin};
use crate::store::{StoreError, StoreErrorKind};

pub(super) struct Running {
    parent: Arc<RequestSession>,
    attempt: Arc<RequestSession>,
    /// `None` without a stored record: then there is no other request to wait for.
    retry: Option<Retry>,
}

impl Running {
    pub(super) async fn begin(parent: Arc<RequestSession>) -> Result<Self, SessionError> {
        let engine = Arc::clone(&parent.engine);
        if !engine.store.capabilities().atomic_patches {
            return Err(StoreError::new(StoreErrorKind::Unsupported).into());
        }
        let origin = parent.scope.state().origin.clone();
        let Origin::Stored(record) = origin else {
            let attempt = RequestSession::attempt(&parent, origin);
            return Ok(Self { parent, attempt, retry: None });
        };
        let (id, epoch) = (record.id, record.meta.epoch);
        let turn = engine.queues.join(id, engine.config.conflict_timeout).await;
        let Some(mut retry) = turn else { return Err(SessionError::Conflict { field: None }) };
        retry.pause().await;
        // Read when its turn has come, so that it sees the changes of earlier requests.
        let stored = engine.within(engine.store.reload(id, epoch)).await?;
        let fresh = Origin::Stored(stored.ok_or(SessionError::Gone)?);
        let attempt = RequestSession::attempt(&parent, fresh);
        Ok(Self { parent, attempt, retry: Some(retry) })
    }
}

impl Attempt for Running {
    fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.attempt) as Arc<dyn Backend>
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<bool, SessionError>> {
        Box::pin(async move {
            let (parent, attempt) = (Arc::clone(&self.parent), Arc::clone(&self.attempt));
            let committed = ToEnd::new(async move {
                let _turn = parent.turn(For::Call).await;
                let committed = attempt.commit(Keep::Everything).await?;
                if matches!(committed, Committed::Stored) {
                    parent.absorb(&attempt);
                }
                Ok(committed)
            });
            match committed.await? {
                Committed::Stored => Ok(true),
                Committed::Lost => Err(SessionError::Gone),
                Committed::Outdated(current) => {
                    self.parent.engine.metrics.retries.one();
                    let again = match &mut self.retry {
                        Some(retry) => retry.pause().await,
                        None => true,
                    };
                    if !again {
                        return Err(SessionError::Conflict { field: None });
                    }
                    let current = Origin::Stored(current);
                    self.attempt = RequestSession::attempt(&self.parent, current);
                    Ok(false)
                }
            }
        })
    }
}
