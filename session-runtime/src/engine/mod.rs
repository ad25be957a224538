//! What all requests of one layer share: the store, the settings, and the
//! schemas that were seen.

mod neighbours;
mod schemas;
mod shared;

pub(crate) use schemas::Schemas;
pub(crate) use shared::Engine;
