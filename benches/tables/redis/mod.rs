//! One Redis server: by hand, another library, and this toolkit.

mod goals;
mod memory;
mod rounds;
pub(crate) mod server;
pub(crate) mod tables;
