//! Implements what the handles need from their request.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Committed, RequestSession, Running, ToEnd};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::keys::Keys;
use crate::record::{EndReason, Record};
use crate::schema::Field;
use crate::session::{
    Attempt, Audit, Backend, BoxFuture, CookieChange, Keep, KeepAlive, Marked, Origin, Scope,
    State, Why,
};
use crate::transport::{BearerToken, Transport, Transports};

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

    fn marked(&self) -> &Marked {
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
        Box::pin(async move {
            self.vouch_if_acted(false).await?;
            Ok(self.engine.within(self.engine.store.reload(id, epoch)).await?)
        })
    }

    fn touch(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> BoxFuture<'_, Result<Option<Arc<Record>>, SessionError>> {
        Box::pin(async move {
            self.vouch_if_acted(true).await?;
            self.touch_now(id, epoch).await
        })
    }

    fn keep_alive(self: Arc<Self>, id: SessionId, epoch: u64) -> KeepAlive {
        self.touch_until_dropped(id, epoch)
    }

    fn watch(&self, record: Arc<Record>, rev: Option<u64>) -> BoxFuture<'_, Option<EndReason>> {
        Box::pin(self.wait_for(record, rev))
    }

    fn begin_bearer(&self) -> Result<(), SessionError> {
        let mut state = self.scope.state();
        match (state.transport, self.engine.config.transports) {
            (Transport::Bearer, _) => Ok(()),
            // A cookie's token is never shown to a script.
            (Transport::Cookie, Transports::Both) if has_no_session(&state) => {
                state.transport = Transport::Bearer;
                // What became of a cookie no longer matters: none is set.
                (state.origin, state.over) = (Origin::Nobody, None);
                Ok(())
            }
            (Transport::Cookie, _) => Err(SessionError::NotBearer),
        }
    }

    fn bearer_token(&self) -> Option<BearerToken> {
        let mut state = self.scope.state();
        let token = match &state.cookie {
            Some(CookieChange::Set { token, .. }) => token.clone(),
            Some(CookieChange::Remove) => return None,
            None => {
                let (token, record) = (state.token.as_ref()?, state.record()?);
                // The client has a newer one: this request was late.
                let is_current = token.secret_hash(&record.meta.realm) == record.meta.secret;
                Some(token.clone()).filter(|_| is_current)?
            }
        };
        // A save that was cancelled may have begun a session with a cookie.
        if token.transport() != Transport::Bearer {
            return None;
        }
        state.cookie = None;
        state.handed_out = true;
        let mut text = String::new();
        self.engine.config.write_text_of(&token, &mut text);
        Some(BearerToken::new(text))
    }

    fn take(
        self: Arc<Self>,
        field: &'static Field,
        names: Vec<Cow<'static, str>>,
    ) -> BoxFuture<'static, Result<Option<Vec<u8>>, SessionError>> {
        Box::pin(async move { self.take_now(field, names).await })
    }

    fn stop_acting(self: Arc<Self>) -> BoxFuture<'static, Result<bool, SessionError>> {
        let record = self.scope.state().record().map(Arc::clone);
        Box::pin(async move {
            let Some(record) = record.filter(|record| record.meta.is_acted()) else {
                return Ok(false);
            };
            ToEnd::new(self.return_to_actor(record)).await?;
            Ok(true)
        })
    }

    fn transaction(self: Arc<Self>) -> BoxFuture<'static, Result<Box<dyn Attempt>, SessionError>> {
        Box::pin(async move { Ok(Box::new(Running::begin(self).await?) as Box<dyn Attempt>) })
    }

    fn commit_later(self: Arc<Self>) {
        drop(ToEnd::new(async move { self.commit(Keep::SignOutOnly).await }));
    }
}

/// Whether the request has no session, and its response sets no cookie yet.
fn has_no_session(state: &State) -> bool {
    let is_nobody = match state.origin {
        Origin::Nobody => true,
        Origin::SignInOnly { why, .. } => why != Why::Several,
        Origin::Unloaded | Origin::Stored(_) => false,
    };
    is_nobody && state.cookie.is_none()
}
