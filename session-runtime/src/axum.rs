//! The axum extractors, and the responses to their failures.

mod events;

use std::borrow::Cow;
use std::sync::Arc;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};

use crate::error::{SessionError, report};
use crate::extract::{Authenticated, innermost, request_of};
use crate::level::Level;
use crate::manager::SessionManager;
use crate::rejection::{AuthenticatedRejection, SessionRejection};
use crate::schema::HasPrincipal;

pub use self::events::EndedEvents;

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
                $crate::session_of::<<$session as $crate::__private::SessionHandle>::Schema>(
                    &__session_parts.extensions,
                    &__session_parts.headers,
                )
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
                $crate::existing_session_of::<
                                            <$session as $crate::__private::SessionHandle>::Schema,
                                        >(&__session_parts.extensions, &__session_parts.headers)
                                        .await
            }
        }
    };
}

impl<S: HasPrincipal, L: Level<S>, State: Send + Sync> FromRequestParts<State>
    for Authenticated<S, L>
{
    type Rejection = AuthenticatedRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &State,
    ) -> Result<Self, AuthenticatedRejection> {
        Self::of(&parts.extensions, &parts.headers).await
    }
}

impl<S: HasPrincipal, L: Level<S>, State: Send + Sync> OptionalFromRequestParts<State>
    for Authenticated<S, L>
{
    type Rejection = SessionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &State,
    ) -> Result<Option<Self>, SessionRejection> {
        Self::find(&parts.extensions, &parts.headers).await
    }
}

impl<State: Send + Sync> FromRequestParts<State> for SessionManager {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, SessionRejection> {
        Ok(Self::new(Arc::clone(&innermost(&parts.extensions, "SessionManager")?.engine)))
    }
}

impl<S: HasPrincipal, State: Send + Sync> FromRequestParts<State> for SessionManager<S> {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, SessionRejection> {
        let request = request_of::<S>(&parts.extensions)?;
        request.engine.admit(S::SCHEMA).map_err(SessionError::from)?;
        Ok(Self::new(Arc::clone(&request.engine)))
    }
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        let answer = self.status_and_text();
        report(answer.0, &self, "session rejected");
        let mut response = answer.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for SessionError {
    /// Returns the response that the layer sends when its own commit fails.
    fn into_response(self) -> Response {
        let answer = self.status_and_text();
        report(answer.0, &self, "session error");
        let mut response = answer.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl IntoResponse for AuthenticatedRejection {
    fn into_response(self) -> Response {
        let (login, text) = match &self {
            Self::Session(rejection) => return rejection.clone().into_response(),
            Self::NotSignedIn { login, .. } => (login, Cow::Borrowed("sign in first")),
            Self::ProofRequired { proof, login } => {
                (login, Cow::Owned(format!("proof required: {proof}")))
            }
        };
        let location = login.as_deref().and_then(|login| HeaderValue::try_from(login).ok());
        let mut response = match location {
            Some(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
            None => (StatusCode::UNAUTHORIZED, text).into_response(),
        };
        response.extensions_mut().insert(self);
        response
    }
}
