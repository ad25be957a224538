//! The tower layer: glue that decides nothing.

mod future;
mod layer;
mod service;

pub use future::ResponseFuture;
pub use layer::SessionLayer;
pub use service::SessionService;
pub(crate) use service::{Excluded, RequestExtension};
