//! The tower layer: its settings, its service and the response future.

mod belonging;
mod body;
mod browser;
mod future;
#[cfg(feature = "keys")]
mod keys;
mod layer;
mod lifetime;
mod plain_http;
mod probe;
mod service;

pub use body::StaticBody;
pub use future::ResponseFuture;
pub use layer::SessionLayer;
pub(crate) use probe::Probe;
pub use service::SessionService;
