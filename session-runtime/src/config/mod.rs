//! The settings as plain data, and their validation.

mod cookie;
mod error;
mod layer;
mod login;
mod realms;
mod set_cookie;
mod site_data;

pub use cookie::{CookieConfig, CookieConfigBuilder, CookiePrefix, SameSite};
pub use error::SetupError;
pub(crate) use error::{Clash, Fault};
pub(crate) use layer::{Config, Policy, header_named};
pub use layer::{OnReplay, keep_unless_failed};
pub(crate) use login::LoginPages;
#[cfg(feature = "config")]
pub(crate) use realms::Realms;
pub(crate) use set_cookie::SetCookie;
pub use site_data::SiteData;
