//! The test kit itself: what `TestSession` shows is what happened.

mod faults;
mod layered;
mod visitors;

use session_runtime::testing::TestSession;

use crate::visitor::Visitor;

/// A visitor as most tests begin with.
fn visitor() -> TestSession<Visitor> {
    TestSession::new()
}

/// What `test` panics with.
pub(crate) fn panic_of(test: impl FnOnce()) -> String {
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(test)).unwrap_err();
    text_of(failed)
}

fn text_of(failed: Box<dyn std::any::Any + Send>) -> String {
    let text = failed.downcast::<&str>().map(|text| (*text).to_owned());
    text.unwrap_or_else(|failed| *failed.downcast::<String>().expect("a message"))
}
