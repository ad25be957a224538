//! Ending the sessions of all users, and all that is left of one.

use std::time::SystemTime;

use super::{PAGE, Records, SessionManager};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::event::{Happening, SecurityEventKind};
use crate::record::{EndReason, Principal, Record};
use crate::schema::HasPrincipal;
use crate::store::{Cursor, Revoke};

impl<S> SessionManager<S> {
    /// Ends every session that was created before `before` and whose user has not authenticated
    /// since, and returns their number: after a leak of credentials, for example. Anonymous sessions
    /// and those of other schemas end too, but none of a realm that the manager does not cover. The
    /// reason is always [`EndReason::Administrator`].
    ///
    /// Reads every session of the store, in steps, so it takes time; call it again if it fails.
    ///
    /// ```
    /// # use session_runtime::{EndReason, SessionError, SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(principal)] user_id: Option<u64> }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// # let t = TestSession::<Visitor>::new().signed_in_as(42);
    /// # t.advance(std::time::Duration::from_secs(1));
    /// let leak = std::time::SystemTime::now();
    /// # let leak = t.clock().now().into();
    /// assert_eq!(t.manager().revoke_everybody(leak).await?, 1);
    /// assert_eq!(t.session().ended_because(), Some(EndReason::Administrator));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] if the store fails, or has no
    /// [`scan`](crate::store::SessionStore::scan).
    #[doc(alias("logout_all", "revoke_all_users"))]
    pub async fn revoke_everybody(&self, before: SystemTime) -> Result<u64, SessionError> {
        let before = Timestamp::from(before);
        let is_older = |record: &Record| {
            let meta = &record.meta;
            meta.created < before && meta.authenticated.is_none_or(|at| at < before)
        };
        self.end_where(is_older, EndReason::Administrator).await
    }

    async fn end_where(
        &self,
        ends: impl Fn(&Record) -> bool,
        because: EndReason,
    ) -> Result<u64, SessionError> {
        let (engine, mut ended, mut from) = (&self.engine, 0, None);
        loop {
            let page = self.scanned(from.as_ref(), &ends).await?;
            let mut in_page = 0;
            for record in page.records {
                in_page += u64::from(engine.end(record.id, because).await?);
            }
            if in_page > 0 {
                let mut event = Happening::new(SecurityEventKind::Revoked).because(because);
                event.sessions = in_page;
                engine.happened(&event);
            }
            ended += in_page;
            from = page.next;
            if from.is_none() {
                return Ok(ended);
            }
        }
    }

    /// Returns a page of all live sessions that the manager covers, and of these the wanted ones.
    pub(super) async fn scanned(
        &self,
        from: Option<&Cursor>,
        is_wanted: impl Fn(&Record) -> bool,
    ) -> Result<Records, SessionError> {
        let page = self.engine.within(self.engine.store.scan(from, PAGE)).await?;
        let mut records = page.records;
        records.retain(|record| self.covers(record) && is_wanted(record));
        Ok(Records { records, next: page.next })
    }

    /// Whether the session is of a realm that the manager covers.
    fn covers(&self, record: &Record) -> bool {
        match &self.realm {
            Some(realm) => record.meta.realm == *realm,
            None => self.engine.config.realms.accepts(&record.meta.realm),
        }
    }
}

impl<S: HasPrincipal> SessionManager<S> {
    /// Ends all sessions of `principal`, and those that the user has signed out of without ending
    /// them, which still hold their data. Returns their number: for a user who is deleted.
    ///
    /// Reads every session of the store, in steps. What remains has no data, but names the user: a
    /// tombstone of each session, for a minute, and the note that all were revoked, for 15 minutes.
    ///
    /// # Errors
    ///
    /// Same as [`revoke_all`](Self::revoke_all) and [`revoke_everybody`](Self::revoke_everybody).
    #[doc(alias("gdpr"))]
    pub async fn erase(&self, principal: &S::Principal) -> Result<u64, SessionError> {
        let principals = self.named_by(principal)?;
        let ended = self.end(&principals, Revoke::All).await?;
        Ok(ended + self.end_where(belongs_to(&principals), self.because).await?)
    }
}

/// Selects the sessions that one of these users is signed in to, or was the last to be.
pub(super) fn belongs_to(users: &[Principal]) -> impl Fn(&Record) -> bool + use<> {
    let users: Vec<_> = users.iter().map(Principal::hash).collect();
    move |record| record.meta.principal_or_last().is_some_and(|last| users.contains(&last))
}
