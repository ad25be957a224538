//! Changes that depend on the stored values staying unchanged until they are stored.

use std::convert::Infallible;
use std::sync::Arc;

use super::core::Publish;
use super::handle::Handle;
use crate::error::SessionError;
use crate::schema::SessionSchema;

impl<S: SessionSchema> Handle<S> {
    /// Runs `change` on the session as it is stored now, and stores its changes if nothing else has
    /// changed meanwhile; otherwise runs it again. What it read therefore still holds when its
    /// changes are stored.
    ///
    /// `change` may run many times, so it must have no other side effects; it is not async, because
    /// it must not wait. Earlier changes of this request are saved first. Nothing else of the
    /// request takes part in the transaction.
    ///
    /// ```
    /// # use session_runtime::{Session, SessionError, SessionSchema};
    /// # #[derive(SessionSchema)]
    /// # struct Visitor { seats: Vec<u32> }
    /// async fn reserve(mut session: Session<Visitor>) -> Result<bool, SessionError> {
    ///     session
    ///         .transaction(|session| {
    ///             let free = session.seats().len() < 4;
    ///             if free {
    ///                 session.seats_mut().push(7);
    ///             }
    ///             free
    ///         })
    ///         .await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SessionError::Conflict`] if others kept changing the session until the
    /// [`conflict_timeout`](crate::SessionLayer::conflict_timeout);
    /// [`StoreErrorKind::Unsupported`](crate::store::StoreErrorKind::Unsupported) if the store has
    /// no atomic patches; otherwise the errors of [`save`](Self::save).
    pub async fn transaction<R>(
        &mut self,
        mut change: impl FnMut(&mut S::Session) -> R + Send,
    ) -> Result<R, SessionError> {
        let done = self.try_transaction(|session| Ok::<R, Infallible>(change(session))).await?;
        match done {
            Ok(done) => Ok(done),
            Err(never) => match never {},
        }
    }

    /// Like [`transaction`](Self::transaction), but an `Err` from `change` aborts it: nothing is
    /// stored, and the error is returned inside the `Ok`.
    ///
    /// ```
    /// # use session_runtime::{SessionError, SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { seats: Vec<u32> }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// # let t = TestSession::<Visitor>::new(); let mut session = t.session();
    /// let reserved = session
    ///     .try_transaction(|session| {
    ///         let seats = session.seats_mut();
    ///         seats.push(7);
    ///         if seats.len() <= 4 { Ok(()) } else { Err("sold out") }
    ///     })
    ///     .await?;
    /// assert_eq!(reserved, Ok(()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Same as [`transaction`](Self::transaction).
    pub async fn try_transaction<R, E>(
        &mut self,
        mut change: impl FnMut(&mut S::Session) -> Result<R, E> + Send,
    ) -> Result<Result<R, E>, SessionError> {
        self.core.publish(Publish::Everything);
        let backend = Arc::clone(&self.core.backend);
        Arc::clone(&backend).save().await?;
        let mut attempt = Arc::clone(&backend).transaction().await?;
        let done = loop {
            let inner = attempt.backend();
            let opened = Self::open(Arc::clone(&inner), inner.scope().state())?;
            let mut session = S::Session::from(opened);
            let done = change(&mut session);
            if done.is_err() {
                session.discard();
                break done;
            }
            session.core.publish(Publish::Everything);
            drop(session);
            if attempt.commit().await? {
                break done;
            }
        };
        drop(attempt);
        {
            let mut state = backend.scope().state();
            backend.scope().publishes(&mut state);
        }
        self.core.adopt();
        Ok(done)
    }
}
