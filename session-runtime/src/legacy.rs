//! Sessions that another library left, taken over without signing anybody out.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

use crate::id::SessionId;
use crate::patch::{Lifetime, SignIn};
use crate::record::{Meta, Principal, Record};
use crate::request::{Looked, RequestSession};
use crate::schema::Schema;
use crate::session::{CookieChange, Origin, Write, seal};
use crate::store::{Created, StoreError, StoreFuture};
use crate::token::SessionToken;
use crate::{SessionError, cookie};

/// What is in a session that was taken over: stored field names, each with the
/// JSON of its value.
pub type LegacyFields = Vec<(String, Vec<u8>)>;

/// Where sessions of another library are, and which cookie opens them: for
/// [`SessionLayer::adopt`](crate::SessionLayer::adopt).
///
/// # Contract
///
/// 1. [`load`](Self::load) shows what the cookie opened before, and nothing
///    where it opened nothing: an expired session is none.
/// 2. After an acknowledged [`delete`](Self::delete) no load finds it.
pub trait Legacy: Send + Sync + 'static {
    /// The name of the cookie that browsers still have.
    fn cookie_name(&self) -> &str;

    /// The `Set-Cookie` that removes it, with the path and domain it was set
    /// with.
    fn removal(&self) -> HeaderValue;

    /// The credential in the cookie's value: the same for every way to write
    /// it. `None` for what is none.
    fn credential(&self, value: &str) -> Option<String>;

    /// What `credential` opens.
    ///
    /// # Errors
    ///
    /// If that cannot be known now. A failed load is never "nothing".
    fn load<'a>(
        &'a self,
        credential: &'a str,
    ) -> StoreFuture<'a, Result<Option<LegacyFields>, StoreError>>;

    /// Removes it. Nothing there is not an error.
    ///
    /// # Errors
    ///
    /// If it may still be there.
    fn delete<'a>(&'a self, credential: &'a str) -> StoreFuture<'a, Result<(), StoreError>>;
}

/// The setting of the layer.
#[derive(Clone)]
pub(crate) struct Adopt {
    pub(crate) legacy: Arc<dyn Legacy>,
    /// Names that no schema has, and that were reported.
    unknown: Arc<Mutex<BTreeSet<String>>>,
}

/// How many names are reported at most: in another library they may be made at
/// run time.
const UNKNOWN: usize = 64;

impl Adopt {
    pub(crate) fn new(legacy: impl Legacy) -> Self {
        Self { legacy: Arc::new(legacy), unknown: Arc::default() }
    }

    /// Says once which names are of no field. They are kept all the same.
    fn report(&self, fields: &LegacyFields, schemas: &[&'static Schema]) {
        let is_known = |name: &str| {
            let mut fields = schemas.iter().flat_map(|schema| schema.fields);
            fields.any(|field| field.names().any(|known| known == name))
        };
        let names = fields.iter().map(|(name, _)| name).filter(|name| !is_known(name));
        // Nothing panics while it is held.
        let mut reported = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = Vec::new();
        for name in names {
            if reported.len() < UNKNOWN && reported.insert(name.clone()) {
                new.push(name);
            }
        }
        if !new.is_empty() {
            tracing::warn!(
                names = ?new,
                "sessions that are taken over hold what no schema has a field for; it is kept as it is"
            );
        }
    }
}

impl fmt::Debug for Adopt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Adopt").field(&self.legacy.cookie_name()).finish()
    }
}

impl RequestSession {
    /// The session of a request that has none of ours but a cookie from before.
    ///
    /// Its first token follows from the old credential, so that requests at
    /// once, and those after a response that was lost, all arrive at one
    /// session. That token is due for its successor from the start: once a
    /// browser has presented that, the old cookie opens nothing any more.
    pub(crate) async fn adopt_legacy(
        &self,
        adopt: &Adopt,
        headers: &HeaderMap,
    ) -> Result<Looked, SessionError> {
        let (legacy, nobody) = (&*adopt.legacy, Ok(Looked::nobody()));
        let Some(credential) = cookie::values(headers, legacy.cookie_name())
            .find_map(|value| legacy.credential(&value))
        else {
            return nobody;
        };
        let token = first_token(legacy.cookie_name(), &credential);
        let mut found = self.look_up(token.clone(), false).await?;
        if matches!(found.origin, Origin::Nobody) {
            if let Some(fields) = self.engine.within(legacy.load(&credential)).await? {
                self.take_over(adopt, &token, fields).await?;
            }
            // Stored just now, here or by a request beside this one.
            found = self.look_up(token, false).await?;
        }
        self.scope.state().legacy = true;
        if matches!(found.origin, Origin::Stored(_)) {
            // Before anybody uses it, so that what ends it cannot be undone by
            // what is left of it.
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
        let schemas = self.engine.schemas().all();
        adopt.report(&fields, &schemas);
        for schema in &schemas {
            if meta.versions.get(schema.namespace) < schema.version {
                meta.versions.set(schema.namespace, schema.version);
            }
            let stored = |name| fields.iter().find(|(stored, _)| *stored == name);
            let principal = schema.principal().and_then(|field| field.names().find_map(stored));
            if let Some((_, json)) = principal
                && json != crate::codec::NULL
                && let Ok(json) = std::str::from_utf8(json)
            {
                // When they proved who they are is not known: `authenticated` stays empty.
                meta.principal = Some(Principal::of(realm, schema.namespace, json));
            }
        }
        let record = Record::new(token.id(), meta, fields.into_iter().collect());
        let cookie = CookieChange::Set { token: token.clone(), expires: None };
        let (record, sign_in) = (Box::new(record), SignIn::default());
        let mut write = Write::Create { record, sign_in, cookie, from: None, ends: None };
        seal(&mut write, &schemas, &config.keys)?;
        let Write::Create { record, sign_in, .. } = write else { return Ok(()) };
        match self.engine.within(self.engine.store.create(*record, sign_in)).await? {
            Created::Created => tracing::debug!(session = %token.id(), "session taken over"),
            Created::Exists => {}
            Created::Denied(denied) => return Err(SessionError::SignInDenied(denied)),
            Created::Refused(refused) => return Err(SessionError::Refused(refused)),
        }
        Ok(())
    }
}

/// Whoever has the old credential arrives at this token; whoever has this
/// token, or what is stored of it, does not arrive at the credential.
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

/// Removes the old cookie together with the first cookie of ours.
pub(crate) fn remove_cookie(headers: &mut HeaderMap, legacy: &dyn Legacy) {
    headers.append(header::SET_COOKIE, legacy.removal());
}
