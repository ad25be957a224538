//! Signing in and out, and what the browser keeps meanwhile.

use serde_json::json;

use crate::support::{Browser, Shop, Start};

#[test]
fn signing_in_shows_the_name_and_says_so_once() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "signing in") else { return };
    assert!(!browser.has("#user"));

    sign_in(&browser, "Grace");
    assert_eq!(browser.text("#user"), "Grace");
    assert!(browser.text("#notice").contains("Grace"));

    browser.go("/");
    assert_eq!(browser.text("#user"), "Grace");
    assert!(!browser.has("#notice"), "a flash notice is shown once");
}

#[test]
fn signing_in_gives_the_same_session_another_token() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "renewal at sign-in") else { return };
    let (before, id) = (browser.cookie(), browser.text("#session-id"));

    sign_in(&browser, "Ada");
    assert_ne!(browser.cookie().value, before.value);
    assert_eq!(browser.text("#session-id"), id);

    // Who planted the old token gets nothing for it.
    browser.put_cookie(&before.name, &before.value);
    browser.go("/");
    assert!(!browser.has("#user"));
    assert!(browser.has("#sign-in"));
}

#[test]
fn signing_out_removes_the_cookie_and_the_session() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "signing out") else { return };
    sign_in(&browser, "Ada");
    let cookie = browser.cookie();

    browser.submit("#sign-out");
    assert!(browser.path().starts_with("/goodbye"));
    assert_eq!(browser.cookies(), []);

    browser.put_cookie(&cookie.name, &cookie.value);
    browser.go("/");
    assert!(!browser.has("#user"), "a token that was kept opens nothing");
    assert!(browser.has("#sign-in"));
}

#[test]
fn the_strict_cookie_works_on_localhost_and_can_be_removed() {
    let shop = Shop::open(Start::StrictCookie);
    let Some(browser) = Browser::open(&shop.url(), "the strict cookie") else { return };
    sign_in(&browser, "Ada");
    assert_eq!(browser.text("#user"), "Ada");

    let cookie = browser.cookie();
    assert_eq!(cookie.name, "__Host-session");
    assert!(cookie.secure && cookie.http_only);
    assert_eq!((cookie.path.as_str(), cookie.same_site.as_deref()), ("/", Some("Lax")));
    assert_eq!(cookie.expiry, None, "it ends with the browser");

    browser.submit("#sign-out");
    assert_eq!(browser.cookies(), []);
    browser.go("/");
    assert!(!browser.has("#user"));
}

#[test]
fn scripts_do_not_see_the_token() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "HttpOnly") else { return };
    sign_in(&browser, "Ada");
    let token = browser.cookie().value;
    assert_eq!(browser.evaluate("document.cookie"), json!(""));
    let page = browser.evaluate("document.documentElement.outerHTML");
    assert!(!page.as_str().unwrap().contains(&token));
}

#[test]
fn a_remembered_cookie_outlives_the_browser() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "remember me") else { return };
    browser.click("[name=remember]");
    sign_in(&browser, "Ada");
    let cookie = browser.cookie();
    let days = (cookie.expiry.unwrap() as f64 - now(&browser)) / 86_400.0;
    assert!((29.9..=30.1).contains(&days), "{days} days");
}

/// Seconds since 1970, by the browser's clock.
fn now(browser: &Browser) -> f64 {
    browser.evaluate("Date.now() / 1000").as_f64().unwrap()
}

pub(crate) fn sign_in(browser: &Browser, name: &str) {
    let number = ["Ada", "Grace", "Linus"].iter().position(|user| *user == name).unwrap() + 1;
    browser.click(&format!("[name=user][value='{number}']"));
    browser.submit("#sign-in");
}
