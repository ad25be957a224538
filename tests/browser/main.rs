//! The shop of `examples/shop`, forms of other origins, and a page that is told of the end of its
//! session, in a real browser.
//!
//! Chromium and its chromedriver do the work; without them these tests say
//! that they were left out and pass. `SESSION_TESTS_REQUIRE=all` makes that a
//! failure. `CHROMIUM` and `CHROMEDRIVER` name them where they are not found
//! by themselves.
//!
//! The driver is spoken to directly (`support/driver.rs`, a dozen commands of
//! W3C WebDriver over plain http). The lightest configuration of `fantoccini`
//! adds 42 crates to these tests (`thirtyfour`: 51), ICU among them.

// Whatever goes wrong in a helper is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod account;
mod checkout;
mod devices;
mod ended;
mod forgery;
mod orders;
mod page;
mod restart;
mod startup;
mod support;
mod tabs;
