//! One user, two browsers.

use crate::account::sign_in;
use crate::page::items;
use crate::support::{Browser, Shop, Start};

#[test]
fn signing_out_the_others_ends_the_other_browser() {
    let shop = Shop::open(Start::Plain);
    let Some(desk) = Browser::open(&shop.url(), "my devices") else { return };
    let Some(phone) = Browser::open(&shop.url(), "my devices") else { return };
    sign_in(&desk, "Ada");
    sign_in(&phone, "Ada");

    desk.go("/");
    assert_eq!(devices(&desk), "2");
    desk.submit("#end-others");
    assert_eq!(devices(&desk), "1");
    assert_eq!(desk.text("#notice"), "One other session was ended.");
    assert_eq!(desk.text("#user"), "Ada");

    phone.go("/");
    assert!(!phone.has("#user"));
    assert!(phone.has("#sign-in"), "the page is there, for nobody");
    assert_eq!(phone.text("#notice"), "You were signed out from another device.");
    phone.go("/");
    assert!(!phone.has("#notice"), "once: the browser has a new session");
}

#[test]
fn a_device_that_was_just_ended_starts_afresh_at_once() {
    let shop = Shop::open(Start::Plain);
    let Some(desk) = Browser::open(&shop.url(), "a device that was ended") else { return };
    let Some(phone) = Browser::open(&shop.url(), "a device that was ended") else { return };
    sign_in(&desk, "Ada");
    sign_in(&phone, "Ada");
    desk.go("/");
    desk.submit("#end-others");

    // Still on the page from before: what it puts into the cart is nobody's.
    phone.submit(".product.pen button");
    assert!(!phone.has("#user"));
    assert_eq!(items(&phone), "1");
    sign_in(&phone, "Ada");
    assert_eq!(items(&phone), "1");
    assert_eq!(phone.text("#user"), "Ada");
}

#[test]
fn one_device_is_ended_and_somebody_elses_is_not_listed() {
    let shop = Shop::open(Start::Plain);
    let Some(desk) = Browser::open(&shop.url(), "ending one device") else { return };
    let Some(phone) = Browser::open(&shop.url(), "ending one device") else { return };
    sign_in(&desk, "Ada");
    sign_in(&phone, "Grace");
    desk.go("/");
    assert_eq!(devices(&desk), "1", "Grace's session is none of Ada's business");

    phone.submit("#sign-out");
    phone.go("/");
    sign_in(&phone, "Ada");
    desk.go("/");
    assert_eq!(devices(&desk), "2");
    desk.submit("#devices li:not(.this) button");
    assert_eq!(devices(&desk), "1");

    phone.go("/");
    assert!(!phone.has("#user"));
    assert!(phone.has("#sign-in"), "the page is there, for nobody");
}

#[test]
fn the_list_names_the_device_and_the_sixth_sign_in_ends_the_first() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "at most five devices") else { return };
    sign_in(&browser, "Ada");
    let name = browser.text("#devices .device-name");
    assert!(name.starts_with("Chrome"), "{name}");
    let first = browser.cookie();
    for _ in 0..5 {
        browser.forget_cookies();
        browser.go("/");
        sign_in(&browser, "Ada");
    }
    assert_eq!(devices(&browser), "5");
    browser.put_cookie(&first.name, &first.value);
    browser.go("/");
    assert!(!browser.has("#user"));
}

fn devices(browser: &Browser) -> String {
    browser.attribute("#devices", "data-devices").unwrap()
}
