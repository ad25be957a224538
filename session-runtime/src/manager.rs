//! Listing, counting and ending sessions by principal.

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::codec::{expiring, inner_to_json};
use crate::config::{Fault, SetupError};
use crate::engine::Engine;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::metrics::Metrics;
use crate::realm::Realm;
use crate::record::{Principal, Record};
use crate::schema::{Field, HasPrincipal, Key, SessionSchema, kind};
use crate::session::{Handle, identifying};
use crate::store::Revoke;
use crate::ticket::LoginTicket;

/// The number of sessions that are read at once.
const PAGE: usize = 500;

/// Lists and ends the sessions of a principal. An extractor; outside a request, get it
/// from [`SessionLayer::manager_for`](crate::SessionLayer::manager_for), or untyped from
/// [`SessionLayer::manager`](crate::SessionLayer::manager).
///
/// A browser whose session was ended gets a fresh, empty session with its next request.
///
/// `SessionManager<S>` takes the principal type of the schema `S`. The untyped
/// `SessionManager` takes any type that is the principal of exactly one schema
/// known to the layer, and rejects others.
///
/// ```
/// use session_runtime::testing::TestSession;
/// use session_runtime::{Authenticated, SessionError, SessionManager, SessionSchema};
///
/// #[derive(SessionSchema)]
/// struct Visitor {
///     #[session(principal)]
///     user_id: Option<u64>,
/// }
///
/// async fn sign_out_elsewhere(
///     who: Authenticated<Visitor>,
///     sessions: SessionManager<Visitor>,
/// ) -> Result<String, SessionError> {
///     let all = sessions.sessions_of(who.principal()).await?;
///     let ended = sessions.revoke_others(&who).await?;
///     Ok(format!("ended {ended} of {} sessions", all.len()))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), SessionError> {
/// let phone = TestSession::<Visitor>::new().signed_in_as(42);
/// let laptop = phone.another_visitor().signed_in_as(42);
/// let text = sign_out_elsewhere(phone.authenticated(), phone.typed_manager()).await?;
/// assert_eq!(text, "ended 1 of 2 sessions");
/// assert_eq!(laptop.session().user_id(), None);
/// # Ok(())
/// # }
/// ```
pub struct SessionManager<S = AnySchema> {
    engine: Arc<Engine>,
    /// `None` for all realms whose sessions the layer opens.
    realm: Option<Realm>,
    schema: PhantomData<fn() -> S>,
}

/// Marks an untyped [`SessionManager`], which finds the schema by the principal's type.
#[derive(Clone, Copy, Debug)]
pub enum AnySchema {}

/// The displayable data of a stored session. Never contains a token.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The public id, for [`SessionManager::revoke`].
    pub id: SessionId,
    /// The time of creation.
    pub created_at: SystemTime,
    /// The last recorded activity. Activity is recorded once a tenth of the idle timeout,
    /// or an hour without one, has passed since the last recording.
    pub last_seen_at: SystemTime,
    /// The time of the user's last authentication.
    pub authenticated_at: Option<SystemTime>,
    /// The expiry time if there is no further activity.
    pub expires_at: SystemTime,
    listed: Vec<(&'static str, Box<str>)>,
}

impl SessionInfo {
    fn of(record: &Record, listed: &[&'static Field], now: Timestamp) -> Self {
        let fields = listed.iter().filter_map(|field| {
            let stored = field.names().find_map(|name| record.fields.get(name))?;
            let live = if field.ttl.is_some() { expiring::live(stored, now)? } else { stored };
            Some((field.name, String::from_utf8_lossy(live).into()))
        });
        Self {
            id: record.id,
            created_at: record.meta.created.into(),
            last_seen_at: record.meta.last_seen.into(),
            authenticated_at: record.meta.authenticated.map(Into::into),
            expires_at: record.meta.expires_at().into(),
            listed: fields.collect(),
        }
    }

    /// Returns the value of a field marked `listed`, such as a device name. Returns the
    /// field's default if nothing is stored, if the stored value does not decode as `T`, or
    /// if the field is not marked.
    #[must_use]
    pub fn get<S: SessionSchema, T: 'static, K: kind::Readable>(&self, key: Key<S, T, K>) -> T {
        let stored = self.listed().find(|(name, _)| *name == key.name());
        let decoded = stored.and_then(|(_, json)| (key.codec().decode)(json.as_bytes()).ok());
        let value = decoded.unwrap_or_else(|| S::SCHEMA.fields[key.index()].default_value());
        *value.downcast().unwrap_or_else(|_| unreachable!("a key knows its field's type"))
    }

    /// Returns the stored fields marked `listed`, as (stored name, JSON).
    pub fn listed(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.listed.iter().map(|(name, json)| (*name, &**json))
    }
}

impl fmt::Debug for SessionInfo {
    /// Omits the values of the listed fields, which do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed: Vec<_> = self.listed().map(|(name, _)| name).collect();
        f.debug_struct("SessionInfo")
            .field("id", &self.id)
            .field("created_at", &self.created_at)
            .field("last_seen_at", &self.last_seen_at)
            .field("authenticated_at", &self.authenticated_at)
            .field("expires_at", &self.expires_at)
            .field("listed", &listed)
            .finish()
    }
}

