//! The schema lock: [`assert_schema_lock!`](crate::assert_schema_lock).

mod check;
mod compare;
mod file;
mod fit;
mod migrated;
mod model;
mod names;
mod pair;
mod report;
#[cfg(test)]
mod tests;
mod tried;

pub use self::check::{LockError, Mode, Verified, verify};
pub use self::model::Locked;
pub use self::report::{Finding, Report, Severity};

/// Fails the test if a changed struct would lose what the released version stored.
///
/// ```no_run
/// # use session_runtime::SessionSchema;
/// # #[derive(SessionSchema)] struct Visitor { visits: u64 }
/// // tests/sessions.rs
/// #[test]
/// fn sessions_of_the_released_version_survive() {
///     session_runtime::assert_schema_lock!("session.lock", Visitor);
/// }
/// ```
///
/// The first run writes `session.lock` beside `Cargo.toml`; commit it. From then
/// on the test compares the struct with it, and fails
///
/// - if stored sessions lose something, with what is lost and what to write;
/// - if nothing is lost but the file is out of date: run the test with
///   `SESSION_LOCK=update`, and commit the file with the change.
///
/// `SESSION_LOCK=accept_losses` writes the file whatever is lost. If the variable `CI` is set, a
/// schema missing in the file is an error too. Check each file in one test, which names all of its
/// schemas.
///
/// # What it cannot see
///
/// It does not see inside your own types. A field's type is compared as it is written in the
/// struct, so a change of `struct Item` behind a `Vec<Item>` is noticed only if it affects the
/// default of the field. Provide samples to have it noticed:
///
/// ```no_run
/// # use session_runtime::SessionSchema;
/// # #[derive(serde::Serialize, serde::Deserialize)] struct Item { name: String }
/// # #[derive(SessionSchema)] struct Visitor { cart: Vec<Item> }
/// use session_runtime::testing::Locked;
///
/// session_runtime::assert_schema_lock!("session.lock", [
///     Locked::of::<Visitor>().sample(Visitor::CART, vec![Item { name: "pen".into() }]),
/// ]);
/// ```
///
/// The file keeps each sample as it was stored by the version that recorded it, and every later
/// version must decode it without losing any part. Samples stay in the file when those in the code
/// change: delete them from the file once no session can hold such values. A `migrate` function is
/// run on the samples and defaults.
///
/// It does not see what your functions do (`with`, `merge`, `serialize_with`) with values other
/// than the samples, nor sessions older than the lock.
///
/// The path is relative to the caller's `Cargo.toml`. It is followed by the schemas, as in
/// `assert_schema_lock!("session.lock", Visitor, Admin)`, or, with samples, by a list of
/// [`Locked`](crate::testing::Locked) in brackets.
///
/// # Panics
///
/// If stored sessions would lose something, or the file is out of date or cannot be read.
#[macro_export]
macro_rules! assert_schema_lock {
    ($path:expr, [$($locked:expr),+ $(,)?] $(,)?) => {
        $crate::__private::lock::__assert(
            ::core::option_env!("CARGO_MANIFEST_DIR"),
            $path,
            ::std::vec![$($locked),+],
        )
    };
    ($path:expr, $($schema:ty),+ $(,)?) => {
        $crate::assert_schema_lock!($path, [$($crate::__private::lock::Locked::of::<$schema>()),+])
    };
}

#[doc(hidden)]
pub use self::check::assert as __assert;
