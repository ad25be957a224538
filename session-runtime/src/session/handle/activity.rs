//! Activity during uploads, streams and sockets.

use std::fmt;

use crate::error::SessionError;
use crate::schema::SessionSchema;
use crate::session::Handle;

/// Activity without requests.
impl<S: SessionSchema> Handle<S> {
    /// Records activity now, in a long-running handler. Without it the session of an upload or a
    /// socket ends by its idle timeout, counted from the last request. Stores nothing unless that is
    /// due, as with a request.
    ///
    /// ```
    /// # use session_runtime::{SessionError, SessionSchema, testing::TestSession};
    /// # use std::time::Duration;
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// # let t = TestSession::<Visitor>::new().with(|s| s.set_locale("de"));
    /// let session = t.session();
    /// t.clock().advance(Duration::from_secs(20 * 60));
    /// session.touch().await?;
    /// t.clock().advance(Duration::from_secs(20 * 60));
    /// session.touch().await?; // 40 minutes after the request
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] if the session is not stored, has ended, or another request has
    /// signed in or out; otherwise what the store reports.
    #[doc(alias("heartbeat"))]
    pub async fn touch(&self) -> Result<(), SessionError> {
        self.core.touch().await
    }

    /// Records activity in the background until the guard is dropped, the session has ended, or its
    /// privileges have changed. Absolute timeouts are not extended.
    ///
    /// ```
    /// # use session_runtime::{Session, SessionError, SessionSchema};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// # async fn receive() {}
    /// async fn upload(session: Session<Visitor>) -> Result<(), SessionError> {
    ///     let _alive = session.keep_alive()?;
    ///     receive().await; // for hours
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] if the session is not stored.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn keep_alive(&self) -> Result<KeepAlive, SessionError> {
        self.core.keep_alive()
    }
}

/// Keeps a session alive until it is dropped; see [`Handle::keep_alive`].
#[must_use = "the session is kept alive only until this is dropped"]
pub struct KeepAlive(Option<Box<dyn FnOnce() + Send + Sync>>);

impl KeepAlive {
    /// Calls `stop` when it is dropped.
    pub(crate) fn until(stop: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(stop)))
    }
}

impl Drop for KeepAlive {
    fn drop(&mut self) {
        if let Some(stop) = self.0.take() {
            stop();
        }
    }
}

impl fmt::Debug for KeepAlive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeepAlive")
    }
}
