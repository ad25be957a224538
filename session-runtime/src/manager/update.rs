//! Changes of sessions from anywhere: by a job, a command line, another user.

use std::sync::Arc;

use super::{PAGE, SessionManager};
use crate::error::SessionError;
use crate::id::SessionId;
use crate::record::{Principal, Record};
use crate::request::RequestSession;
use crate::schema::HasPrincipal;
use crate::session::{Backend, Handle};

/// How often a session is looked for again if its privileges change during the attempt.
const ATTEMPTS: u32 = 3;

/// Changing sessions.
impl<S: HasPrincipal> SessionManager<S> {
    /// Runs `change` on each live session of `principal`, and returns the results: for reading and
    /// changing sessions outside a request.
    ///
    /// Each session is changed in a [transaction](Handle::transaction), with the policies of its
    /// fields: `change` sees what is stored now, may run several times for one session, and must
    /// have no other side effects. If it changes nothing, nothing is written. A session that ends
    /// before that is left out.
    ///
    /// A change of privileges (a `renew` field, clearing the principal) ends the authority of
    /// requests and sockets that are open, as always. The client keeps its token until its next
    /// request, which renews it. No activity is recorded.
    ///
    /// ```
    /// # use session_runtime::{SessionError, SessionSchema, testing::TestSession};
    /// #[derive(SessionSchema)]
    /// struct Visitor {
    ///     #[session(principal)]
    ///     user_id: Option<u64>,
    ///     #[session(renew)]
    ///     is_editor: bool,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), SessionError> {
    /// # let t = TestSession::<Visitor>::new().signed_in_as(42);
    /// let sessions = t.layer().manager_for::<Visitor>()?;
    /// let changed = sessions.update(&42, |session| session.set_is_editor(true)).await?;
    /// assert_eq!(changed.len(), 1);
    /// assert!(t.session().is_editor());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SessionError::HeadSent`] if `change` signs a user in or authenticates one, which takes a
    /// client; [`SessionError::Unencodable`] or [`SessionError::AmbiguousPrincipal`] if the value
    /// does not identify a user; otherwise the errors of a [transaction](Handle::transaction). The
    /// sessions before the one that failed are changed.
    pub async fn update<R: Send>(
        &self,
        principal: &S::Principal,
        mut change: impl FnMut(&mut S::Session) -> R + Send,
    ) -> Result<Vec<R>, SessionError> {
        let principals = self.named_by(principal)?;
        let (mut done, mut from) = (Vec::new(), None);
        loop {
            let page = self.records_of(&principals, from.as_ref(), PAGE).await?;
            for record in page.records {
                done.extend(self.change(record, &principals, &mut change).await?);
            }
            from = page.next;
            if from.is_none() {
                return Ok(done);
            }
        }
    }

    /// Runs `change` on one session of `principal`, as [`update`](Self::update) does on each.
    /// Returns what it returned, or `None` if the user has no such session.
    ///
    /// ```
    /// # use session_runtime::{SessionError, SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)]
    /// # struct Visitor { #[session(principal)] user_id: Option<u64>, cart: Vec<String> }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), SessionError> {
    /// # let t = TestSession::<Visitor>::new().signed_in_as(42);
    /// # let id = *t.session().id().unwrap();
    /// let items = t.typed_manager().update_one(&42, id, |session| session.cart().len()).await?;
    /// assert_eq!(items, Some(0));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Same as [`update`](Self::update).
    pub async fn update_one<R: Send>(
        &self,
        principal: &S::Principal,
        id: SessionId,
        change: impl FnMut(&mut S::Session) -> R + Send,
    ) -> Result<Option<R>, SessionError> {
        let principals = self.named_by(principal)?;
        match self.find(&principals, id).await? {
            Some(record) => self.change(record, &principals, change).await,
            None => Ok(None),
        }
    }

    async fn change<R: Send>(
        &self,
        mut record: Arc<Record>,
        principals: &[Principal],
        mut change: impl FnMut(&mut S::Session) -> R + Send,
    ) -> Result<Option<R>, SessionError> {
        for _ in 0..ATTEMPTS {
            let id = record.id;
            let request = RequestSession::elsewhere(&self.engine, record, self.because);
            let backend = Arc::clone(&request) as Arc<dyn Backend>;
            let mut session = Handle::<S>::open(backend, request.scope.state())?;
            if session.is_new() {
                // Its principal is not the one that signed in, so no user is signed in to it.
                return Ok(None);
            }
            match session.transaction(&mut change).await {
                Ok(done) => return Ok(Some(done)),
                Err(SessionError::Gone) => {}
                Err(error) => return Err(error),
            }
            match self.find(principals, id).await? {
                Some(again) => record = again,
                None => return Ok(None),
            }
        }
        Err(SessionError::Conflict { field: None })
    }
}
