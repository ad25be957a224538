//! Waiting for the end or a change of a session, in sockets and streams.

use std::sync::Arc;

use crate::error::SessionError;
use crate::record::EndReason;
use crate::schema::SessionSchema;
use crate::session::Handle;

/// Sockets and streams.
impl<S: SessionSchema> Handle<S> {
    /// Completes when the session has ended, or its privileges have changed (a sign-in, a sign-out,
    /// a `renew` field, [`regenerate`](Self::regenerate)), with the reason: a socket or a stream then
    /// has no authority any more, and should end.
    ///
    /// Expiry, and an end by this layer, its clones and its managers, is noticed at once. An end by
    /// another layer or process is noticed when a [coherent](crate::store::CachedStore::coherent)
    /// cache or a `PostgresStore` with `push` is told, usually within milliseconds; with any other
    /// store, and at the latest, within
    /// [`watch_interval`](crate::SessionLayer::watch_interval), by a load that a
    /// [cache](crate::store::CachedStore) may answer. While the store fails, it is asked again at
    /// that interval.
    ///
    /// Cancel safe: use it in `tokio::select!`.
    ///
    /// ```
    /// # use session_runtime::{EndReason, SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(principal)] user_id: Option<u64> }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let t = TestSession::<Visitor>::new().signed_in_as(42);
    /// let socket = t.session();
    /// t.session().destroy(); // in another tab
    /// t.settle().await;
    /// assert_eq!(socket.ended().await, EndReason::SignedOut);
    /// # }
    /// ```
    ///
    /// Of a session that is not stored it completes at once, with [`EndReason::Unknown`].
    #[doc(alias("closed", "on_logout"))]
    pub async fn ended(&self) -> EndReason {
        match self.core.latest() {
            Some(record) => {
                let ended = self.core.backend.watch(record, None).await;
                ended.unwrap_or(EndReason::Unknown)
            }
            None => EndReason::Unknown,
        }
    }

    /// Completes when others have changed the session since this handle last loaded or saved it.
    /// Then call [`reload`](Self::reload) to load what they have stored; it may be no field, as when a
    /// token was renewed. Changes are noticed as the end is by [`ended`](Self::ended). Cancel safe.
    ///
    /// ```
    /// # use session_runtime::{Session, SessionError, SessionSchema};
    /// # #[derive(SessionSchema)] struct Visitor { cart: Vec<String> }
    /// async fn show(mut session: Session<Visitor>) -> Result<(), SessionError> {
    ///     loop {
    ///         println!("{} items", session.cart().len()); // to a stream
    ///         session.changed_elsewhere().await?;
    ///         session.reload().await?;
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] if the session is not stored, has ended, or another request has
    /// signed in or out.
    pub async fn changed_elsewhere(&self) -> Result<(), SessionError> {
        let Some(record) = self.core.latest() else { return Err(SessionError::Gone) };
        let rev = self.core.record().map(|mine| mine.meta.rev);
        match Arc::clone(&self.core.backend).watch(record, rev).await {
            None => Ok(()),
            Some(_) => Err(SessionError::Gone),
        }
    }
}
