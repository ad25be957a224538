//! The axum extractors.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use axum_core::extract::FromRequestParts;
use http::request::Parts;

use crate::manager::SessionManager;
use crate::middleware::RequestExtension;
use crate::rejection::{AuthenticatedRejection, SessionRejection};
use crate::request::RequestSession;
use crate::schema::{HasPrincipal, SessionSchema};
use crate::session::Handle;

/// What the generated `FromRequestParts` does.
#[doc(hidden)]
pub async fn extract<S: SessionSchema>(parts: &Parts) -> Result<S::Session, SessionRejection> {
    let request = request_of(parts, std::any::type_name::<S>)?;
    Ok(request.handle::<S>(&parts.headers).await?.into())
}

/// What the generated `OptionalFromRequestParts` does.
#[doc(hidden)]
pub async fn extract_existing<S: SessionSchema>(
    parts: &Parts,
) -> Result<Option<S::Session>, SessionRejection> {
    let request = request_of(parts, std::any::type_name::<S>)?;
    let handle: Handle<S> = request.handle(&parts.headers).await?;
    Ok(request.exists().then(|| handle.into()))
}

fn request_of(
    parts: &Parts,
    wanted: fn() -> &'static str,
) -> Result<&Arc<RequestSession>, SessionRejection> {
    match parts.extensions.get() {
        Some(RequestExtension(request)) => Ok(request),
        None => Err(SessionRejection::missing_layer(wanted())),
    }
}

/// Emits the extractors of a generated handle type.
#[doc(hidden)]
#[macro_export]
macro_rules! __session_extractors {
    ($session:ty) => {
        #[automatically_derived]
        impl<__SessionState: ::core::marker::Send + ::core::marker::Sync>
            $crate::__private::FromRequestParts<__SessionState> for $session
        {
            type Rejection = $crate::SessionRejection;

            async fn from_request_parts(
                __session_parts: &mut $crate::__private::Parts,
                _: &__SessionState,
            ) -> ::core::result::Result<Self, Self::Rejection> {
                $crate::__private::extract::<
                                            <$session as $crate::__private::SessionHandle>::Schema,
                                        >(__session_parts)
                                        .await
            }
        }

        #[automatically_derived]
        impl<__SessionState: ::core::marker::Send + ::core::marker::Sync>
            $crate::__private::OptionalFromRequestParts<__SessionState> for $session
        {
            type Rejection = $crate::SessionRejection;

            async fn from_request_parts(
                __session_parts: &mut $crate::__private::Parts,
                _: &__SessionState,
            ) -> ::core::result::Result<::core::option::Option<Self>, Self::Rejection> {
                $crate::__private::extract_existing::<
                    <$session as $crate::__private::SessionHandle>::Schema,
                >(__session_parts)
                .await
            }
        }
    };
}

/// A session in which somebody is signed in.
///
/// It owns the principal and dereferences to the session. When nobody is
/// signed in the request is answered with 401, or with a redirect to
/// [`login_redirect`](crate::SessionLayer::login_redirect).
#[derive(Debug)]
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

    /// The principal and the session.
    #[must_use]
    pub fn into_parts(self) -> (S::Principal, S::Session) {
        (self.principal, self.session)
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

impl<S: HasPrincipal, State: Send + Sync> FromRequestParts<State> for Authenticated<S> {
    type Rejection = AuthenticatedRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &State,
    ) -> Result<Self, AuthenticatedRejection> {
        let request = request_of(parts, std::any::type_name::<S>)?;
        let handle: Handle<S> =
            request.handle(&parts.headers).await.map_err(SessionRejection::from)?;
        match handle.__owned(S::PRINCIPAL) {
            Some(principal) => Ok(Self { principal, session: handle.into() }),
            None => Err(AuthenticatedRejection::nobody(request.engine.config.login_redirect)),
        }
    }
}

impl<State: Send + Sync> FromRequestParts<State> for SessionManager {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, SessionRejection> {
        Ok(Self::new(Arc::clone(&request_of(parts, || "SessionManager")?.engine)))
    }
}

impl<S: HasPrincipal, State: Send + Sync> FromRequestParts<State> for SessionManager<S> {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, SessionRejection> {
        let request = request_of(parts, std::any::type_name::<Self>)?;
        request.engine.admit(S::SCHEMA)?;
        Ok(Self::new(Arc::clone(&request.engine)))
    }
}
