//! Typed sessions for axum and tower.
//!
//! Declare a struct, derive [`SessionSchema`], and extract `Session<YourStruct>`
//! in a handler: every field has a typed getter and setter, and only changed
//! fields are written. Parallel requests that change different fields never
//! overwrite each other, and a logout always wins.

#![doc = include_str!("../docs/crate.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(hidden)]
pub mod __private;
#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "axum-login")]
pub mod axum_login;
pub mod clock;
mod codec;
mod config;
mod cookie;
mod engine;
mod error;
mod event;
mod extract;
mod hmac;
mod id;
mod inline;
#[cfg(feature = "keys")]
pub mod keys;
#[cfg(not(feature = "keys"))]
mod keys;
pub mod legacy;
mod level;
mod lock;
mod login;
mod manager;
pub mod merge;
mod metrics;
mod middleware;
mod realm;
mod record;
mod rejection;
mod request;
mod retry;
pub mod schema;
mod session;
#[cfg(feature = "config")]
mod settings;
pub mod store;
pub mod testing;
#[cfg(test)]
mod tests;
mod ticket;
mod token;
#[cfg(feature = "tower-sessions")]
pub mod tower_sessions;
#[cfg(feature = "tower-sessions-014")]
pub mod tower_sessions_014;
mod transport;

#[cfg(feature = "axum")]
pub use axum::EndedEvents;
pub use config::{
    CookieConfig, CookieConfigBuilder, CookiePrefix, OnReplay, SameSite, SetupError, SiteData,
    keep_unless_failed,
};
pub use error::SessionError;
pub use event::{SecurityEvent, SecurityEventKind};
pub use extract::{Authenticated, existing_session_of, session_of};
pub use id::{InvalidSessionId, SessionId};
pub use level::{Fresh, Level, SignedIn};
pub use login::local_path;
pub use manager::{
    AnySchema, ExportedSession, PrincipalRef, SessionInfo, SessionManager, SessionPage,
};
pub use metrics::Metrics;
pub use middleware::{ResponseFuture, SessionLayer, SessionService, StaticBody};
pub use realm::{InvalidRealm, Realm};
pub use record::EndReason;
pub use record::patch::AtLimit;
pub use rejection::{AuthenticatedRejection, SessionRejection};
pub use schema::SessionSchema;
pub use session::{FlashList, Handle, KeepAlive};
pub use session_macros::SessionSchema;
#[cfg(feature = "config")]
pub use settings::SessionConfig;
pub use ticket::LoginTicket;
pub use transport::{BearerToken, Transport, Transports};

/// The session type that handlers extract for the schema `S`. The derive generates
/// it, with one typed accessor per field and operation.
///
/// `Option<Session<S>>` extracts only an existing session and never creates one.
pub type Session<S> = <S as SessionSchema>::Session;
