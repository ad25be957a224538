//! Every setting of the layer, and the store's URL, from a configuration file
//! or the environment, by serde.
//!
//! - `session_config`: what was read, and the layer that it makes
//! - `entries`: the entries there are
//! - `reader`: entries by their names; collects what is wrong
//! - `node`: what a front end read, before it means anything
//! - `values`: texts that mean a length of time, a size, a yes or no
//! - `secrets`: values that stand somewhere else

mod entries;
mod node;
mod reader;
mod secrets;
mod session_config;
mod values;

pub use session_config::SessionConfig;