impl<S> SessionManager<S> {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, realm: None, schema: PhantomData }
    }

    /// Returns a manager restricted to the sessions of one realm: the layer's own, or one
    /// that it [accepts](crate::SessionLayer::accept_realm). An unrestricted manager covers
    /// all of them.
    ///
    /// # Errors
    ///
    /// [`SessionError::UnknownRealm`] if the realm is neither.
    pub fn in_realm(&self, name: &str) -> Result<Self, SessionError> {
        let realms = &self.engine.config.realms;
        let known = realms.all().find(|realm| realm.as_str() == name);
        let realm = known.ok_or_else(|| SessionError::UnknownRealm { realm: name.to_owned() })?;
        Ok(Self { realm: Some(realm.clone()), ..self.clone() })
    }

    /// Returns the principal with this JSON in each realm that the manager covers.
    fn principals(&self, namespace: &str, json: &str) -> Vec<Principal> {
        let of = |realm| Principal::of(realm, namespace, json);
        match &self.realm {
            Some(realm) => vec![of(realm)],
            None => self.engine.config.realms.all().map(of).collect(),
        }
    }

    /// Ends all other sessions of the user signed in to `session`, and returns their
    /// number: 0 if no user is signed in.
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] if the session was read from a cache and has ended;
    /// [`SessionError::Unencodable`] if the principal was set to a value that cannot be
    /// encoded; [`SessionError::Store`] if the store fails.
    pub async fn revoke_others<V: SessionSchema>(
        &self,
        session: &Handle<V>,
    ) -> Result<u64, SessionError> {
        // The principal as the handle sees it, including a sign-in by this request.
        let Some(principal) = session.core.principal()? else { return Ok(0) };
        session.core.vouched().await?;
        let which = session.id().map_or(Revoke::All, |id| Revoke::Others(*id));
        self.end(&self.principals(V::SCHEMA.namespace, &principal), which).await
    }

    /// Returns the layer's counters since it was built, in this process.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)]
    /// # struct Visitor { #[session(principal)] user_id: Option<u64> }
    /// let t = TestSession::<Visitor>::new().signed_in_as(42);
    /// let metrics = t.manager().metrics();
    /// assert_eq!((metrics.signed_in, metrics.errors), (1, 0));
    /// ```
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.engine.metrics.read(self.engine.store.cache())
    }

    /// Returns the number of live sessions in the store, whatever their realm.
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] if the store fails or cannot count.
    pub async fn count(&self) -> Result<u64, SessionError> {
        Ok(self.engine.within(self.engine.store.count()).await?)
    }

    fn ticket(&self, namespace: &str, json: &str) -> LoginTicket {
        let realm = self.engine.config.realms.own();
        LoginTicket::new(Principal::of(realm, namespace, json), self.engine.now())
    }

    async fn all(&self, principals: &[Principal]) -> Result<Vec<SessionInfo>, SessionError> {
        let listed = self.engine.schemas().listed();
        let store = &self.engine.store;
        let mut all = Vec::new();
        for principal in principals {
            let mut from = None;
            loop {
                let page = self.engine.within(store.list(principal, from.as_ref(), PAGE)).await?;
                let now = self.engine.now();
                all.extend(page.records.iter().map(|record| SessionInfo::of(record, &listed, now)));
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
        }
        all.sort_by_key(|info| std::cmp::Reverse((info.last_seen_at, info.created_at, info.id)));
        Ok(all)
    }

    async fn end(&self, principals: &[Principal], which: Revoke) -> Result<u64, SessionError> {
        Ok(self.engine.revoke(principals, which).await?)
    }
}

impl SessionManager {
    /// Returns the live sessions of `principal`, the most recently seen first.
    ///
    /// # Errors
    ///
    /// [`SessionError::Setup`] if not exactly one schema has a principal of this type;
    /// [`SessionError::Unencodable`] or [`SessionError::AmbiguousPrincipal`] if the value
    /// does not identify a user; [`SessionError::Store`] if the store fails.
    pub async fn sessions_of<P: PrincipalRef + ?Sized>(
        &self,
        principal: &P,
    ) -> Result<Vec<SessionInfo>, SessionError> {
        self.all(&self.named(principal)?).await
    }

    /// Ends one session of `principal`, and returns whether it existed. Never ends a
    /// session of another principal, whatever its id.
    ///
    /// # Errors
    ///
    /// Same as [`sessions_of`](Self::sessions_of).
    pub async fn revoke<P: PrincipalRef + ?Sized>(
        &self,
        principal: &P,
        id: SessionId,
    ) -> Result<bool, SessionError> {
        Ok(self.end(&self.named(principal)?, Revoke::One(id)).await? > 0)
    }

