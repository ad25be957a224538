//! Calls of the store whose answers may be lost.

use std::sync::Arc;

use super::RequestSession;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::patch::{Outcome, Patch, SignIn};
use crate::record::Record;
use crate::store::{Created, StoreError};

impl RequestSession {
    pub(super) async fn create(
        &self,
        record: &Arc<Record>,
        sign_in: SignIn,
    ) -> Result<Created, SessionError> {
        match self.engine.in_time(self.engine.store.create(Arc::clone(record), sign_in)).await {
            Some(Ok(answer)) => Ok(answer),
            answer => {
                // It may be stored all the same.
                self.remove_unused(record);
                Err(match answer {
                    Some(Err(error)) => error.into(),
                    _ => SessionError::Uncertain,
                })
            }
        }
    }

    /// Asks twice where the first answer was lost: the store knows the patch by
    /// its id, and answers without applying it again.
    pub(super) async fn apply(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
        read: Option<&Arc<Record>>,
    ) -> Result<Outcome, StoreError> {
        let answer = self.engine.store.apply(id, epoch, patch, read);
        match self.engine.in_time(answer).await {
            None | Some(Ok(Outcome::Uncertain)) => {}
            Some(answer) => return answer,
        }
        // Boxed: it is rare, and its room would be in every commit.
        Ok(Box::pin(self.apply_again(id, epoch, patch, read)).await)
    }

    async fn apply_again(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
        read: Option<&Arc<Record>>,
    ) -> Outcome {
        let again = Patch { again: read.map(|record| record.meta.rev), ..patch.clone() };
        let answer = self.engine.store.apply(id, epoch, &again, read);
        match self.engine.in_time(answer).await {
            Some(Ok(outcome)) => outcome,
            // The first one may have been applied all the same.
            None | Some(Err(_)) => Outcome::Uncertain,
        }
    }
}
