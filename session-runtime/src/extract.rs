//! Extraction of sessions from requests, independent of the web framework.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use http::{Extensions, HeaderMap};

use crate::level::{Level, SignedIn};
use crate::login::{self, Why};
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
#[cfg(feature = "axum")]
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
/// `L` is the [`Level`] that the user must have proved; by default, being signed in is enough. A
/// function that takes an `Authenticated<S, SecondFactor>` cannot be called with a lower one.
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
pub struct Authenticated<S: HasPrincipal, L: Level<S> = SignedIn> {
    principal: S::Principal,
    session: S::Session,
    level: PhantomData<fn() -> L>,
}

impl<S: HasPrincipal, L: Level<S>> Authenticated<S, L> {
    /// Returns the signed-in principal.
    #[must_use]
    pub const fn principal(&self) -> &S::Principal {
        &self.principal
    }

    /// Returns the session of a signed-in user, for services that are not axum handlers.
    ///
    /// # Errors
    ///
    /// Same as [`session_of`]; [`AuthenticatedRejection::NotSignedIn`] if no user is signed in,
    /// and [`AuthenticatedRejection::ProofRequired`] if the session does not have the level.
    pub async fn of(
        extensions: &Extensions,
        headers: &HeaderMap,
    ) -> Result<Self, AuthenticatedRejection> {
        let proof = match Authenticated::<S>::signed_in(extensions, headers).await? {
            Some(found) => match L::missing(&found.session) {
                None => return Ok(found.with_level()),
                Some(proof) => Some(proof),
            },
            None => None,
        };
        let request = request_of::<S>(extensions)?;
        let (transport, because) = {
            let state = request.scope.state();
            (state.transport, state.because)
        };
        let login = match transport {
            Transport::Cookie => {
                let why = proof.map(Why::Proof).or(because.map(Why::Ended));
                login::location(&request.engine.config.login, extensions.get(), headers, why)
            }
            // The client is no browser.
            Transport::Bearer => None,
        };
        Err(match proof {
            Some(proof) => AuthenticatedRejection::ProofRequired { proof, login },
            None => AuthenticatedRejection::NotSignedIn { login, because },
        })
    }

    /// Same as [`of`](Self::of), but returns `None` if no user is signed in, or the session does
    /// not have the level.
    ///
    /// # Errors
    ///
    /// Same as [`session_of`].
    pub async fn find(
        extensions: &Extensions,
        headers: &HeaderMap,
    ) -> Result<Option<Self>, SessionRejection> {
        let found = Authenticated::<S>::signed_in(extensions, headers).await?;
        Ok(found.and_then(|found| found.at_level().ok()))
    }

    /// Lets the signed-in user act as `user`, as support staff do: the response begins another
    /// session, in which handlers see `user` as the principal. Check first that the signed-in user
    /// may do so.
    ///
    /// * The session is none of `user`'s own: no device of theirs has to go for it. It holds what
    ///   a sign-in of another user would: the `carry_over` fields, and what this request sets.
    /// * No user has authenticated in it: [`is_fresh`](Handle::is_fresh) is false, and
    ///   [`reauthenticated`](Handle::reauthenticated) does not change that.
    /// * It is listed with `user`'s sessions, with the [actor](crate::SessionInfo::actor), and ends
    ///   with them (`revoke_all`). It also ends with the session that it began in, or when the
    ///   privileges there change. That one waits for [`stop_acting`](Handle::stop_acting);
    ///   [`destroy`](Handle::destroy) ends both.
    /// * A socket in it notices the end of that one as it notices the end of its own
    ///   ([`ended`](Handle::ended)).
    /// * [`Handle::actor`] tells who acts. A request in such a session asks the store once more.
    /// * In a session of acting, it changes to another user; the actor stays the same.
    ///
    /// ```
    /// use session_runtime::{Authenticated, Session, SessionError, SessionSchema};
    /// use session_runtime::testing::TestSession;
    ///
    /// #[derive(SessionSchema)]
    /// struct Visitor {
    ///     #[session(principal)]
    ///     user_id: Option<u64>,
    /// }
    ///
    /// async fn help(mut who: Authenticated<Visitor>) {
    ///     who.act_as(42);
    /// }
    ///
    /// async fn done(mut session: Session<Visitor>) -> Result<(), SessionError> {
    ///     session.stop_acting().await?;
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let t = TestSession::<Visitor>::new().signed_in_as(7);
    /// help(t.authenticated()).await;
    /// assert_eq!((t.session().user_id(), t.session().actor()), (Some(42), Some(7)));
    /// done(t.session()).await?;
    /// assert_eq!((t.session().user_id(), t.session().actor()), (Some(7), None));
    /// # Ok(()) }
    /// ```
    #[doc(alias("impersonate", "sudo"))]
    pub fn act_as(&mut self, user: S::Principal) {
        let session: &mut Handle<S> = &mut self.session;
        session.act_as(user);
    }

    /// Returns the session at another level, if it has that: for a step that needs more than the
    /// rest of its handler, and for tests.
    ///
    /// ```
    /// # use session_runtime::{Authenticated, AuthenticatedRejection, Fresh, SessionSchema};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(principal)] user_id: Option<u64> }
    /// # async fn confirm(who: Authenticated<Visitor, Fresh<300>>, cents: u32) {}
    /// async fn pay(who: Authenticated<Visitor>, cents: u32) -> Result<(), AuthenticatedRejection> {
    ///     if cents > 5_000 {
    ///         confirm(who.at_level()?, cents).await;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AuthenticatedRejection::ProofRequired`], without a login page.
    pub fn at_level<M: Level<S>>(self) -> Result<Authenticated<S, M>, AuthenticatedRejection> {
        match M::missing(&self.session) {
            None => Ok(self.with_level()),
            Some(proof) => Err(AuthenticatedRejection::ProofRequired { proof, login: None }),
        }
    }

    fn with_level<M: Level<S>>(self) -> Authenticated<S, M> {
        let Self { principal, session, level: _ } = self;
        Authenticated { principal, session, level: PhantomData }
    }

    async fn signed_in(
        extensions: &Extensions,
        headers: &HeaderMap,
    ) -> Result<Option<Self>, SessionRejection> {
        let request = request_of::<S>(extensions)?;
        let handle: Handle<S> = request.handle(headers, false).await?;
        let principal = handle.__owned(S::PRINCIPAL);
        Ok(principal.map(|principal| Self {
            principal,
            session: handle.into(),
            level: PhantomData,
        }))
    }

    /// Returns the principal and the session.
    #[must_use]
    pub fn into_parts(self) -> (S::Principal, S::Session) {
        (self.principal, self.session)
    }
}

impl<S: HasPrincipal, L: Level<S>> fmt::Debug for Authenticated<S, L> {
    /// Omits the principal, because handler arguments end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let session: &Handle<S> = &self.session;
        f.debug_struct("Authenticated").field("session", session).finish_non_exhaustive()
    }
}

impl<S: HasPrincipal, L: Level<S>> Deref for Authenticated<S, L> {
    type Target = S::Session;

    fn deref(&self) -> &S::Session {
        &self.session
    }
}

impl<S: HasPrincipal, L: Level<S>> DerefMut for Authenticated<S, L> {
    fn deref_mut(&mut self) -> &mut S::Session {
        &mut self.session
    }
}
