//! The `AuthSession` of axum-login 0.18 on typed sessions: an application moves over, and the
//! handlers that take it stay as they are.
//!
//! Two lines make the layer, and one names the type that handlers extract:
//!
//! ```
//! use session_runtime::{SessionLayer, SessionSchema, axum_login::AuthLayer, store::MemoryStore};
//! # use ::axum_login::{AuthUser, AuthnBackend};
//! # use std::convert::Infallible;
//! # #[derive(Clone, Debug)]
//! # struct User { id: i64, name: String, password_hash: String }
//! # impl AuthUser for User {
//! #     type Id = i64;
//! #     fn id(&self) -> i64 { self.id }
//! #     fn session_auth_hash(&self) -> &[u8] { self.password_hash.as_bytes() }
//! # }
//! # #[derive(Clone)]
//! # struct Backend;
//! # impl AuthnBackend for Backend {
//! #     type User = User;
//! #     type Credentials = String;
//! #     type Error = Infallible;
//! #     async fn authenticate(&self, _: String) -> Result<Option<User>, Infallible> { Ok(None) }
//! #     async fn get_user(&self, _: &i64) -> Result<Option<User>, Infallible> { Ok(None) }
//! # }
//!
//! #[derive(SessionSchema)]
//! struct Visitor {
//!     #[session(principal)]
//!     user_id: Option<i64>, // the `Id` of your `AuthUser`
//! }
//!
//! type AuthSession = session_runtime::axum_login::AuthSession<Backend, Visitor>;
//!
//! async fn home(auth: AuthSession) -> String {
//!     format!("Hello, {}", auth.user.map_or("stranger".to_owned(), |user| user.name))
//! }
//!
//! async fn logout(mut auth: AuthSession) {
//!     auth.logout().await.unwrap();
//! }
//!
//! # use axum::routing::{get, post};
//! let sessions = SessionLayer::new(MemoryStore::new());
//! let app: axum::Router = axum::Router::new()
//!     .route("/", get(home))
//!     .route("/logout", post(logout))
//!     .layer(AuthLayer::new::<Visitor>(Backend, sessions));
//! # let _ = app;
//! ```
//!
//! As in axum-login, each request with a signed-in user asks the backend for that user, and a
//! session ends at its next request once the user is gone, or has another `session_auth_hash`. That
//! happens before any handler or extractor runs, so it holds for
//! [`Authenticated`](crate::Authenticated) too. What is stored is a SHA-256 of that hash. A session
//! that has none, because it was taken over or signed in without [`AuthSession::login`], gets that
//! of its next request.
//!
//! Requires the cargo feature `axum-login`.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;

use ::axum_login::axum::extract::{Request, State};
use ::axum_login::axum::middleware::{FromFnLayer, Next, from_fn_with_state};
use ::axum_login::{AuthUser, AuthnBackend, Error, UserId};
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use http::request::Parts;
use sha2::{Digest, Sha256};
use tower_layer::Layer;

use crate::rejection::SessionRejection;
use crate::schema::{HasPrincipal, SessionSchema};
use crate::{Session, SessionLayer, existing_session_of, session_of};

type HashOf = Result<Option<Vec<u8>>, Box<dyn StdError + Send + Sync>>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a sign-in stores beside the user.
#[derive(crate::SessionSchema)]
#[session(crate = crate, namespace = "axum-login")]
struct SignIn {
    /// The digest of the user's `session_auth_hash` at that time.
    #[session(clear_on_login)]
    credentials: Option<String>,
}

/// What the middleware leaves for the extractor.
#[derive(Clone)]
struct Checked<B: AuthnBackend> {
    user: Option<B::User>,
    backend: B,
}

