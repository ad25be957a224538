//! Tests that look into several modules.
//!
//! - [`fuzz`]: arbitrary input, where input comes from outside
//! - [`sizes`]: how much room a request takes
//! - [`vectors`]: published test vectors

mod fuzz;
mod sizes;
#[cfg(feature = "keys")]
mod vectors;
