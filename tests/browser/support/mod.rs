//! What the cases are written with.
//!
//! - [`tools`]: where Chromium is, and what happens when it is nowhere
//! - [`http`], [`driver`]: WebDriver
//! - [`browser`]: one browser with a profile of its own
//! - [`shop`]: the program under test

mod browser;
mod driver;
mod http;
mod shop;
mod tools;

pub(crate) use self::browser::{Browser, DOWN, ENTER, TAB};
pub(crate) use self::shop::{Shop, Start, run_to_its_end};

/// Asks again until `found` is something, for at most ten seconds.
pub(crate) fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    for _ in 0..400 {
        if let Some(found) = found() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    panic!("waited ten seconds in vain: {what}");
}
