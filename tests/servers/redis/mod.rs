//! The Redis store against real servers.

mod faults;
mod requests;
mod suite;
