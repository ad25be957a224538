//! Sessions outside of a request: listing, counting, ending and changing them.
//!
//! - `info`: what a listing shows of a session
//! - `untyped`: the manager that finds the schema by the principal's type
//! - `typed`: the manager of one schema
//! - `update`: changes from anywhere
//! - `export`: what is stored about a user
//! - `external`: ends sessions by the id of a session elsewhere
//! - `everybody`: ends the sessions of all users

mod everybody;
mod export;
mod external;
mod info;
mod typed;
mod untyped;
mod update;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

pub use self::export::ExportedSession;
pub use self::info::{SessionInfo, SessionPage};
pub use self::untyped::PrincipalRef;
use serde::Serialize;

use crate::codec::inner_to_json;
use crate::engine::Engine;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::metrics::Metrics;
use crate::realm::Realm;
use crate::record::{EndReason, Principal, Record};
use crate::schema::{Field, SessionSchema};
use crate::session::{Handle, identifying};
use crate::store::{Cursor, Revoke, StoreError, StoreErrorKind};
use crate::ticket::LoginTicket;

/// The number of sessions that are read at once.
const PAGE: usize = 500;

/// Lists, ends and changes the sessions of a principal. An extractor; outside a request, get it
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
    /// Why the sessions end that it ends.
    because: EndReason,
    schema: PhantomData<fn() -> S>,
}

/// A page of stored sessions.
struct Records {
    records: Vec<Arc<Record>>,
    next: Option<Cursor>,
}

/// Marks an untyped [`SessionManager`], which finds the schema by the principal's type.
#[derive(Clone, Copy, Debug)]
pub enum AnySchema {}

impl<S> SessionManager<S> {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, realm: None, because: EndReason::OtherDevice, schema: PhantomData }
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

    /// Returns a manager that ends sessions by an administrator, not by their user from another
    /// device: the client learns of it by [`EndReason::Administrator`].
    ///
    /// ```
    /// # use session_runtime::{EndReason, SessionError, SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(principal)] user_id: Option<u64> }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let t = TestSession::<Visitor>::new().signed_in_as(42);
    /// t.typed_manager().as_administrator().revoke_all(&42).await?;
    /// assert_eq!(t.session().ended_because(), Some(EndReason::Administrator));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn as_administrator(&self) -> Self {
        Self { because: EndReason::Administrator, ..self.clone() }
    }

    /// Returns the principal with this JSON in each realm that the manager covers: of the user's own
    /// sessions, and of those in which another user acts as this one.
    fn principals(&self, namespace: &str, json: &str) -> Vec<Principal> {
        let realms = self.covered().map(|realm| Principal::of(realm, namespace, json));
        realms.flat_map(|own| [own.clone(), own.acted()]).collect()
    }

    /// Returns the realms that the manager covers.
    fn covered(&self) -> impl Iterator<Item = &Realm> {
        let all = self.engine.config.realms.all();
        all.filter(|it| self.realm.as_ref().is_none_or(|only| only == *it))
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

    /// Returns the number of live sessions in the store, whatever their realm, and of
    /// [external ids](Handle::set_external_id).
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
        let mut all = Vec::new();
        let mut from = None;
        loop {
            let page = self.page_of(principals, from.as_ref(), PAGE).await?;
            all.extend(page.sessions);
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        all.sort_by_key(|info| std::cmp::Reverse((info.last_seen_at, info.created_at, info.id)));
        Ok(all)
    }

    /// Returns a page of the sessions of these principals, who are one user in several realms.
    async fn page_of(
        &self,
        principals: &[Principal],
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<SessionPage, SessionError> {
        let Records { records, next } = self.records_of(principals, from, limit).await?;
        let (listed, now) = (self.engine.schemas().listed(), self.engine.now());
        let sessions = records.iter().map(|record| SessionInfo::of(record, &listed, now)).collect();
        Ok(SessionPage { sessions, next })
    }

    /// The same, as stored. A cursor names the principal by its number, and the place among its
    /// sessions.
    async fn records_of(
        &self,
        principals: &[Principal],
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Records, SessionError> {
        let foreign = || StoreError::because(StoreErrorKind::Config, "a cursor of another walk");
        let (at, place) = match from.map(|from| from.as_str().split_once('.').ok_or_else(foreign)) {
            None => (0, None),
            Some(parts) => {
                let (at, place) = parts?;
                let at = at.parse::<usize>().map_err(|_| foreign())?;
                (at, (!place.is_empty()).then(|| Cursor::new(place)))
            }
        };
        let principal = principals.get(at).ok_or_else(foreign)?;
        let store = &self.engine.store;
        let page = self.engine.within(store.list(principal, place.as_ref(), limit.max(1))).await?;
        let next = match page.next {
            Some(place) => Some(Cursor::new(format!("{at}.{}", place.as_str()))),
            None if at + 1 < principals.len() => Some(Cursor::new(format!("{}.", at + 1))),
            None => None,
        };
        Ok(Records { records: page.records, next })
    }

    /// Returns session `id` of these principals, who are one user in several realms.
    async fn find(
        &self,
        principals: &[Principal],
        id: SessionId,
    ) -> Result<Option<Arc<Record>>, SessionError> {
        let mut from = None;
        loop {
            let page = self.records_of(principals, from.as_ref(), PAGE).await?;
            if let Some(found) = page.records.into_iter().find(|record| record.id == id) {
                return Ok(Some(found));
            }
            from = page.next;
            if from.is_none() {
                return Ok(None);
            }
        }
    }

    async fn end(&self, principals: &[Principal], which: Revoke) -> Result<u64, SessionError> {
        Ok(self.engine.revoke(principals, which, self.because).await?)
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

impl<S> Clone for SessionManager<S> {
    fn clone(&self) -> Self {
        let (engine, realm) = (Arc::clone(&self.engine), self.realm.clone());
        Self { engine, realm, because: self.because, schema: PhantomData }
    }
}

impl<S> fmt::Debug for SessionManager<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionManager")
    }
}
