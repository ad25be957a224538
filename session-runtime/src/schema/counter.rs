//! The types that a store adds to.

use crate::codec::FieldType;

/// The types a `#[session(counter)]` field may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a session counter",
    label = "a counter is an `i64` or a `u64`"
)]
pub trait Counter: FieldType + Copy {
    /// The smallest and the largest value.
    const BOUNDS: (i128, i128);
    /// `self + delta`, saturating.
    #[must_use]
    fn plus(self, delta: i64) -> Self;
    /// The value, widened.
    #[must_use]
    fn wide(self) -> i128;
}

impl Counter for i64 {
    const BOUNDS: (i128, i128) = (i64::MIN as i128, i64::MAX as i128);

    fn plus(self, delta: i64) -> Self {
        self.saturating_add(delta)
    }

    fn wide(self) -> i128 {
        self.into()
    }
}

impl Counter for u64 {
    const BOUNDS: (i128, i128) = (0, u64::MAX as i128);

    fn plus(self, delta: i64) -> Self {
        self.saturating_add_signed(delta)
    }

    fn wide(self) -> i128 {
        self.into()
    }
}
