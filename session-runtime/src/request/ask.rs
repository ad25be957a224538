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
        record: &Record,
        sign_in: SignIn,
    ) -> Result<Created, SessionError> {
        match self.engine.in_time(self.engine.store.create(record.clone(), sign_in)).await {
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
        let mut again;
        let mut patch = patch;
        for attempt in 0..2 {
            if attempt > 0 {
                again = patch.clone();
                again.again = read.map(|record| record.meta.rev);
                patch = &again;
            }
            let answer = self.engine.in_time(self.engine.store.apply(id, epoch, patch, read)).await;
            match answer {
                None | Some(Ok(Outcome::Uncertain)) => {}
                // The first one may have been applied all the same.
                Some(Err(_)) if attempt > 0 => break,
                Some(answer) => return answer,
            }
        }
        Ok(Outcome::Uncertain)
    }
}
