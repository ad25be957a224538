//! The stores that need a server, against real ones: each test program starts
//! its own, on private ports or sockets, and stops them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[cfg(feature = "servers")]
mod cache;
#[cfg(feature = "servers")]
mod lent;
#[cfg(feature = "servers")]
mod mysql;
#[cfg(feature = "servers")]
mod postgres;
#[cfg(feature = "servers")]
mod promises;
#[cfg(feature = "servers")]
mod queued;
#[cfg(feature = "servers")]
mod redis;
#[cfg(feature = "servers")]
mod shapes;
#[cfg(feature = "servers")]
mod starts;

#[cfg(not(feature = "servers"))]
#[test]
fn everything_that_needs_a_server() {
    use std::io::Write;
    let what = "left out: the stores that need a server (run `tests/run`, or `--features servers`)";
    // Not `eprintln!`: the test harness swallows what passing tests print.
    let _ = writeln!(std::io::stderr(), "{what}");
}