/// What axum-login's `AuthSession` is: the signed-in user, the backend and the session. An
/// extractor, on routes behind an [`AuthLayer`].
///
/// `session` is the typed one, so `auth.session.insert("locale", locale).await?` becomes
/// `auth.session.set_locale(locale)`.
pub struct AuthSession<B: AuthnBackend, S: HasPrincipal> {
    /// The signed-in user, as the backend knows them now.
    pub user: Option<B::User>,
    /// The backend that the layer was given.
    pub backend: B,
    /// The session.
    pub session: Session<S>,
    sign_in: Session<SignIn>,
}

impl<B, S> AuthSession<B, S>
where
    B: AuthnBackend + 'static,
    S: HasPrincipal<Principal = UserId<B>>,
{
    /// Asks the backend whose credentials these are.
    ///
    /// # Errors
    ///
    /// Those of the backend.
    pub async fn authenticate(
        &self,
        credentials: B::Credentials,
    ) -> Result<Option<B::User>, Error<B>> {
        self.backend.authenticate(credentials).await.map_err(Error::Backend)
    }

    /// Signs the user in: sets the principal, which renews the token.
    ///
    /// # Errors
    ///
    /// None here: what can fail is storing it, and then the layer answers the request.
    #[allow(clippy::unused_async)] // As there, so that handlers stay as they are.
    pub async fn login(&mut self, user: &B::User) -> Result<(), Error<B>> {
        self.session.set(S::PRINCIPAL, Some(user.id()));
        self.sign_in.set_credentials(digest(user));
        self.user = Some(user.clone());
        Ok(())
    }

    /// Ends the session, and returns the user who was signed in.
    ///
    /// # Errors
    ///
    /// None here, as in [`login`](Self::login).
    #[allow(clippy::unused_async)]
    pub async fn logout(&mut self) -> Result<Option<B::User>, Error<B>> {
        self.session.destroy();
        Ok(self.user.take())
    }
}

impl<B: AuthnBackend, S: HasPrincipal> fmt::Debug for AuthSession<B, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthSession").finish_non_exhaustive()
    }
}

impl<B, S, State> FromRequestParts<State> for AuthSession<B, S>
where
    B: AuthnBackend + 'static,
    S: HasPrincipal,
    State: Send + Sync,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Response> {
        let Some(checked) = parts.extensions.get::<Checked<B>>().cloned() else {
            let backend = std::any::type_name::<B>();
            tracing::error!(
                "a handler asks for an `AuthSession` of `{backend}` on a route without its layer: \
                 add `.layer(AuthLayer::new::<Visitor>(backend, sessions))` to the router"
            );
            return Err(StatusCode::INTERNAL_SERVER_ERROR.into_response());
        };
        let session = session_of::<S>(&parts.extensions, &parts.headers).await;
        let sign_in = session_of::<SignIn>(&parts.extensions, &parts.headers).await;
        Ok(Self {
            user: checked.user,
            backend: checked.backend,
            session: session.map_err(IntoResponse::into_response)?,
            sign_in: sign_in.map_err(IntoResponse::into_response)?,
        })
    }
}

/// The layer for an [`AuthSession`]: a backend, and the session layer. It stands where
/// `AuthManagerLayer` stood.
///
/// Routes that the session layer [excludes](SessionLayer::exclude) are left alone.
#[derive(Clone)]
pub struct AuthLayer<B> {
    check: Middleware<B>,
    sessions: SessionLayer,
}

type Middleware<B> = FromFnLayer<Check<B>, B, (State<B>, Request)>;
type Checking<B, Inner> = <Middleware<B> as Layer<Inner>>::Service;
type Check<B> = fn(State<B>, Request, Next) -> BoxFuture<Response>;

impl<B: AuthnBackend + 'static> AuthLayer<B> {
    /// Makes the layer, for sessions whose principal is an id of the backend's users.
    pub fn new<S>(backend: B, sessions: SessionLayer) -> Self
    where
        S: HasPrincipal<Principal = UserId<B>>,
    {
        let check: Check<B> =
            |State(backend), request, next| Box::pin(check::<B, S>(backend, request, next));
        Self {
            check: from_fn_with_state(backend, check),
            sessions: sessions.schema::<S>().schema::<SignIn>(),
        }
    }

    /// Returns the session layer, for its [managers](SessionLayer::manager_for).
    pub fn sessions(&self) -> &SessionLayer {
        &self.sessions
    }
}

