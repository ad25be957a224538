//! What a handle does with the session as a whole: times, sign-in events, saving.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Handle;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::record::EndReason;
use crate::schema::SessionSchema;
use crate::session::core::Publish;
use crate::ticket::LoginTicket;

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

    /// Returns why the token of this request opens no session; `None` if it opens one, or if there
    /// is no token. A reason is known for a minute after the end, then it is
    /// [`EndReason::Unknown`].
    ///
    /// ```
    /// # use session_runtime::{EndReason, SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(principal)] user_id: Option<u64> }
    /// # use std::time::Duration;
    /// let t = TestSession::<Visitor>::new().signed_in_as(42);
    /// assert_eq!(t.session().ended_because(), None);
    /// t.advance(Duration::from_secs(30 * 60));
    /// assert_eq!(t.session().ended_because(), Some(EndReason::Idle));
    /// ```
    #[must_use]
    pub fn ended_because(&self) -> Option<EndReason> {
        self.core.backend.scope().state().because
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

    /// Ties the session that the sign-in of this request begins to a session elsewhere, such as that
    /// of an identity provider (the claim `sid` of OpenID Connect), so that
    /// [`SessionManager::revoke_external`](crate::SessionManager::revoke_external) can end it.
    ///
    /// It belongs to this sign-in, and is stored with it: another sign-in without an external id
    /// removes it. Without a sign-in, or if `external` is empty, this has no effect. Pass what is
    /// unique in all providers that you accept, such as issuer and `sid` together.
    ///
    /// Needs a store with an index of principals.
    ///
    /// ```
    /// # use session_runtime::{SessionError, SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(principal)] user_id: Option<u64> }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let t = TestSession::<Visitor>::new();
    /// // Where the identity provider returns the browser:
    /// let mut session = t.session();
    /// session.set_external_id("08a5019c-17e1-4977-8f42-65a12843ea02");
    /// session.set_user_id(42);
    /// drop(session);
    ///
    /// // Where it reports a logout:
    /// t.manager().revoke_external("08a5019c-17e1-4977-8f42-65a12843ea02").await?;
    /// assert_eq!(t.session().user_id(), None);
    /// # Ok(()) }
    /// ```
    pub fn set_external_id(&mut self, external: impl Into<String>) {
        self.core.mark_dirty();
        self.core.events.external = Some(external.into()).filter(|id| !id.is_empty());
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