    /// Ends all sessions of `principal`, and returns their number.
    ///
    /// # Errors
    ///
    /// Same as [`sessions_of`](Self::sessions_of).
    pub async fn revoke_all<P: PrincipalRef + ?Sized>(
        &self,
        principal: &P,
    ) -> Result<u64, SessionError> {
        self.end(&self.named(principal)?, Revoke::All).await
    }

    /// Returns a ticket that records when a login of `principal` began. Take it before
    /// checking the password, and pass it to [`Handle::redeem`].
    ///
    /// # Errors
    ///
    /// [`SessionError::Setup`] if not exactly one schema has a principal of this type;
    /// [`SessionError::Unencodable`] or [`SessionError::AmbiguousPrincipal`] if the value
    /// does not identify a user.
    pub fn login_ticket<P: PrincipalRef + ?Sized>(
        &self,
        principal: &P,
    ) -> Result<LoginTicket, SessionError> {
        let (namespace, json) = self.of_type(principal)?;
        Ok(self.ticket(namespace, &json))
    }

    fn named<P: PrincipalRef + ?Sized>(
        &self,
        principal: &P,
    ) -> Result<Vec<Principal>, SessionError> {
        let (namespace, json) = self.of_type(principal)?;
        Ok(self.principals(namespace, &json))
    }

    fn of_type<P: PrincipalRef + ?Sized>(
        &self,
        principal: &P,
    ) -> Result<(&'static str, String), SessionError> {
        let given = std::any::type_name::<P>();
        let refused = SetupError::from(Fault::PrincipalType { given });
        let [(namespace, field)] = self.engine.schemas().with_principal(P::field_type())[..] else {
            return Err(refused.into());
        };
        Ok((namespace, text_of(field, principal)?))
    }
}

/// Returns the text by which `principal`, the value of `field`, is indexed.
fn text_of<P: Serialize + ?Sized>(
    field: &'static Field,
    principal: &P,
) -> Result<String, SessionError> {
    let json = inner_to_json(principal)
        .map_err(|source| SessionError::Unencodable { field: field.name, source })?;
    identifying(field, &json)?;
    Ok(String::from_utf8_lossy(&json).into_owned())
}

/// A principal for the untyped [`SessionManager`]; a `str` stands for a `String`.
pub trait PrincipalRef: Serialize + Sync {
    #[doc(hidden)]
    fn field_type() -> TypeId;
}

impl<P: Serialize + Sync + 'static> PrincipalRef for P {
    fn field_type() -> TypeId {
        TypeId::of::<Option<P>>()
    }
}

impl PrincipalRef for str {
    fn field_type() -> TypeId {
        TypeId::of::<Option<String>>()
    }
}

impl<S: HasPrincipal> SessionManager<S> {
    fn json_of(principal: &S::Principal) -> Result<String, SessionError> {
        text_of(&S::SCHEMA.fields[S::PRINCIPAL.index()], principal)
    }

    fn named_by(&self, principal: &S::Principal) -> Result<Vec<Principal>, SessionError> {
        Ok(self.principals(S::SCHEMA.namespace, &Self::json_of(principal)?))
    }

    /// Returns the live sessions of `principal`, the most recently seen first.
    ///
    /// # Errors
    ///
    /// [`SessionError::Unencodable`] or [`SessionError::AmbiguousPrincipal`] if the value
    /// does not identify a user; [`SessionError::Store`] if the store fails.
    pub async fn sessions_of(
        &self,
        principal: &S::Principal,
    ) -> Result<Vec<SessionInfo>, SessionError> {
        self.all(&self.named_by(principal)?).await
    }

    /// Ends one session of `principal`, and returns whether it existed. Never ends a
    /// session of another principal, whatever its id.
    ///
    /// # Errors
    ///
    /// Same as [`sessions_of`](Self::sessions_of).
    pub async fn revoke(
        &self,
        principal: &S::Principal,
        id: SessionId,
    ) -> Result<bool, SessionError> {
        Ok(self.end(&self.named_by(principal)?, Revoke::One(id)).await? > 0)
    }

    /// Returns a ticket that records when a login of `principal` began. Take it before
    /// checking the password, and pass it to [`Handle::redeem`].
    ///
    /// # Errors
    ///
    /// [`SessionError::Unencodable`] or [`SessionError::AmbiguousPrincipal`] if the value
    /// does not identify a user.
    pub fn login_ticket(&self, principal: &S::Principal) -> Result<LoginTicket, SessionError> {
        Ok(self.ticket(S::SCHEMA.namespace, &Self::json_of(principal)?))
    }

    /// Ends all sessions of `principal`, and returns their number.
    ///
    /// # Errors
    ///
    /// Same as [`sessions_of`](Self::sessions_of).
    pub async fn revoke_all(&self, principal: &S::Principal) -> Result<u64, SessionError> {
        self.end(&self.named_by(principal)?, Revoke::All).await
    }
}

impl<S> Clone for SessionManager<S> {
    fn clone(&self) -> Self {
        let (engine, realm) = (Arc::clone(&self.engine), self.realm.clone());
        Self { engine, realm, schema: PhantomData }
    }
}

impl<S> fmt::Debug for SessionManager<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionManager")
    }
}
