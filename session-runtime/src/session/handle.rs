//! The typed handle.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::core::{Core, How, Publish};
use crate::codec::Value;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::record::patch::Add;
use crate::schema::{Counter, Key, SessionSchema, kind};
use crate::ticket::LoginTicket;

/// A typed view of the session of one request.
///
/// Handlers extract it as [`Session<S>`](crate::Session), which adds the generated accessors.
/// Generic code takes `&mut Handle<S>` and uses keys.
///
/// A handle works on a snapshot. Its changes are published to the request when it is dropped (or by
/// [`publish`](Self::publish)), and the layer stores them before the first byte of the response is
/// sent (or [`save`](Self::save) does).
///
/// Two handles alive in one request behave like two concurrent requests: they merge by field.
/// Borrowing a field mutably starts from the latest value that other handles have published. If two
/// handles borrowed a field at the same value, its policy resolves their changes; without one, the
/// later change is kept and a warning names the field.
pub struct Handle<S: SessionSchema> {
    pub(crate) core: Core,
    schema: PhantomData<fn() -> S>,
}

/// Reading and changing fields by key.
impl<S: SessionSchema> Handle<S> {
    pub(crate) fn new(core: Core) -> Self {
        core.backend.scope().gained_viewer();
        Self { core, schema: PhantomData }
    }

