//! What generated code names, and what this project's own tests look at. May change in
//! any release.

pub use crate::__session_extractors as extractors;
pub use crate::SessionError;
pub use crate::codec::{Codec, Value, decode_with, encode_with};
pub use crate::schema::agreement::agree;
pub use crate::schema::{
    Counter, Field, FieldKind, HasPrincipal, Key, OnInvalid, Schema, SessionHandle, SessionSchema,
    copied, default, kind, merge_with,
};
pub use crate::session::Handle;
#[cfg(feature = "axum")]
pub use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
#[cfg(feature = "axum")]
pub use http::request::Parts;

/// The stored record and its rules.
pub mod record {
    pub use crate::record::*;
}

/// A change of a record.
pub mod patch {
    pub use crate::record::patch::*;
}

/// Session tokens.
pub mod token {
    pub use crate::token::*;
}

/// How values become bytes.
pub mod codec {
    pub use crate::codec::*;
}

/// The schema lock.
pub mod lock {
    pub use crate::lock::*;
}

/// The value of `#[session(default = …)]`, boxed.
pub fn boxed<T: Send + Sync + 'static>(value: T) -> Value {
    Box::new(value)
}

/// Without the feature `axum` there is nothing to extract from.
#[cfg(not(feature = "axum"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __session_extractors {
    ($session:ty) => {};
}
