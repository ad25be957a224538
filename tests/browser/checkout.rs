//! The steps of the checkout: address, delivery, review, done.

use crate::account::sign_in;
use crate::page::items;
use crate::support::{Browser, DOWN, ENTER, Shop, Start, TAB};

#[test]
fn the_whole_checkout_goes_with_the_keyboard_alone() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "the checkout by keyboard") else { return };
    browser.tab_to(".product.pen button");
    browser.press(ENTER);
    browser.wait_until_at("/#shop");
    browser.tab_to("#checkout");
    browser.press(ENTER);
    browser.wait_until_at("/checkout/address");

    browser.tab_to("[name=name]");
    browser.press(&format!("Ada{TAB}Long Lane 1{TAB}1010 Vienna{ENTER}"));
    browser.wait_until_at("/checkout/delivery");
    browser.tab_to("[name=delivery]");
    browser.press(&format!("{DOWN}{ENTER}"));
    browser.wait_until_at("/checkout/review");
    assert_eq!(browser.text("#review-address"), "Ada\nLong Lane 1\n1010 Vienna");
    assert!(browser.text("#review-delivery").starts_with("Bicycle courier"));
    assert_eq!(browser.text("#total strong"), "€21.80");

    browser.tab_to("#next");
    browser.press(ENTER);
    browser.wait_until_at("/checkout/done");
    assert_eq!(browser.attribute("#done", "data-orders").as_deref(), Some("1"));
    browser.go("/");
    assert_eq!(items(&browser), "0");
}

#[test]
fn going_back_forward_and_reloading_loses_nothing() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "back and forward") else { return };
    to_review(&browser);

    browser.back();
    browser.wait_until_at("/checkout/delivery");
    browser.back();
    browser.wait_until_at("/checkout/address");
    browser.reload();
    assert_eq!(browser.attribute("[name=street]", "value").as_deref(), Some("Long Lane 1"));
    browser.forward();
    browser.wait_until_at("/checkout/delivery");
    browser.reload();
    assert!(browser.has("[name=delivery][value=pickup]:checked"));
    browser.click("[name=delivery][value=courier]");
    browser.submit("#next");
    assert_eq!(browser.path(), "/checkout/review");
    assert_eq!(browser.text("#total strong"), "€21.80");
    browser.reload();
    assert!(browser.text("#review-address").contains("Long Lane 1"));
}

#[test]
fn what_is_missing_is_asked_for_and_what_was_typed_stays() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "an incomplete address") else { return };
    browser.go("/checkout/review");
    assert!(browser.path().ends_with("/#cart"), "there is nothing to order");
    browser.submit(".product.pen button");
    browser.go("/checkout/review");
    assert_eq!(browser.path(), "/checkout/address");
    assert!(browser.has("#notice"));

    browser.fill("[name=name]", "  Ada ");
    browser.fill("[name=street]", "   ");
    browser.fill("[name=town]", "1010 Vienna");
    browser.submit("#next");
    assert!(browser.has("#incomplete"));
    assert_eq!(browser.attribute("[name=name]", "value").as_deref(), Some("Ada"));
    assert!(browser.has("[name=street][aria-invalid=true]"));
    browser.go("/checkout/address");
    assert_eq!(browser.attribute("[name=name]", "value").as_deref(), Some(""), "nothing is kept");
}

#[test]
fn two_tabs_in_different_steps_keep_what_both_wrote() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "two steps at once") else { return };
    browser.submit(".product.pen button");
    browser.go("/checkout/delivery");
    let delivery = browser.tab();
    let address = browser.new_tab();
    browser.go("/checkout/address");

    browser.switch_to(&delivery);
    browser.click("[name=delivery][value=pickup]");
    browser.submit("#next");
    assert_eq!(browser.path(), "/checkout/address", "the review waits for the address");
    browser.switch_to(&address);
    write_address(&browser);
    browser.go("/checkout/review");
    assert!(browser.text("#review-address").contains("Ada"));
    assert!(browser.text("#review-delivery").starts_with("Pick it up"));
}

#[test]
fn signing_in_on_the_way_drops_the_address_and_keeps_the_rest() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "signing in on the way") else { return };
    to_review(&browser);
    browser.go("/");
    sign_in(&browser, "Ada");
    assert_eq!(items(&browser), "1");

    browser.go("/checkout/review");
    assert_eq!(browser.path(), "/checkout/address");
    assert!(browser.text("#notice").contains("Where shall it go?"));
    assert_eq!(browser.attribute("[name=name]", "value").as_deref(), Some(""));
    write_address(&browser);
    assert!(browser.has("[name=delivery][value=pickup]:checked"));
}

#[test]
fn the_checkout_speaks_every_language() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "the checkout's languages") else { return };
    to_review(&browser);
    for (locale, title) in [("de", "Prüfen"), ("fr", "Vérification"), ("en", "Review")] {
        browser.submit(&format!("[name=locale][value={locale}]"));
        assert_eq!(browser.path(), "/checkout/review", "the language changes in place");
        assert_eq!(browser.text("h1"), title);
    }
}

/// One pen, to be picked up.
pub(crate) fn to_review(browser: &Browser) {
    browser.submit(".product.pen button");
    browser.submit("#checkout");
    write_address(browser);
    browser.click("[name=delivery][value=pickup]");
    browser.submit("#next");
    assert_eq!(browser.path(), "/checkout/review");
}

fn write_address(browser: &Browser) {
    browser.fill("[name=name]", "Ada");
    browser.fill("[name=street]", "Long Lane 1");
    browser.fill("[name=town]", "1010 Vienna");
    browser.submit("#next");
    assert_eq!(browser.path(), "/checkout/delivery");
}
