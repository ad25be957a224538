//! Plain, documented settings, validated when they are built.

mod cookie;
mod error;
#[cfg(feature = "config")]
mod file;
mod keys;
mod layer;

pub use cookie::{CookieConfig, CookieConfigBuilder, CookiePrefix, SameSite};
pub use error::{ConfigError, KeysMissing, SchemaClash, StoreCannot};
#[cfg(feature = "config")]
pub use file::{SessionConfig, SetupError};
#[cfg(feature = "keys")]
pub(crate) use keys::Place;
pub(crate) use keys::{Keys, is_locked};
pub(crate) use layer::Config;
pub use layer::keep_unless_failed;
