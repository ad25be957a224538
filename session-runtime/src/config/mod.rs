//! Plain, documented settings, validated when they are built.

mod cookie;
mod error;
#[cfg(feature = "config")]
mod file;
mod keys;
mod layer;
mod realms;

pub use cookie::{CookieConfig, CookieConfigBuilder, CookiePrefix, SameSite};
pub use error::{ConfigError, KeysMissing, SchemaClash, StoreCannot};
#[cfg(feature = "config")]
pub use file::{SessionConfig, SetupError};
#[cfg(feature = "keys")]
pub(crate) use keys::Place;
pub(crate) use keys::{Home, Keys, is_locked};
pub(crate) use layer::Config;
pub use layer::keep_unless_failed;
pub(crate) use realms::Realms;