    /// Returns the value of a field: the value set, else the stored one, else the default.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(default = "en")] locale: String }
    /// # let t = TestSession::<Visitor>::new(); let mut session = t.session();
    /// assert_eq!(session.get(Visitor::LOCALE), "en");
    /// session.set(Visitor::LOCALE, "de".to_owned());
    /// assert_eq!(session.get(Visitor::LOCALE), "de");
    /// ```
    #[must_use]
    pub fn get<T: 'static, K: kind::Readable>(&self, key: Key<S, T, K>) -> &T {
        typed(self.core.value(key.index()))
    }

    /// Sets a field. Setting the principal to `Some` signs that user in and renews the token, even
    /// if they were signed in already.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # let t = TestSession::<Visitor>::new(); let mut session = t.session();
    /// session.set(Visitor::LOCALE, "de".to_owned());
    /// assert_eq!(session.locale(), "de");
    /// ```
    #[doc(alias("insert"))]
    pub fn set<T: Send + Sync + 'static, K: kind::Settable>(
        &mut self,
        key: Key<S, T, K>,
        value: T,
    ) {
        self.core.put(key.index(), value, How::Set);
    }

    /// Changes a field in place. It is stored only if the value differs afterwards.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { cart: Vec<String> }
    /// # let t = TestSession::<Visitor>::new(); let mut session = t.session();
    /// session.update(Visitor::CART, |cart| cart.push("pen".to_owned()));
    /// assert_eq!(session.cart(), ["pen"]);
    /// ```
    pub fn update<T: 'static, K: kind::Readable, R>(
        &mut self,
        key: Key<S, T, K>,
        change: impl FnOnce(&mut T) -> R,
    ) -> R {
        change(self.__value_mut(key))
    }

    /// Removes the stored value, so that the field reads as its default.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(default = "en")] locale: String }
    /// # let t = TestSession::<Visitor>::new().with(|s| s.set_locale("de"));
    /// t.session().reset(Visitor::LOCALE);
    /// assert_eq!(t.session().locale(), "en");
    /// ```
    #[doc(alias("remove"))]
    pub fn reset<T, K>(&mut self, key: Key<S, T, K>) {
        self.core.reset(key.index());
    }

    /// Adds to a counter, saturating. Concurrent additions all count.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)]
    /// # struct Visitor { locale: String, #[session(counter)] visits: u64 }
    /// # let t = TestSession::<Visitor>::new().with(|s| s.set_locale("en"));
    /// let (mut one, mut two) = (t.session(), t.session()); // two requests at once
    /// one.add(Visitor::VISITS, 1);
    /// two.add(Visitor::VISITS, 2);
    /// # drop((one, two));
    /// assert_eq!(t.session().visits(), 3);
    /// ```
    pub fn add<T: Counter>(&mut self, key: Key<S, T, kind::Counter>, delta: i64) {
        let index = key.index();
        let before = *self.get(key);
        self.core.put_addition(index, before, before.plus(delta), delta);
    }

    /// Takes a flash value: returns it, and removes it when the request commits. A `HEAD` request
    /// removes nothing, because its response has no body to show the value in.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(flash)] notice: Option<String> }
    /// # let t = TestSession::<Visitor>::new();
    /// t.session().set_notice("Saved.");
    /// assert_eq!(t.session().take(Visitor::NOTICE).as_deref(), Some("Saved."));
    /// assert_eq!(t.session().take(Visitor::NOTICE), None);
    /// ```
    pub fn take<T: Send + Sync + 'static>(&mut self, key: Key<S, T, kind::Flash>) -> T {
        let index = key.index();
        let default: T = owned(self.core.field(index).default_value());
        self.core.catch_up(index);
        let change = self.core.begin(index);
        change.how = How::Taken;
        std::mem::replace(typed_mut(&mut change.value), default)
    }

    /// Whether this handle has an unpublished change of the field.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # let t = TestSession::<Visitor>::new(); let mut session = t.session();
    /// session.set_locale("de");
    /// assert!(session.changed(Visitor::LOCALE));
    /// session.publish();
    /// assert!(!session.changed(Visitor::LOCALE));
    /// ```
    #[must_use]
    pub fn changed<T, K>(&self, key: Key<S, T, K>) -> bool {
        self.core.changed(key.index())
    }

    /// Returns the stored names of the fields with unpublished changes in this handle, in the order
    /// of their first change. Keyed nonces come last, once each.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String, cart: Vec<String> }
    /// # let t = TestSession::<Visitor>::new(); let mut session = t.session();
    /// session.cart_mut().push("pen".to_owned());
    /// assert_eq!(session.changed_fields(), ["cart"]);
    /// ```
    #[must_use]
    pub fn changed_fields(&self) -> Vec<&'static str> {
        self.core.changed_fields()
    }

    /// Returns every readable field as (stored name, JSON). Flash, nonce and secret fields are left
    /// out.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)]
    /// # struct Visitor { locale: String, #[session(counter)] visits: u64 }
    /// # let t = TestSession::<Visitor>::new().with(|s| s.set_locale("de"));
    /// for (name, json) in t.session().entries()? {
    ///     println!("{name}: {json}"); // `locale: "de"`, then `visits: 0`
    /// }
    /// # Ok::<(), session_runtime::SessionError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a value does not encode.
    pub fn entries(&self) -> Result<Vec<(&'static str, String)>, SessionError> {
        self.core.entries()
    }

    /// Returns all fields as the struct that declares them, decoded anew.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # let t = TestSession::<Visitor>::new().with(|s| s.set_locale("de"));
    /// let visitor: Visitor = t.session().snapshot();
    /// assert_eq!(visitor.locale, "de");
    /// ```
    #[doc(alias = "copy")]
    #[must_use]
    pub fn snapshot(&self) -> S {
        S::__snapshot(self)
    }

    /// Sets every field from the struct. Unchanged fields are not written. A different principal is
    /// signed in; the same one is not signed in again.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # let t = TestSession::<Visitor>::new(); let mut session = t.session();
    /// session.replace(Visitor { locale: "de".to_owned() });
    /// assert_eq!(session.locale(), "de");
    /// ```
    pub fn replace(&mut self, all: S) {
        all.__replace(self);
    }

    /// Resets every field of this schema except the `write_once` ones. The session itself stays.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(default = "en")] locale: String }
    /// # let t = TestSession::<Visitor>::new().with(|s| s.set_locale("de"));
    /// t.session().clear();
    /// assert_eq!(t.session().locale(), "en");
    /// assert!(!t.session().is_new());
    /// ```
    pub fn clear(&mut self) {
        self.core.clear();
    }

    #[doc(hidden)]
    pub fn __value_mut<T: 'static, K: kind::Readable>(&mut self, key: Key<S, T, K>) -> &mut T {
        let change = self.core.lend(key.index());
        if let How::Added(_) | How::Reset | How::Taken = change.how {
            // After these, borrowing mutably replaces the whole value.
            change.how = How::Set;
        }
        typed_mut(&mut change.value)
    }

    #[doc(hidden)]
    #[must_use]
    pub fn __owned<T: Send + Sync + 'static, K>(&self, key: Key<S, T, K>) -> T {
        owned(self.core.copy_of(key.index()))
    }

    #[doc(hidden)]
    pub fn __put<T: Send + Sync + 'static, K>(&mut self, key: Key<S, T, K>, value: T) {
        self.core.put(key.index(), value, How::Touched);
    }
}

