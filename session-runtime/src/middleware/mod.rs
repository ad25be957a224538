//! The tower layer: glue that decides nothing.

mod future;
mod layer;
mod probe;
mod service;

pub use future::ResponseFuture;
pub use layer::SessionLayer;
pub(crate) use probe::Probe;
pub(crate) use service::Excluded;
pub use service::SessionService;
