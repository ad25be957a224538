//! Tests that look into several modules.
//!
//! - [`fuzz`]: arbitrary input, where input comes from outside
//! - [`vectors`]: published test vectors

mod fuzz;
#[cfg(feature = "keys")]
mod vectors;