/// The session's lifecycle.
impl<S: SessionSchema> Handle<S> {
    /// Returns the session's public id; `None` until the session is stored. It is not a credential
    /// and may be logged.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # let t = TestSession::<Visitor>::new();
    /// assert!(t.session().id().is_none());
    /// t.session().set_locale("de");
    /// assert!(t.session().id().is_some());
    /// ```
    #[must_use]
    pub fn id(&self) -> Option<&SessionId> {
        self.core.record.as_ref().map(|record| &record.id)
    }

    /// Whether nothing is stored for this visitor yet.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # let t = TestSession::<Visitor>::new();
    /// assert!(t.session().is_new());
    /// t.session().set_locale("de");
    /// assert!(!t.session().is_new());
    /// ```
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.core.record.is_none()
    }

    /// Returns when the session was created; `None` until it is stored.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # let t = TestSession::<Visitor>::new().with(|s| s.set_locale("de"));
    /// let created = t.session().created_at();
    /// t.advance(std::time::Duration::from_secs(300));
    /// assert_eq!(t.session().created_at(), created);
    /// ```
    #[must_use]
    pub fn created_at(&self) -> Option<SystemTime> {
        self.core.record.as_ref().map(|record| record.meta.created.into())
    }

    /// Returns the last recorded activity, including this request; `None` until the session is
    /// stored. Activity is recorded once a tenth of the idle timeout has passed since the last
    /// time, or an hour if there is no idle timeout.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # let t = TestSession::<Visitor>::new().with(|s| s.set_locale("de"));
    /// let before = t.session().last_seen_at();
    /// t.advance(std::time::Duration::from_secs(300));
    /// assert!(t.session().last_seen_at() > before);
    /// ```
    #[must_use]
    pub fn last_seen_at(&self) -> Option<SystemTime> {
        self.core.record.as_ref().map(|record| record.meta.last_seen.into())
    }

    /// Returns the time of the last authentication in this session: a sign-in, or a call of
    /// [`reauthenticated`](Self::reauthenticated).
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(principal)] user_id: Option<u64> }
    /// let t = TestSession::<Visitor>::new().signed_in_as(42);
    /// assert!(t.session().authenticated_at().is_some());
    /// ```
    #[must_use]
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        self.core.record.as_ref()?.meta.authenticated.map(Into::into)
    }

    /// Returns when the session expires if there is no further activity; `None` until it is stored.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # let t = TestSession::<Visitor>::new().with(|s| s.set_locale("de"));
    /// let session = t.session();
    /// assert!(session.expires_at() > session.last_seen_at());
    /// ```
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.core.record.as_ref().map(|record| record.meta.expires_at().into())
    }

    /// Returns how long the session lives if there is no further activity; `None` until it is
    /// stored.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// use std::time::Duration;
    ///
    /// let t = TestSession::<Visitor>::new().with(|s| s.set_locale("de"));
    /// assert_eq!(t.session().expires_in(), Some(Duration::from_secs(30 * 60)));
    /// ```
    #[must_use]
    pub fn expires_in(&self) -> Option<Duration> {
        let expires = self.core.record()?.meta.expires_at();
        Some(expires.since(self.core.backend.now()))
    }

    /// Renews the token. All earlier tokens, and requests that began with one, are refused from
    /// then on. Has no effect on a session that is not stored.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # let t = TestSession::<Visitor>::new().with(|s| s.set_locale("de"));
    /// let old = t.cookie();
    /// t.session().regenerate();
    /// assert_ne!(t.cookie(), old);
    /// ```
    #[doc(alias("cycle_id", "renew", "rotate"))]
    pub fn regenerate(&mut self) {
        self.core.mark_dirty();
        self.core.events.renew = true;
    }

    /// Records an authentication, in a schema without a principal or when the user authenticates
    /// again: renews the token, sets [`authenticated_at`](Self::authenticated_at) and restarts both
    /// timeouts.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(principal)] user_id: Option<u64> }
    /// # use std::time::Duration;
    /// let t = TestSession::<Visitor>::new().signed_in_as(42);
    /// t.advance(Duration::from_secs(600));
    /// // The user has entered the password again:
    /// t.session().reauthenticated();
    /// assert!(t.session().is_fresh(Duration::from_secs(300)));
    /// ```
    pub fn reauthenticated(&mut self) {
        self.core.mark_dirty();
        self.core.events.authenticated = true;
    }

    /// Ends the session, whatever the response turns out to be, and whatever other handles or
    /// requests do. Fields that are set afterwards start a fresh session in the same response.
    ///
    /// A request with the old token that arrives within
    /// [`late_grace`](crate::SessionLayer::late_grace) afterwards can sign in but store nothing
    /// else, so that a late request does not undo the logout.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(principal)] user_id: Option<u64> }
    /// let t = TestSession::<Visitor>::new().signed_in_as(42);
    /// t.session().destroy();
    /// assert!(t.session().is_new());
    /// ```
    #[doc(alias("flush", "delete", "logout", "invalidate"))]
    pub fn destroy(&mut self) {
        self.core.destroy();
    }

    /// Lets the session live this long, even across restarts of the browser, with no idle timeout:
    /// at least one second, at most 400 days. It applies to the current principal only: a later
    /// change of the principal (sign-in or sign-out) resets it.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(principal)] user_id: Option<u64> }
    /// # use std::time::Duration;
    /// let t = TestSession::<Visitor>::new().signed_in_as(42);
    /// let month = Duration::from_secs(30 * 86_400);
    /// t.session().remember(month);
    /// assert_eq!(t.session().expires_in(), Some(month));
    /// ```
    pub fn remember(&mut self, duration: Duration) {
        self.core.mark_dirty();
        self.core.events.remember = Some(duration.max(Duration::from_secs(1)));
    }

    /// Ties the sign-in of this request to the ticket taken when the login began. If all sessions
    /// of the principal have been revoked since, the sign-in is refused.
    ///
    /// Take the ticket before the password is checked, with
    /// [`SessionManager::login_ticket`](crate::SessionManager::login_ticket).
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(principal)] user_id: Option<u64> }
    /// # let t = TestSession::<Visitor>::new();
    /// let ticket = t.typed_manager().login_ticket(&42)?;
    /// // … the password is checked …
    /// let mut session = t.session();
    /// session.redeem(ticket);
    /// session.set_user_id(42);
    /// # drop(session);
    /// # assert_eq!(t.session().user_id(), Some(42));
    /// # Ok::<(), session_runtime::SessionError>(())
    /// ```
    pub fn redeem(&mut self, ticket: LoginTicket) {
        self.core.mark_dirty();
        self.core.events.ticket = Some(ticket);
    }

    /// Whether the last authentication in this session is at most `max_age` ago.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(principal)] user_id: Option<u64> }
    /// # use std::time::Duration;
    /// let t = TestSession::<Visitor>::new().signed_in_as(42);
    /// t.advance(Duration::from_secs(600));
    /// assert!(t.session().is_fresh(Duration::from_secs(900)));
    /// assert!(!t.session().is_fresh(Duration::from_secs(300)));
    /// ```
    #[must_use]
    pub fn is_fresh(&self, max_age: Duration) -> bool {
        let proved = self.core.record().and_then(|record| record.meta.authenticated);
        proved.is_some_and(|at| self.core.backend.now().since(at) <= max_age)
    }

    /// Fails unless the last authentication in this session is at most `max_age` ago; call it
    /// before a sensitive step (OWASP ASVS 7.5.3). Asks the store, not the snapshot.
    ///
    /// ```
    /// # use session_runtime::{Session, SessionError, SessionSchema};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(principal)] user_id: Option<u64> }
    /// # use std::time::Duration;
    /// async fn delete_account(session: Session<Visitor>) -> Result<(), SessionError> {
    ///     session.require_fresh(Duration::from_secs(300)).await?;
    ///     // …
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SessionError::NotFresh`] (401): ask for the password, then call
    /// [`reauthenticated`](Self::reauthenticated); [`SessionError::Gone`] if the session has ended
    /// meanwhile; otherwise what the store reports.
    pub async fn require_fresh(&self, max_age: Duration) -> Result<(), SessionError> {
        let Some(record) = self.core.record() else { return Err(SessionError::NotFresh) };
        let (id, epoch) = (record.id, record.meta.epoch);
        let stored = self.core.backend.reload(id, epoch).await?.ok_or(SessionError::Gone)?;
        let now = self.core.backend.now();
        match stored.meta.authenticated {
            Some(at) if now.since(at) <= max_age => Ok(()),
            _ => Err(SessionError::NotFresh),
        }
    }

    /// Publishes the changes to the request now instead of on drop. Handles extracted later see
    /// them.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # let t = TestSession::<Visitor>::new(); let mut session = t.session();
    /// session.set_locale("de");
    /// session.publish();
    /// session.discard(); // too late
    /// assert_eq!(session.locale(), "de");
    /// ```
    pub fn publish(&mut self) {
        self.core.publish(Publish::Everything);
        self.core.refresh();
    }

    /// Discards the unpublished changes of this handle.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(default = "en")] locale: String }
    /// # let t = TestSession::<Visitor>::new(); let mut session = t.session();
    /// session.set_locale("de");
    /// session.discard();
    /// assert_eq!(session.locale(), "en");
    /// ```
    pub fn discard(&mut self) {
        self.core.forget_changes();
    }

    /// Picks up what other handles of this request have published since, without I/O. Publishes
    /// this handle's own changes first.
    ///
    /// ```
    /// # use session_runtime::{Session, SessionSchema};
    /// # #[derive(SessionSchema)] struct Visitor { cart: Vec<String> }
    /// fn sync(mine: &mut Session<Visitor>, other: &mut Session<Visitor>) -> usize {
    ///     other.publish();
    ///     mine.refresh();
    ///     mine.cart().len()
    /// }
    /// ```
    pub fn refresh(&mut self) {
        self.publish();
    }

    /// Stores the changes now, not at the end of the response: for WebSockets, streams, tasks, and
    /// handlers that must know whether it worked. Once polled, it runs to completion even if this
    /// future is dropped.
    ///
    /// ```
    /// # use session_runtime::{SessionError, SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// # let t = TestSession::<Visitor>::new(); let mut session = t.session();
    /// session.set_locale("de");
    /// session.save().await?;
    /// assert!(!session.is_new());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] if the session has ended, or another request has signed in or out,
    /// meanwhile; [`SessionError::HeadSent`] if a new cookie is needed and the response has
    /// started; otherwise what the store reports.
    pub async fn save(&mut self) -> Result<(), SessionError> {
        self.core.publish(Publish::Everything);
        let backend = Arc::clone(&self.core.backend);
        let saved = backend.save().await;
        match saved {
            Ok(()) => self.core.refresh(),
            // A refused change is not part of the session.
            Err(_) => self.core.look_again(),
        }
        saved
    }

    /// Reads the session from the store again and discards the unpublished changes of this handle.
    ///
    /// ```
    /// # use session_runtime::{SessionError, SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// # let t = TestSession::<Visitor>::new().with(|s| s.set_locale("en"));
    /// let mut session = t.session();
    /// t.session().set_locale("de"); // another request
    /// t.settle().await;
    /// session.reload().await?;
    /// assert_eq!(session.locale(), "de");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] if the session has ended, or another request has signed in or out,
    /// since this request loaded it; otherwise what the store reports.
    pub async fn reload(&mut self) -> Result<(), SessionError> {
        self.core.forget_changes();
        self.core.reload().await
    }
}

