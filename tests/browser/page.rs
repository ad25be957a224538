//! What the page remembers: language, cart, visits.

use crate::support::{Browser, Shop, Start};

#[test]
fn the_language_changes_and_stays() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "the language") else { return };
    assert_eq!(browser.text("h1"), "A shop that forgets nothing");

    for (locale, headline) in
        [("de", "Ein Laden, der nichts vergisst"), ("fr", "La boutique qui n’oublie rien")]
    {
        browser.submit(&format!("[name=locale][value={locale}]"));
        assert_eq!(browser.attribute("html", "lang").as_deref(), Some(locale));
        browser.go("/");
        assert_eq!(browser.text("h1"), headline);
    }
}

#[test]
fn the_cart_takes_and_gives_back() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "the cart") else { return };
    assert_eq!(items(&browser), "0");

    browser.submit(".product.pen button");
    assert!(browser.text("#notice").contains("Fountain pen"));
    browser.submit(".product.pen button");
    browser.submit(".product.lamp button");
    assert_eq!(items(&browser), "3");
    assert_eq!(browser.text("#cart .total strong"), "€75.30");

    browser.submit("#cart li:first-child [value=less]");
    assert_eq!(items(&browser), "2");
    browser.submit("#cart li:first-child [value=more]");
    browser.submit("#cart li:last-child [value=remove]");
    assert_eq!(items(&browser), "2");

    browser.go("/");
    assert_eq!(items(&browser), "2");
    assert_eq!(browser.text("#cart .total strong"), "€25.80");
}

#[test]
fn visits_are_counted_and_the_cart_survives_signing_in() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "the counter") else { return };
    browser.submit(".product.cup button");
    let before = visits(&browser);
    for further in 1..=3 {
        browser.go("/");
        assert_eq!(visits(&browser), before + further);
    }

    crate::account::sign_in(&browser, "Linus");
    assert_eq!(items(&browser), "1");
    assert_eq!(visits(&browser), before + 4);
}

pub(crate) fn items(browser: &Browser) -> String {
    browser.attribute("#cart", "data-items").unwrap()
}

fn visits(browser: &Browser) -> u64 {
    browser.attribute("#visits", "data-visits").unwrap().parse().unwrap()
}
