//! This toolkit on every store.

pub(crate) mod each;
pub(crate) mod places;
