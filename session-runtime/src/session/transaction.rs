//! Changes that depend on what is stored, and on nothing having changed since.

use std::convert::Infallible;
use std::sync::Arc;

use super::core::Publish;
use super::handle::Handle;
use crate::error::SessionError;
use crate::schema::SessionSchema;

impl<S: SessionSchema> Handle<S> {
    /// Runs `change` on the session as it is stored now, and stores what it
    /// changed if nothing else changed meanwhile; else runs it again. So what
    /// it read still holds when it is stored.
    ///
    /// `change` may run many times: it must have no other effects, and it waits for nothing,
    /// so it is no `async` closure. What this
    /// request changed before is saved first. Nothing else of the request is
    /// part of it.
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
    /// [`StoreErrorKind::Unsupported`](crate::store::StoreErrorKind::Unsupported)
    /// of a store whose patches are not atomic; otherwise as
    /// [`save`](Self::save).
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

    /// As [`transaction`](Self::transaction); an `Err` of `change` aborts it,
    /// stores nothing and is returned inside.
    ///
    /// # Errors
    ///
    /// As [`transaction`](Self::transaction).
    pub async fn try_transaction<R, E>(
        &mut self,
        mut change: impl FnMut(&mut S::Session) -> Result<R, E> + Send,
    ) -> Result<Result<R, E>, SessionError> {
        self.core.publish(Publish::Everything);
        let backend = Arc::clone(&self.core.backend);
        Arc::clone(&backend).save().await?;
        let mut attempt = Arc::clone(&backend).transaction().await?;
        let done = loop {
            let mut session: S::Session = Self::open(attempt.backend())?.into();
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
