//! Notes where a session is found by its external id.

use super::attempts::Attempts;
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::record::patch::{Patch, SignIn};
use crate::record::{External, Pointer, Record};
use crate::store::Created;
use crate::token::SessionToken;

impl Attempts<'_> {
    /// Notes the external id of a new session.
    pub(super) async fn note_new(&self, record: &Record) -> Result<(), SessionError> {
        match External::of(&record.fields) {
            Some(external) => {
                let principal = record.meta.principal.clone();
                let to = Pointer { session: record.id, principal };
                self.note(&external, to, record.meta.absolute).await
            }
            None => Ok(()),
        }
    }

    /// Notes the external id of a session that gets one, or lives longer.
    pub(super) async fn note_changed(
        &self,
        id: SessionId,
        patch: &Patch,
    ) -> Result<(), SessionError> {
        let Some(record) = self.basis.origin().record() else { return Ok(()) };
        let Some(external) = External::after(&record.fields, &patch.ops) else { return Ok(()) };
        let absolute = match patch.meta.lifetime {
            Some(lifetime) => lifetime.absolute.map(|left| self.request.engine.now().after(left)),
            None => record.meta.absolute,
        };
        let principal = patch.meta.principal.clone().unwrap_or(record.meta.principal.clone());
        self.note(&external, Pointer { session: id, principal }, absolute).await
    }

    /// Stored before the session, so that each one that exists is found.
    async fn note(
        &self,
        external: &External,
        to: Pointer,
        absolute: Option<Timestamp>,
    ) -> Result<(), SessionError> {
        let engine = &self.request.engine;
        let (token, realm) = (SessionToken::generate()?, engine.config.realms.own());
        let named = (token.id(), token.secret_hash(realm));
        let pointer = external.pointer(named, &to, realm, absolute, engine.now());
        match engine.within(engine.store.create(pointer.into(), SignIn::default())).await? {
            Created::Created { .. } => Ok(()),
            Created::Refused(refused) => Err(SessionError::Refused(refused)),
            Created::Exists | Created::Denied(_) => Err(SessionError::Conflict { field: None }),
        }
    }
}
