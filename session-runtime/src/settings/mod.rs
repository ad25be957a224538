//! The layer's settings and the store's URL, from a configuration file or the
//! environment, by serde.
//!
//! - `session_config`: the parsed configuration, and the layer built from it
//! - `entries`: the entries of a configuration
//! - `reader`: reads entries by name and collects problems
//! - `node`: the untyped tree of a configuration
//! - `values`: parsers of durations, sizes and booleans
//! - `secrets`: values from the environment or a file

mod entries;
mod node;
mod reader;
mod secrets;
mod session_config;
mod values;

pub use session_config::SessionConfig;
