//! What the derive costs the compiler, beside serde's two on the same struct.

pub(crate) mod measure;
mod output;
mod source;
pub(crate) mod tables;
