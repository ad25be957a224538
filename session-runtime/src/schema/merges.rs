//! The bound on `#[session(merge = …)]` functions, and how they are called.

use std::any::Any;
use std::ops::Deref;

use crate::codec::Value;

/// A three-way merge of decoded values, all of the field's type: the value that this request
/// started from, the value stored now, and the value that this request wants.
pub type MergeFn = fn(&(dyn Any + Send + Sync), &(dyn Any + Send + Sync), Value) -> Value;

/// The bound on `#[session(merge = …)]`: a function that takes references to the value that this
/// request started from and the value stored now, and the value that this request wants; it returns
/// the value to store. The references may be to the type's `Deref` target, such as `&[u8]` for
/// `Vec<u8>`.
#[diagnostic::on_unimplemented(
    message = "this function does not merge a session field of the type `{T}`",
    label = "expected `fn(base: &{T}, stored: &{T}, mine: {T}) -> {T}`",
    note = "`session_runtime::merge` has functions for maps, sets and lists of recent items"
)]
pub trait MergesField<T, How> {
    #[doc(hidden)]
    fn merge(self, base: &T, stored: &T, mine: T) -> T;
}

/// The function takes references to the type itself.
#[derive(Debug)]
pub enum Itself {}

/// The function takes references to the `Deref` target.
#[derive(Debug)]
pub enum Target {}

impl<T, F: FnOnce(&T, &T, T) -> T> MergesField<T, Itself> for F {
    fn merge(self, base: &T, stored: &T, mine: T) -> T {
        self(base, stored, mine)
    }
}

impl<T: Deref, F: FnOnce(&T::Target, &T::Target, T) -> T> MergesField<T, Target> for F {
    fn merge(self, base: &T, stored: &T, mine: T) -> T {
        self(base, stored, mine)
    }
}

/// Calls a typed merge function on untyped values.
#[doc(hidden)]
pub fn merge_with<T: Send + Sync + 'static, How>(
    base: &(dyn Any + Send + Sync),
    stored: &(dyn Any + Send + Sync),
    mine: Value,
    merge: impl MergesField<T, How>,
) -> Value {
    match (base.downcast_ref::<T>(), stored.downcast_ref::<T>(), mine.downcast::<T>()) {
        (Some(base), Some(stored), Ok(mine)) => Box::new(merge.merge(base, stored, *mine)),
        // All three come from one field's codec, which produces this type.
        _ => unreachable!("the values of a field are of its type"),
    }
}
