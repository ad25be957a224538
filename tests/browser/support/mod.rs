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

use std::net::{Ipv4Addr, TcpListener};

use axum::Router;

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

/// Serves an application on this machine, until the process ends.
pub(crate) fn serve(app: impl FnOnce(u16) -> Router) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let app = app(port);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await.unwrap();
        });
    });
    port
}