impl<B, Inner> Layer<Inner> for AuthLayer<B>
where
    Middleware<B>: Layer<Inner>,
    SessionLayer: Layer<Checking<B, Inner>>,
{
    type Service = <SessionLayer as Layer<Checking<B, Inner>>>::Service;

    fn layer(&self, inner: Inner) -> Self::Service {
        self.sessions.layer(self.check.layer(inner))
    }
}

impl<B> fmt::Debug for AuthLayer<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthLayer").finish_non_exhaustive()
    }
}

/// Reads a user's `session_auth_hash` from the backend, for
/// [`TowerSessionsLegacy::axum_login`](crate::tower_sessions_014::TowerSessionsLegacy::axum_login).
///
/// ```
/// use axum_login::AuthnBackend;
/// use session_runtime::{axum_login::hash_of, tower_sessions_014::TowerSessionsLegacy};
/// # use tower_sessions_core_014::SessionStore;
///
/// fn legacy<T: SessionStore>(
///     their_store: T,
///     backend: impl AuthnBackend + 'static,
/// ) -> TowerSessionsLegacy<T> {
///     TowerSessionsLegacy::new(their_store).axum_login("user_id", hash_of(backend))
/// }
/// ```
pub fn hash_of<B: AuthnBackend + 'static>(backend: B) -> impl Fn(UserId<B>) -> BoxFuture<HashOf> {
    move |id| {
        let backend = backend.clone();
        Box::pin(async move {
            let user = backend.get_user(&id).await?;
            Ok(user.map(|user| user.session_auth_hash().to_vec()))
        })
    }
}

async fn check<B, S>(backend: B, request: Request, next: Next) -> Response
where
    B: AuthnBackend + 'static,
    S: HasPrincipal<Principal = UserId<B>>,
{
    let (mut parts, body) = request.into_parts();
    match user_of::<B, S>(&backend, &parts).await {
        Ok(user) => parts.extensions.insert(Checked { user, backend }),
        Err(response) => return response,
    };
    next.run(Request::from_parts(parts, body)).await
}

/// The user of the session, if they still exist and have the credentials of the sign-in; ends the
/// session otherwise.
async fn user_of<B, S>(backend: &B, request: &Parts) -> Result<Option<B::User>, Response>
where
    B: AuthnBackend + 'static,
    S: HasPrincipal<Principal = UserId<B>>,
{
    let Some(mut session) = existing::<S>(request).await? else { return Ok(None) };
    let Some(id) = session.get(S::PRINCIPAL).clone() else { return Ok(None) };
    let user = backend.get_user(&id).await.map_err(|error| {
        tracing::error!(error = &error as &dyn StdError, "the backend cannot say who is signed in");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })?;
    let Some(mut sign_in) = existing::<SignIn>(request).await? else { return Ok(None) };
    let present = user.as_ref().map(digest::<B::User>);
    match (sign_in.credentials(), present) {
        (Some(stored), Some(present)) if *stored == present => Ok(user),
        (None, Some(present)) => {
            sign_in.set_credentials(present);
            Ok(user)
        }
        _ => {
            session.destroy();
            Ok(None)
        }
    }
}

async fn existing<S: SessionSchema>(request: &Parts) -> Result<Option<S::Session>, Response> {
    match existing_session_of::<S>(&request.extensions, &request.headers).await {
        Err(SessionRejection::Excluded { .. }) => Ok(None),
        found => found.map_err(IntoResponse::into_response),
    }
}

fn digest<U: AuthUser>(user: &U) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(user.session_auth_hash()))
}
