//! Takes over the sessions of another library without signing anyone out.

use std::sync::Arc;

use http::HeaderMap;
use sha2::{Digest, Sha256};

use super::{LookedUp, RequestSession};
use crate::codec::NULL;
use crate::cookie::values;
use crate::error::SessionError;
use crate::event::{Happening, SecurityEventKind};
use crate::id::SessionId;
use crate::legacy::{Adopt, LegacyFields};
use crate::record::patch::{Lifetime, SignIn};
use crate::record::{Meta, Principal, Record};
use crate::schema::Schema;
use crate::session::{CookieChange, Create, Origin};
use crate::store::Created;
use crate::token::SessionToken;

impl RequestSession {
    /// Returns the session of a request that has no session cookie of ours but one of the former
    /// library.
    ///
    /// Its first token is derived from the old credential, so that concurrent requests, and those
    /// after a lost response, all reach one session. That token is due for rotation from the start:
    /// once a browser has presented its successor, the old cookie opens nothing any more.
    pub(super) async fn adopt_legacy(
        &self,
        adopt: &Adopt,
        headers: &HeaderMap,
    ) -> Result<LookedUp, SessionError> {
        let (legacy, nobody) = (&*adopt.legacy, Ok(LookedUp::nobody()));
        let Some(credential) =
            values(headers, legacy.cookie_name()).find_map(|value| legacy.credential(&value))
        else {
            return nobody;
        };
        let token = first_token(legacy.cookie_name(), &credential);
        let mut found = self.look_up_adopted(token.clone()).await?;
        if matches!(found.origin, Origin::Nobody) {
            if let Some(fields) = self.engine.within(legacy.load(&credential)).await? {
                self.take_over(adopt, &token, fields).await?;
            }
            // It has just been stored, here or by a concurrent request.
            found = self.look_up_adopted(token).await?;
        }
        self.scope.state().legacy = true;
        if matches!(found.origin, Origin::Stored(_)) {
            // Deleted before the new session is used, so that ending that one cannot be undone by
            // the old one.
            self.engine.within(legacy.delete(&credential)).await?;
        }
        Ok(found)
    }

    async fn take_over(
        &self,
        adopt: &Adopt,
        token: &SessionToken,
        fields: LegacyFields,
    ) -> Result<(), SessionError> {
        let config = &self.engine.config;
        let now = self.engine.now();
        let lifetime = Lifetime {
            idle: config.policy.idle,
            absolute: config.policy.absolute,
            remember: false,
        };
        let realm = config.realms.own();
        let mut meta = Meta::new(token.secret_hash(realm), now, lifetime);
        meta.realm = realm.clone();
        let schemas: Vec<_> = self.engine.schemas().all().collect();
        report_unknown(adopt, &fields, &schemas);
        for schema in &schemas {
            if meta.versions.get(schema.namespace) < schema.version {
                meta.versions.set(schema.namespace, schema.version);
            }
            let stored = |name| fields.iter().find(|(stored, _)| *stored == name);
            let principal = schema.principal().and_then(|field| field.names().find_map(stored));
            if let Some((_, json)) = principal
                && json != NULL
                && let Ok(json) = std::str::from_utf8(json)
            {
                // The time of the authentication is unknown: `authenticated` stays empty.
                meta.principal = Some(Principal::of(realm, schema.namespace, json));
            }
        }
        let record = Record::new(token.id(), meta, fields.into_iter().collect());
        let cookie = CookieChange::Set { token: token.clone(), expires: None };
        let (record, sign_in) = (Arc::new(record), SignIn::default());
        let mut create = Create { record, sign_in, cookie, from: None, ends: None, follows: false };
        create.seal(&schemas, &config.keys)?;
        let Create { record, sign_in, .. } = create;
        let principal = record.meta.principal.clone();
        match self.engine.within(self.engine.store.create(record, sign_in)).await? {
            Created::Created { .. } => {
                let event = Happening::new(SecurityEventKind::Adopted).of(token.id());
                self.engine.happened(&event.by(principal.as_ref()));
            }
            Created::Exists => {}
            Created::Denied(denied) => return Err(SessionError::SignInDenied(denied)),
            Created::Refused(refused) => return Err(SessionError::Refused(refused)),
        }
        Ok(())
    }
}

/// Reports once which names belong to no field. They are kept all the same.
fn report_unknown(adopt: &Adopt, fields: &LegacyFields, schemas: &[&'static Schema]) {
    let is_known = |name: &str| {
        let mut fields = schemas.iter().flat_map(|schema| schema.fields);
        fields.any(|field| field.names().any(|known| known == name))
    };
    let names = fields.iter().map(|(name, _)| name).filter(|name| !is_known(name));
    let names = adopt.unreported(names.cloned());
    if !names.is_empty() {
        tracing::warn!(
            ?names,
            "sessions that were taken over hold values that no schema has a field for; they are kept unchanged"
        );
    }
}

/// Derives the first token from the old credential. The credential cannot be derived from the
/// token, nor from what is stored of it.
fn first_token(cookie: &str, credential: &str) -> SessionToken {
    let hash = |purpose: &[u8]| {
        let hash: [u8; 32] = Sha256::new_with_prefix(purpose)
            .chain_update(cookie)
            .chain_update([0])
            .chain_update(credential)
            .finalize()
            .into();
        let mut half = [0; SessionId::BYTES];
        half.copy_from_slice(&hash[..SessionId::BYTES]);
        half
    };
    SessionToken::of(SessionId::from_bytes(hash(b"adopted id ")), hash(b"adopted secret "))
}
