//! Plain, documented settings, validated when they are built.

mod cookie;
mod error;
mod layer;

pub use cookie::{CookieConfig, CookieConfigBuilder, CookiePrefix, SameSite};
pub use error::{ConfigError, SchemaClash, StoreCannot};
pub(crate) use layer::Config;
pub use layer::keep_unless_failed;
