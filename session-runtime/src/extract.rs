//! From a request to a session, whatever the web framework.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use http::{Extensions, HeaderMap};

use crate::login;
use crate::rejection::{AuthenticatedRejection, SessionRejection};
use crate::request::{Passed, RequestExtension, RequestSession};
use crate::schema::{HasPrincipal, SessionSchema};
use crate::session::Handle;

/// The session of a request, for services that are not axum handlers.
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
/// If the request did not pass a [`SessionLayer`](crate::SessionLayer), or the
/// session cannot be loaded.
pub async fn session_of<S: SessionSchema>(
    extensions: &Extensions,
    headers: &HeaderMap,
) -> Result<S::Session, SessionRejection> {
    Ok(request_of::<S>(extensions)?.handle::<S>(headers, true).await?.into())
}

/// As [`session_of`], but only a session that exists.
///
/// # Errors
///
/// As [`session_of`].
pub async fn existing_session_of<S: SessionSchema>(
    extensions: &Extensions,
    headers: &HeaderMap,
) -> Result<Option<S::Session>, SessionRejection> {
    let request = request_of::<S>(extensions)?;
    let handle: Handle<S> = request.handle(headers, true).await?;
    Ok(request.exists().then(|| handle.into()))
}

/// Where a handler's session of `S` is: in the innermost layer that names `S`, or in the
/// innermost of all.
pub(crate) fn request_of<S: SessionSchema>(
    extensions: &Extensions,
) -> Result<&Arc<RequestSession>, SessionRejection> {
    let layer = extensions.get::<RequestExtension>().map(|it| it.of(S::SCHEMA));
    session_in(layer, std::any::type_name::<S>)
}

/// That of the innermost layer.
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

/// A session in which somebody is signed in, by what the store says now: in
/// front of a [cache](crate::store::CachedStore) this is what lets nobody in
/// who has just signed out.
///
/// It owns the principal and dereferences to the session. When nobody is signed in, the
/// request is answered with 401; a browser that goes to a page is redirected to
/// [`login_redirect`](crate::SessionLayer::login_redirect), where that is set.
/// `Option<Authenticated<S>>` is `None` then.
pub struct Authenticated<S: HasPrincipal> {
    principal: S::Principal,
    session: S::Session,
}

impl<S: HasPrincipal> Authenticated<S> {
    /// Who is signed in.
    #[must_use]
    pub const fn principal(&self) -> &S::Principal {
        &self.principal
    }

    /// The session of a request, if somebody is signed in; for services that
    /// are not axum handlers.
    ///
    /// # Errors
    ///
    /// As [`session_of`], or because nobody is signed in.
    pub async fn of(
        extensions: &Extensions,
        headers: &HeaderMap,
    ) -> Result<Self, AuthenticatedRejection> {
        if let Some(found) = Self::find(extensions, headers).await? {
            return Ok(found);
        }
        let pages = &request_of::<S>(extensions)?.engine.config.login;
        let login = login::location(pages, extensions.get(), headers);
        Err(AuthenticatedRejection::Nobody { login })
    }

    /// The same where being signed in is optional: `None` when nobody is.
    ///
    /// # Errors
    ///
    /// As [`session_of`].
    pub async fn find(
        extensions: &Extensions,
        headers: &HeaderMap,
    ) -> Result<Option<Self>, SessionRejection> {
        let request = request_of::<S>(extensions)?;
        let handle: Handle<S> = request.handle(headers, false).await?;
        let principal = handle.__owned(S::PRINCIPAL);
        Ok(principal.map(|principal| Self { principal, session: handle.into() }))
    }

    /// The principal and the session.
    #[must_use]
    pub fn into_parts(self) -> (S::Principal, S::Session) {
        (self.principal, self.session)
    }
}

impl<S: HasPrincipal> fmt::Debug for Authenticated<S> {
    /// Without who is signed in: a handler's arguments end up in the log.
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
