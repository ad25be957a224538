//! What is put into a session comes out of it, or is refused.

mod identity;
mod kit;
mod refused;
mod unchanged;
