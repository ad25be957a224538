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

/// One request's typed view of a session.
///
/// Handlers extract it as [`Session<S>`](crate::Session), which adds the
/// generated accessors. Generic code takes `&mut Handle<S>` and uses keys.
///
/// A handle works on a snapshot. What it changes is published to the request
/// when it is dropped (or by [`publish`](Self::publish)), and stored by the
/// layer before the first byte of the response leaves (or by
/// [`save`](Self::save)). Two handles alive in one request behave like two
/// concurrent requests: they merge by field. A field that is borrowed to be changed in
/// place begins with what other handles have published of it until then; two that
/// were borrowed from the same value are merged as the field declares, and otherwise
/// the later change is kept and a warning names the field.
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

    /// The value of a field: what was set, else what is stored, else the default.
    #[must_use]
    pub fn get<T: 'static, K: kind::Readable>(&self, key: Key<S, T, K>) -> &T {
        typed(self.core.value(key.index()))
    }

    /// Sets a field. Setting the principal to somebody signs them in: the
    /// token is renewed, even if they were signed in before.
    #[doc(alias("insert"))]
    pub fn set<T: Send + Sync + 'static, K: kind::Settable>(
        &mut self,
        key: Key<S, T, K>,
        value: T,
    ) {
        self.core.put(key.index(), value, How::Set);
    }

    /// Changes a field in place. It is written only if its value differs then.
    pub fn update<T: 'static, K: kind::Readable, R>(
        &mut self,
        key: Key<S, T, K>,
        change: impl FnOnce(&mut T) -> R,
    ) -> R {
        change(self.__value_mut(key))
    }

    /// Removes what is stored, so that the field reads as its default.
    #[doc(alias("remove"))]
    pub fn reset<T, K>(&mut self, key: Key<S, T, K>) {
        self.core.reset(key.index());
    }

    /// Adds to a counter, saturating. Concurrent additions all count.
    pub fn add<T: Counter>(&mut self, key: Key<S, T, kind::Counter>, delta: i64) {
        let index = key.index();
        let before = *self.get(key);
        self.core.put_addition(index, before, before.plus(delta), delta);
    }

    /// Takes a flash value: it is removed when the request commits. A `HEAD` request
    /// removes none, because its response has no body to show it in.
    pub fn take<T: Send + Sync + 'static>(&mut self, key: Key<S, T, kind::Flash>) -> T {
        let index = key.index();
        let default: T = owned(self.core.field(index).default_value());
        self.core.catch_up(index);
        let change = self.core.begin(index);
        change.how = How::Taken;
        std::mem::replace(typed_mut(&mut change.value), default)
    }

    /// Whether this handle changed the field and has not published that.
    #[must_use]
    pub fn changed<T, K>(&self, key: Key<S, T, K>) -> bool {
        self.core.changed(key.index())
    }

    /// The stored names of the fields that this handle changed and has not
    /// published, in the order of the first change; a keyed nonce once, and last.
    #[must_use]
    pub fn changed_fields(&self) -> Vec<&'static str> {
        self.core.changed_fields()
    }

    /// Every readable field as (stored name, JSON). Flash, nonce and secret
    /// fields are left out.
    ///
    /// # Errors
    ///
    /// If a value does not encode.
    pub fn entries(&self) -> Result<Vec<(&'static str, String)>, SessionError> {
        self.core.entries()
    }

    /// All fields as the struct they were declared in, decoded anew.
    #[doc(alias = "copy")]
    #[must_use]
    pub fn snapshot(&self) -> S {
        S::__snapshot(self)
    }

    /// Sets every field from the struct. What does not differ is not written;
    /// another principal signs in, the same one does not sign in again.
    pub fn replace(&mut self, all: S) {
        all.__replace(self);
    }

    /// Resets every field of this schema, but for those that are written once.
    /// The session itself stays.
    pub fn clear(&mut self) {
        self.core.clear();
    }

    #[doc(hidden)]
    pub fn __value_mut<T: 'static, K: kind::Readable>(&mut self, key: Key<S, T, K>) -> &mut T {
        let change = self.core.lend(key.index());
        if let How::Added(_) | How::Reset | How::Taken = change.how {
            // Borrowing after these replaces the value as a whole.
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

/// The life of the session.
impl<S: SessionSchema> Handle<S> {
    /// The session's public id; `None` until something is stored. It may be
    /// logged: it is not a credential.
    #[must_use]
    pub fn id(&self) -> Option<&SessionId> {
        self.core.record.as_ref().map(|record| &record.id)
    }

    /// Whether nothing is stored for this visitor yet.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.core.record.is_none()
    }

    /// When the session was created.
    #[must_use]
    pub fn created_at(&self) -> Option<SystemTime> {
        self.core.record.as_ref().map(|record| record.meta.created.into())
    }

    /// The last recorded activity, this request included. Activity is recorded
    /// when a tenth of the idle timeout has passed since the last time, or an
    /// hour where there is no idle timeout.
    #[must_use]
    pub fn last_seen_at(&self) -> Option<SystemTime> {
        self.core.record.as_ref().map(|record| record.meta.last_seen.into())
    }

    /// When somebody last proved who they are in this session.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        self.core.record.as_ref()?.meta.authenticated.map(Into::into)
    }

    /// When the session ends if nothing more happens.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.core.record.as_ref().map(|record| record.meta.expires_at().into())
    }

    /// How long the session still lives if nothing more happens.
    #[must_use]
    pub fn expires_in(&self) -> Option<Duration> {
        let expires = self.core.record()?.meta.expires_at();
        Some(expires.since(self.core.backend.now()))
    }

    /// Renews the token. Every earlier token, and every request that was begun
    /// with one, is refused from then on. Does nothing to a session that is
    /// not stored.
    #[doc(alias("cycle_id", "renew", "rotate"))]
    pub fn regenerate(&mut self) {
        self.core.mark_dirty();
        self.core.events.renew = true;
    }

    /// Notes that somebody proved who they are, in a schema without principal
    /// or for a step that asks again: renews the token, stamps
    /// [`authenticated_at`](Self::authenticated_at), restarts both timeouts.
    pub fn reauthenticated(&mut self) {
        self.core.mark_dirty();
        self.core.events.authenticated = true;
    }

    /// Ends the session, whatever the response turns out to be, and whatever
    /// other handles or requests do. What is set afterwards starts a fresh
    /// session in the same response.
    ///
    /// A request with the old token that arrives within
    /// [`late_grace`](crate::SessionLayer::late_grace) of it can sign in and store nothing
    /// else, so that a late answer does not undo the logout.
    #[doc(alias("flush", "delete", "logout", "invalidate"))]
    pub fn destroy(&mut self) {
        self.core.destroy();
    }

    /// Lets the session live this long, over restarts of the browser too: at
    /// least one second, at most 400 days. There is no idle timeout then. It
    /// is for whoever is signed in; who signs in or out later does not inherit
    /// it.
    pub fn remember(&mut self, duration: Duration) {
        self.core.mark_dirty();
        self.core.events.remember = Some(duration.max(Duration::from_secs(1)));
    }

    /// Says with which ticket the sign-in of this request began: if all
    /// sessions of the principal were revoked since, it is refused.
    ///
    /// Take the ticket before the password is checked, with
    /// [`SessionManager::login_ticket`](crate::SessionManager::login_ticket).
    pub fn redeem(&mut self, ticket: LoginTicket) {
        self.core.mark_dirty();
        self.core.events.ticket = Some(ticket);
    }

    /// Whether somebody proved who they are within the last `max_age`.
    #[must_use]
    pub fn is_fresh(&self, max_age: Duration) -> bool {
        let proved = self.core.record().and_then(|record| record.meta.authenticated);
        proved.is_some_and(|at| self.core.backend.now().since(at) <= max_age)
    }

    /// Refuses a sensitive step unless somebody proved who they are within the
    /// last `max_age` (OWASP ASVS 7.5.3). Asks the store, not a snapshot.
    ///
    /// # Errors
    ///
    /// [`SessionError::NotFresh`] (401): ask for the password, then call
    /// [`reauthenticated`](Self::reauthenticated); [`SessionError::Gone`] if
    /// the session ended meanwhile; otherwise what the store reports.
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

    /// Hands the changes to the request now, instead of when this is dropped.
    /// Handles extracted later see them.
    pub fn publish(&mut self) {
        self.core.publish(Publish::Everything);
        self.core.refresh();
    }

    /// Throws away what this handle changed and did not publish.
    pub fn discard(&mut self) {
        self.core.forget_changes();
    }

    /// Sees what other handles of this request have published meanwhile,
    /// without I/O. Publishes this handle's own changes first.
    pub fn refresh(&mut self) {
        self.publish();
    }

    /// Stores the changes now, not at the end of the response. For WebSockets,
    /// streams, tasks, and handlers that must know that it worked. Once begun
    /// it runs to its end, also when this future is dropped.
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] if the session ended or somebody signed in or out
    /// meanwhile; [`SessionError::HeadSent`] if this would need a new cookie
    /// and the response has started; otherwise what the store reports.
    pub async fn save(&mut self) -> Result<(), SessionError> {
        self.core.publish(Publish::Everything);
        let backend = Arc::clone(&self.core.backend);
        let saved = backend.save().await;
        match saved {
            Ok(()) => self.core.refresh(),
            // What was refused is not what the session holds.
            Err(_) => self.core.look_again(),
        }
        saved
    }

    /// Reads the session again from the store. Unpublished changes of this
    /// handle are thrown away.
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] if the session ended, or somebody signed in or
    /// out, since this request loaded it; otherwise what the store reports.
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
    /// Without the values: they may be personal.
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
