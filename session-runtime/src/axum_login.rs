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
//! session ends at its next request once the user has another `session_auth_hash`. Unlike there, it
//! also ends once the backend does not know the user any more. Both happen before any handler or
//! extractor behind the layer runs, so they hold for [`Authenticated`](crate::Authenticated) too,
//! and neither trusts a [cache](crate::store::CachedStore).
//!
//! [`AuthSession::login`] and [`AuthLayer::adopt`] store a SHA-256 of that hash, not the hash itself.
//! Nothing is compared in a session that was signed in otherwise, by `set_user_id(…)` or
//! [`act_as`](crate::Authenticated::act_as): if there are such, a handler that changes a password
//! calls [`revoke_all`](crate::SessionManager::revoke_all). Nor is the backend asked for a user who
//! acts as another one: `revoke_all` ends that, too.
//!
//! Since the user is asked for, every request is activity: name those that are not with
//! [`passive`](SessionLayer::passive).
//!
//! Requires the cargo feature `axum-login`.

use std::error::Error as StdError;
use std::fmt;
use std::marker::PhantomData;
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
use tower_sessions_core_014::SessionStore;

use crate::Session;
use crate::codec::same_value;
use crate::error::SessionError;
use crate::extract::{request_of, session_of};
use crate::middleware::SessionLayer;
use crate::rejection::SessionRejection;
use crate::schema::{Field, HasPrincipal};
use crate::session::Handle;
use crate::tower_sessions_014::TowerSessionsLegacy;

type FoundHash = Result<Option<Vec<u8>>, Box<dyn StdError + Send + Sync>>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a sign-in stores beside the user.
#[derive(crate::SessionSchema)]
#[session(crate = crate, namespace = "axum-login")]
struct SignIn {
    /// The digest of the user's `session_auth_hash` at that time.
    #[session(clear_on_login)]
    credentials: Option<String>,
}

/// The stored name of that field.
const CREDENTIALS: &str = "axum-login:credentials";

/// What the middleware leaves for the extractor.
struct Checked<B: AuthnBackend, S> {
    user: Option<B::User>,
    backend: B,
    schema: PhantomData<fn() -> S>,
}

impl<B: AuthnBackend, S> Clone for Checked<B, S> {
    fn clone(&self) -> Self {
        let (user, backend) = (self.user.clone(), self.backend.clone());
        Self { user, backend, schema: PhantomData }
    }
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
        let mut sign_in = Handle::<SignIn>::beside(&self.session);
        sign_in.set(SignIn::CREDENTIALS, Some(digest(user.session_auth_hash())));
        drop(sign_in);
        self.session.set(S::PRINCIPAL, Some(user.id()));
        // As the digest is: they are stored together.
        self.session.publish();
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
    S: HasPrincipal<Principal = UserId<B>>,
    State: Send + Sync,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Response> {
        let Some(checked) = parts.extensions.get::<Checked<B, S>>().cloned() else {
            let backend = std::any::type_name::<B>();
            tracing::error!(
                "a handler asks for an `AuthSession` of `{backend}` on a route without its layer: \
                 add `.layer(AuthLayer::new::<Visitor>(backend, sessions))` to the router"
            );
            return Err(StatusCode::INTERNAL_SERVER_ERROR.into_response());
        };
        let session = session_of::<S>(&parts.extensions, &parts.headers).await;
        let session = session.map_err(IntoResponse::into_response)?;
        let Checked { user, backend, schema: _ } = checked;
        // A middleware between the check and here may have signed the user out, or another one in.
        let user = user.filter(|user| is_principal::<S>(&session, &user.id()));
        Ok(Self { user, backend, session })
    }
}

