//! State shared by all requests of one layer: the store, the settings, and the schemas seen so far.

mod neighbours;
mod schemas;
mod shared;

pub(crate) use schemas::Schemas;
pub(crate) use shared::Engine;
