//! Implements what the handles need from their request.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Committed, RequestSession, Running, ToEnd};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::keys::Keys;
use crate::record::Record;
use crate::schema::Field;
use crate::session::{Attempt, Audit, Backend, BoxFuture, Keep, Marked, Scope};

impl Backend for RequestSession {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn now(&self) -> Timestamp {
        self.engine.now()
    }

    fn keys(&self) -> &Keys {
        &self.engine.config.keys
    }

    fn is_head(&self) -> bool {
        self.is_head
    }

    fn marked(&self) -> Marked {
        self.engine.schemas().marked()
    }

    fn audit(&self) -> Option<&Audit> {
        self.engine.audit.get()
    }

    fn save(self: Arc<Self>) -> BoxFuture<'static, Result<(), SessionError>> {
        Box::pin(async move {
            let request = Arc::clone(&self);
            match ToEnd::new(async move { request.commit(Keep::Everything).await }).await? {
                Committed::Stored => Ok(()),
                Committed::Lost | Committed::Outdated(_) => {
                    // The error is returned to the caller, so the response need not report it.
                    self.scope.state().lost = false;
                    Err(SessionError::Gone)
                }
            }
        })
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> BoxFuture<'_, Result<Option<Arc<Record>>, SessionError>> {
        Box::pin(async move { Ok(self.engine.within(self.engine.store.reload(id, epoch)).await?) })
    }

    fn take(
        self: Arc<Self>,
        field: &'static Field,
        names: Vec<Cow<'static, str>>,
    ) -> BoxFuture<'static, Result<Option<Vec<u8>>, SessionError>> {
        Box::pin(async move { self.take_now(field, names).await })
    }

    fn transaction(self: Arc<Self>) -> BoxFuture<'static, Result<Box<dyn Attempt>, SessionError>> {
        Box::pin(async move { Ok(Box::new(Running::begin(self).await?) as Box<dyn Attempt>) })
    }

    fn commit_later(self: Arc<Self>) {
        drop(ToEnd::new(async move { self.commit(Keep::SignOutOnly).await }));
    }
}