impl<S: SessionSchema> Drop for Handle<S> {
    fn drop(&mut self) {
        self.core.publish_at_end();
        self.core.backend.scope().lost_viewer();
    }
}

impl<S: SessionSchema> fmt::Debug for Handle<S> {
    /// Omits the values: they may be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("schema", &S::SCHEMA.name)
            .field("id", &self.id())
            .field("changed", &self.changed_fields())
            .finish_non_exhaustive()
    }
}

impl Core {
    fn put_addition<T: Counter>(&mut self, index: usize, before: T, after: T, delta: i64) {
        let how = match self.change(index).map(|change| &change.how) {
            // A set followed by an addition is a set.
            Some(How::Set | How::Touched | How::Reset | How::Taken) => How::Set,
            Some(How::Added(add)) => {
                How::Added(Add { delta: add.delta.saturating_add(delta), ..*add })
            }
            None => {
                let primary = self.fields.get(self.field(index).name).is_some();
                let absent: T =
                    if primary { owned(self.field(index).default_value()) } else { before };
                How::Added(Add { delta, absent: absent.integer() })
            }
        };
        self.put(index, after, how);
    }
}

const MISMATCH: &str = "keys are made by the derive, which knows the field's type";

fn typed<T: 'static>(value: &(dyn Any + Send + Sync)) -> &T {
    value.downcast_ref().unwrap_or_else(|| unreachable!("{MISMATCH}"))
}

pub(super) fn typed_mut<T: 'static>(value: &mut Value) -> &mut T {
    value.downcast_mut().unwrap_or_else(|| unreachable!("{MISMATCH}"))
}

pub(super) fn owned<T: 'static>(value: Value) -> T {
    *value.downcast().unwrap_or_else(|_| unreachable!("{MISMATCH}"))
}
