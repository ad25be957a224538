//! Extraction of sessions from requests, independent of the web framework.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use http::{Extensions, HeaderMap};

use crate::login;
use crate::rejection::{AuthenticatedRejection, SessionRejection};
use crate::request::{Passed, RequestExtension, RequestSession};
use crate::schema::{HasPrincipal, SessionSchema};
use crate::session::Handle;
use crate::transport::Transport;

/// Returns the session of a request, for services that are not axum handlers.
///
/// ```
/// # use session_runtime::{Session, SessionRejection, SessionSchema};
/// # #[derive(SessionSchema)]
/// # struct Visitor { visits: u32 }
/// async fn visits<B>(request: http::Request<B>) -> Result<u32, SessionRejection> {
///     let (parts, _) = request.into_parts();
///     let session: Session<Visitor> =
///         session_runtime::session_of::<Visitor>(&parts.extensions, &parts.headers).await?;
///     Ok(session.visits())
/// }
/// ```
///
/// # Errors
///
/// If the request did not pass a [`SessionLayer`](crate::SessionLayer), the layer
/// [excludes](crate::SessionLayer::exclude) its path, or the session cannot be loaded.
pub async fn session_of<S: SessionSchema>(
    extensions: &Extensions,
    headers: &HeaderMap,
) -> Result<S::Session, SessionRejection> {
    Ok(request_of::<S>(extensions)?.handle::<S>(headers, true).await?.into())
}

/// Returns the session of a request, if it exists; for services that are not axum
/// handlers.
///
/// # Errors
///
/// Same as [`session_of`].
pub async fn existing_session_of<S: SessionSchema>(
    extensions: &Extensions,
    headers: &HeaderMap,
) -> Result<Option<S::Session>, SessionRejection> {
    let request = request_of::<S>(extensions)?;
    let handle: Handle<S> = request.handle(headers, true).await?;
    Ok(request.exists().then(|| handle.into()))
}

/// Finds the session of `S`: that of the innermost layer that names `S`, or else of the
/// innermost layer.
pub(crate) fn request_of<S: SessionSchema>(
    extensions: &Extensions,
) -> Result<&Arc<RequestSession>, SessionRejection> {
    let layer = extensions.get::<RequestExtension>().map(|it| it.of(S::SCHEMA));
    session_in(layer, std::any::type_name::<S>)
}

/// Finds the session of the innermost layer.
pub(crate) fn innermost<'a>(
    extensions: &'a Extensions,
    wanted: &'static str,
) -> Result<&'a Arc<RequestSession>, SessionRejection> {
    session_in(extensions.get().map(RequestExtension::innermost), || wanted)
}

fn session_in(
    layer: Option<&Passed>,
    wanted: impl FnOnce() -> &'static str,
) -> Result<&Arc<RequestSession>, SessionRejection> {
    match layer {
        Some(Passed::With(session)) => Ok(session),
        Some(Passed::Excluded(_)) => Err(SessionRejection::Excluded { wanted: wanted() }),
        None => Err(SessionRejection::missing_layer(wanted())),
    }
}

/// The session of a signed-in user. An extractor.
///
/// Owns the principal and dereferences to the session. A request without a signed-in
/// user is answered with 401; a browser navigation is redirected to
/// [`login_redirect`](crate::SessionLayer::login_redirect), if that is set.
/// `Option<Authenticated<S>>` is `None` instead.
///
/// Always reads the store, never a [cache](crate::store::CachedStore), so a user who has
/// just signed out is not let in.
///
/// ```
/// use session_runtime::testing::TestSession;
/// use session_runtime::{Authenticated, SessionSchema};
///
/// #[derive(SessionSchema)]
/// struct Visitor {
///     #[session(principal)]
///     user_id: Option<u64>,
/// }
///
/// async fn account(who: Authenticated<Visitor>) -> String {
///     format!("user {}", who.principal())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let t = TestSession::<Visitor>::new();
/// assert!(t.try_authenticated().is_err());
/// t.session().set_user_id(42);
/// assert_eq!(account(t.authenticated()).await, "user 42");
/// # }
/// ```
pub struct Authenticated<S: HasPrincipal> {
    principal: S::Principal,
    session: S::Session,
}

impl<S: HasPrincipal> Authenticated<S> {
    /// Returns the signed-in principal.
    #[must_use]
    pub const fn principal(&self) -> &S::Principal {
        &self.principal
    }

    /// Returns the session of a signed-in user, for services that are not axum handlers.
    ///
    /// # Errors
    ///
    /// Same as [`session_of`]; [`AuthenticatedRejection::NotSignedIn`] if no user is signed in.
    pub async fn of(
        extensions: &Extensions,
        headers: &HeaderMap,
    ) -> Result<Self, AuthenticatedRejection> {
        if let Some(found) = Self::find(extensions, headers).await? {
            return Ok(found);
        }
        let request = request_of::<S>(extensions)?;
        let (transport, because) = {
            let state = request.scope.state();
            (state.transport, state.because)
        };
        let login = match transport {
            Transport::Cookie => {
                let pages = &request.engine.config.login;
                login::location(pages, extensions.get(), headers, because)
            }
            // The client is no browser.
            Transport::Bearer => None,
        };
        Err(AuthenticatedRejection::NotSignedIn { login, because })
    }

    /// Same as [`of`](Self::of), but returns `None` if no user is signed in.
    ///
    /// # Errors
    ///
    /// Same as [`session_of`].
    pub async fn find(
        extensions: &Extensions,
        headers: &HeaderMap,
    ) -> Result<Option<Self>, SessionRejection> {
        let request = request_of::<S>(extensions)?;
        let handle: Handle<S> = request.handle(headers, false).await?;
        let principal = handle.__owned(S::PRINCIPAL);
        Ok(principal.map(|principal| Self { principal, session: handle.into() }))
    }

    /// Returns the principal and the session.
    #[must_use]
    pub fn into_parts(self) -> (S::Principal, S::Session) {
        (self.principal, self.session)
    }
}

impl<S: HasPrincipal> fmt::Debug for Authenticated<S> {
    /// Omits the principal, because handler arguments end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let session: &Handle<S> = &self.session;
        f.debug_struct("Authenticated").field("session", session).finish_non_exhaustive()
    }
}

impl<S: HasPrincipal> Deref for Authenticated<S> {
    type Target = S::Session;

    fn deref(&self) -> &S::Session {
        &self.session
    }
}

impl<S: HasPrincipal> DerefMut for Authenticated<S> {
    fn deref_mut(&mut self) -> &mut S::Session {
        &mut self.session
    }
}
