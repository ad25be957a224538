//! How the client sends its token, and handing one out.

use std::sync::Arc;

use crate::error::SessionError;
use crate::schema::SessionSchema;
use crate::session::Handle;
use crate::transport::{BearerToken, Transport};

/// Clients that are no browsers.
impl<S: SessionSchema> Handle<S> {
    /// Returns how the client of this request sends its token. A request without any token counts
    /// as one with a cookie, unless the layer takes only bearer tokens.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, Transport, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { locale: String }
    /// let t = TestSession::<Visitor>::new();
    /// assert_eq!(t.session().transport(), Transport::Cookie);
    /// ```
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.core.backend.scope().state().transport
    }

    /// Stores the changes now, as [`save`](Self::save) does, and returns the token that the client
    /// is to send from now on: a new one if this request signed in or the token was due for
    /// [renewal](crate::SessionLayer::renew_after), else the one that it has. Returns `None` if
    /// nothing is stored, or if the client has a newer token already, as a request that was late.
    ///
    /// A token returned here is not also sent in the
    /// [`token_header`](crate::SessionLayer::token_header), and the response is `no-store`.
    ///
    /// A client that got no response may call again with the token that it has: a renewal by age
    /// gives the same token to each call, and the old one stays valid until the new one has been
    /// presented.
    ///
    /// ```
    /// use session_runtime::{BearerToken, Session, SessionError, SessionLayer, SessionSchema};
    /// use session_runtime::{Transports, store::MemoryStore, testing::TestSession};
    ///
    /// #[derive(SessionSchema)]
    /// struct Visitor {
    ///     #[session(principal)]
    ///     user_id: Option<u64>,
    /// }
    ///
    /// /// `Json` writes it as a string.
    /// async fn login(mut session: Session<Visitor>) -> Result<Option<BearerToken>, SessionError> {
    ///     session.set_user_id(42);
    ///     session.bearer_token().await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), SessionError> {
    /// let layer = SessionLayer::new(MemoryStore::new()).transports(Transports::Both);
    /// let t = TestSession::<Visitor>::with_layer(layer);
    /// let token = login(t.session()).await?.unwrap();
    /// let t = t.with_bearer_token(token.expose());
    /// assert_eq!(t.session().user_id(), Some(42));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SessionError::NotBearer`] if the client's cookie opens a session, or the layer accepts no
    /// bearer tokens; the unpublished changes of this handle are then discarded. Otherwise the same as [`save`](Self::save).
    #[doc(alias("access_token", "refresh", "refresh_token"))]
    pub async fn bearer_token(&mut self) -> Result<Option<BearerToken>, SessionError> {
        let backend = Arc::clone(&self.core.backend);
        if let Err(error) = backend.begin_bearer() {
            // A refused request signs no user in.
            self.discard();
            return Err(error);
        }
        self.save().await?;
        Ok(backend.bearer_token())
    }
}
