//! An order is placed once, however often it is sent.

use serde_json::{Value, json};

use crate::checkout::to_review;
use crate::page::items;
use crate::support::{Browser, Shop, Start, wait_for};

#[test]
fn a_double_click_places_one_order() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "a double click") else { return };
    to_review(&browser);
    browser.double_click("#next");
    browser.wait_until_at("/checkout/done");
    assert_eq!(orders(&browser), "1");
    browser.reload();
    assert_eq!(orders(&browser), "1");
}

#[test]
fn of_many_requests_at_once_one_places_the_order() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "many orders at once") else { return };
    to_review(&browser);
    browser.script(
        "window.answers = null;
         const body = new URLSearchParams(new FormData(document.querySelector('main form')));
         const send = () => fetch('/checkout/review', { method: 'POST', body })
             .then(answer => answer.text().then(text => [answer.status, new URL(answer.url).pathname]));
         Promise.all([1, 2, 3, 4, 5, 6].map(send)).then(all => window.answers = all);",
        &json!([]),
    );
    let answers = wait_for("six answers", || match browser.evaluate("window.answers") {
        Value::Null => None,
        answers => Some(answers),
    });
    assert_eq!(answers, json!(vec![json!([200, "/checkout/done"]); 6]));
    browser.go("/checkout/done");
    assert_eq!(orders(&browser), "1");
}

#[test]
fn a_page_from_before_the_order_orders_nothing_more() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "an old page for review") else { return };
    to_review(&browser);
    let old = browser.tab();
    browser.new_tab();
    browser.go("/checkout/review");
    browser.submit("#next");
    assert_eq!(orders(&browser), "1");
    // All that a second order needs, but for somebody who has looked at it.
    browser.go("/");
    to_review(&browser);

    browser.switch_to(&old);
    browser.submit("#next");
    assert_eq!(browser.path(), "/checkout/done");
    assert!(browser.text("#notice").contains("had already been placed"));
    assert_eq!(orders(&browser), "1");
    browser.go("/");
    assert_eq!(items(&browser), "1", "the second cart waits");
}

#[test]
fn after_the_order_the_back_button_leads_to_nothing_that_could_be_ordered() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "back after the order") else { return };
    to_review(&browser);
    browser.submit("#next");
    browser.back();
    // From the browser's memory, or asked for again: then there is no review.
    if browser.path() == "/checkout/review" {
        browser.submit("#next");
    }
    browser.go("/checkout/done");
    assert_eq!(orders(&browser), "1");
    browser.go("/checkout/address");
    assert_eq!(browser.path(), "/checkout/done");
}

#[test]
fn what_another_tab_put_into_the_cart_is_shown_before_it_is_ordered() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "a cart that changes") else { return };
    to_review(&browser);
    let review = browser.tab();
    browser.new_tab();
    browser.submit(".product.lamp button");

    browser.switch_to(&review);
    browser.submit("#next");
    assert_eq!(browser.path(), "/checkout/review");
    assert!(browser.has("#notice"));
    assert_eq!(browser.text("#total strong"), "€62.40");
    browser.submit("#next");
    assert_eq!(orders(&browser), "1");
}

fn orders(browser: &Browser) -> String {
    browser.attribute("#done", "data-orders").unwrap()
}
