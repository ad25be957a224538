//! Counter types.

use crate::codec::FieldType;
use crate::record::patch::Integer;

/// The types that a `#[session(counter)]` field may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a session counter",
    label = "a counter is an `i64` or a `u64`"
)]
pub trait Counter: FieldType + Copy {
    /// Returns `self + delta`, saturating.
    #[must_use]
    fn plus(self, delta: i64) -> Self;
    /// Returns the value in the form that a store adds to.
    #[must_use]
    fn integer(self) -> Integer;
}

impl Counter for i64 {
    fn plus(self, delta: i64) -> Self {
        self.saturating_add(delta)
    }

    fn integer(self) -> Integer {
        Integer::Signed(self)
    }
}

impl Counter for u64 {
    fn plus(self, delta: i64) -> Self {
        self.saturating_add_signed(delta)
    }

    fn integer(self) -> Integer {
        Integer::Unsigned(self)
    }
}
