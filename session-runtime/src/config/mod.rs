//! Plain, documented settings, validated when they are built.

mod cookie;
mod error;
mod layer;
mod realms;

pub use cookie::{CookieConfig, CookieConfigBuilder, CookiePrefix, SameSite};
pub use error::{ConfigError, KeysMissing, SchemaClash, StoreCannot};
pub(crate) use layer::{Config, Policy};
pub use layer::{OnReplay, keep_unless_failed};
#[cfg(feature = "config")]
pub(crate) use realms::Realms;
