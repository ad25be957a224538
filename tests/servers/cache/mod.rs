//! The cache in front of real servers that tell what changes.

mod cluster;
mod kit;
mod promises;
mod silence;
mod slots;
mod sockets;
mod suite;
