//! The manager of one schema.

use super::{SessionInfo, SessionManager, SessionPage, text_of};
use crate::error::SessionError;
use crate::id::SessionId;
use crate::record::Principal;
use crate::schema::HasPrincipal;
use crate::store::{Cursor, Revoke};
use crate::ticket::LoginTicket;

impl<S: HasPrincipal> SessionManager<S> {
    fn json_of(principal: &S::Principal) -> Result<String, SessionError> {
        text_of(&S::SCHEMA.fields[S::PRINCIPAL.index()], principal)
    }

    pub(super) fn named_by(
        &self,
        principal: &S::Principal,
    ) -> Result<Vec<Principal>, SessionError> {
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
    /// checking the password, and pass it to [`Handle::redeem`](crate::Handle::redeem).
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

    /// Returns about `limit` of the live sessions of `principal`, from the beginning if `from` is
    /// `None`: for a user with very many. Each session that is live all the time is on one of the
    /// pages. A cursor is text, valid in other processes too.
    ///
    /// ```
    /// # use session_runtime::{SessionError, SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(principal)] user_id: Option<u64> }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// # let t = TestSession::<Visitor>::new().signed_in_as(42);
    /// let sessions = t.typed_manager();
    /// let mut page = sessions.page(&42, None, 100).await?;
    /// let mut seen = page.sessions.len();
    /// while let Some(from) = page.next {
    ///     page = sessions.page(&42, Some(&from), 100).await?;
    ///     seen += page.sessions.len();
    /// }
    /// assert_eq!(seen, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Same as [`sessions_of`](Self::sessions_of); [`SessionError::Store`] also for a cursor that
    /// is not one of this store.
    pub async fn page(
        &self,
        principal: &S::Principal,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<SessionPage, SessionError> {
        self.page_of(&self.named_by(principal)?, from, limit).await
    }
}
