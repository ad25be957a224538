//! The shop dies, and nobody is signed out by that.

use crate::account::sign_in;
use crate::page::items;
use crate::support::{Browser, Shop, Start};

#[test]
fn everybody_is_still_signed_in_after_kill_9() {
    let mut shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "kill -9") else { return };
    sign_in(&browser, "Linus");
    browser.submit("[name=locale][value=de]");
    browser.submit(".product.notebook button");
    let (cookie, id) = (browser.cookie(), browser.text("#session-id"));

    // Whatever was answered is in the file: there is nothing to wait for.
    shop.kill_and_reopen();

    browser.go("/");
    assert_eq!(browser.text("#user"), "Linus");
    assert_eq!(browser.attribute("html", "lang").as_deref(), Some("de"));
    assert_eq!(items(&browser), "1");
    assert_eq!(browser.text("#session-id"), id);
    assert_eq!(browser.cookie(), cookie);
}