/// The layer for an [`AuthSession`]: a backend, and the session layer. It stands where
/// `AuthManagerLayer` stood.
///
/// Routes that the session layer [excludes](SessionLayer::exclude) are left alone.
#[derive(Clone)]
pub struct AuthLayer<B> {
    check: Middleware<B>,
    backend: B,
    sessions: SessionLayer,
    principal: &'static Field,
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
            check: from_fn_with_state(backend.clone(), check),
            backend,
            sessions: sessions.schema::<S>().schema::<SignIn>(),
            principal: &S::SCHEMA.fields[S::PRINCIPAL.index()],
        }
    }

    /// Takes over the sessions that axum-login left, as [`SessionLayer::adopt`] does: of users who
    /// still exist, with the `session_auth_hash` of their sign-in.
    ///
    /// ```
    /// use axum_login::AuthnBackend;
    /// use session_runtime::axum_login::AuthLayer;
    /// use session_runtime::tower_sessions_014::TowerSessionsLegacy;
    /// # use tower_sessions_core_014::SessionStore;
    ///
    /// fn layer<B: AuthnBackend + 'static>(
    ///     layer: AuthLayer<B>,
    ///     their_store: impl SessionStore,
    /// ) -> AuthLayer<B> {
    ///     layer.adopt(TowerSessionsLegacy::new(their_store))
    /// }
    /// ```
    ///
    /// # Default
    ///
    /// Sessions of other layers open nothing.
    #[must_use]
    pub fn adopt<T: SessionStore>(mut self, legacy: TowerSessionsLegacy<T>) -> Self {
        let legacy = legacy.axum_login(self.principal.name, hash_of(self.backend.clone()));
        let legacy = legacy.keeping((CREDENTIALS, digest), self.principal.aliases);
        self.sessions = self.sessions.adopt(legacy);
        self
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

/// Reads a user's `session_auth_hash` from the backend.
fn hash_of<B: AuthnBackend + 'static>(
    backend: B,
) -> impl Fn(UserId<B>) -> BoxFuture<FoundHash> + Send + Sync {
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
    let user = match user_of::<B, S>(&backend, &parts).await {
        Ok(user) => user,
        Err(response) => return response,
    };
    parts.extensions.insert(Checked::<B, S> { user, backend, schema: PhantomData });
    next.run(Request::from_parts(parts, body)).await
}

/// The user of the session, if they still exist and have the credentials of the sign-in; ends the
/// session otherwise.
async fn user_of<B, S>(backend: &B, parts: &Parts) -> Result<Option<B::User>, Response>
where
    B: AuthnBackend + 'static,
    S: HasPrincipal<Principal = UserId<B>>,
{
    let failed = |error: SessionError| SessionRejection::from(error).into_response();
    let request = match request_of::<S>(&parts.extensions) {
        Ok(request) => request,
        Err(SessionRejection::Excluded { .. }) => return Ok(None),
        Err(rejection) => return Err(rejection.into_response()),
    };
    let mut session = request.look::<S>(&parts.headers).await.map_err(failed)?;
    let Some(id) = session.get(S::PRINCIPAL).clone() else { return Ok(None) };
    let user = backend.get_user(&id).await.map_err(|error| {
        tracing::error!(error = &error as &dyn StdError, "the backend cannot say who is signed in");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })?;
    let record = request.scope.state().record().cloned();
    let stored = record.as_ref().and_then(|record| record.fields.get(CREDENTIALS));
    let stored = stored.map(serde_json::from_slice::<String>);
    let holds = |user: &B::User| match &stored {
        None => true,
        Some(stored) => {
            stored.as_ref().is_ok_and(|stored| *stored == digest(user.session_auth_hash()))
        }
    };
    let user = user.filter(holds);
    if user.is_none() {
        session.destroy();
    }
    Ok(user)
}

/// Whether the session belongs to the user with this id.
fn is_principal<S: HasPrincipal>(session: &Handle<S>, id: &S::Principal) -> bool {
    let (now, theirs) = (session.core.principal(), serde_json::to_vec(id));
    matches!((now, theirs), (Ok(Some(now)), Ok(theirs)) if same_value(now.as_bytes(), &theirs))
}

/// What is stored of a user's `session_auth_hash`.
fn digest(hash: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(hash))
}
