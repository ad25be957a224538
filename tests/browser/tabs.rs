//! Several tabs of one browser, and their requests under way at once.

use serde_json::json;

use crate::account::sign_in;
use crate::page::items;
use crate::support::{Browser, Shop, Start, wait_for};

#[test]
fn the_demonstration_shows_that_nothing_is_lost() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "the demonstration") else { return };
    browser.click("#demo-run");
    let state = wait_for("the end of the demonstration", || {
        browser.attribute("#demo", "data-state").filter(|state| state != "running")
    });
    assert_eq!(state, "done");
    assert_eq!(browser.text("#demo-verdict"), "Nothing was lost.");

    let kept = |column: &str| {
        let cells = format!("[...document.querySelectorAll('[data-column={column}]')]");
        browser.evaluate(&format!("{cells}.map(cell => cell.dataset.kept)"))
    };
    assert_eq!(kept("actual"), json!(["true", "true", "true"]));
    // What the comparison is for: the last to finish wins, all others lose.
    assert_eq!(kept("whole"), json!(["true", "false", "false"]));

    browser.go("/");
    assert_eq!(browser.attribute("html", "lang").as_deref(), Some("en"), "it is taken back");
    assert_eq!(items(&browser), "0");
}

#[test]
fn what_two_tabs_change_by_hand_is_all_kept() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "two tabs") else { return };
    let first = browser.tab();
    let second = browser.new_tab();
    begin_slow_request(&browser, "cart", 2_000);

    browser.switch_to(&first);
    browser.submit("[name=locale][value=fr]");

    browser.switch_to(&second);
    assert_eq!(status_of_slow_request(&browser), 204);
    browser.go("/");
    assert_eq!(browser.attribute("html", "lang").as_deref(), Some("fr"));
    assert_eq!(items(&browser), "1");
}

#[test]
fn a_late_answer_to_an_old_token_does_not_undo_a_sign_in() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "a late answer after a sign-in") else { return };
    for (change, status) in [("click", 204), ("locale", 409)] {
        let slow = browser.new_tab();
        begin_slow_request(&browser, change, 2_000);

        let fast = browser.new_tab();
        sign_in(&browser, "Ada");
        let cookie = browser.cookie();

        browser.switch_to(&slow);
        assert_eq!(status_of_slow_request(&browser), status, "{change}");
        assert_eq!(browser.cookie(), cookie, "a late answer sets no cookie");
        browser.go("/");
        assert_eq!(browser.text("#user"), "Ada");

        browser.switch_to(&fast);
        browser.go("/");
        assert_eq!(browser.text("#user"), "Ada");
        browser.submit("#sign-out");
    }
}

#[test]
fn a_late_answer_does_not_undo_a_sign_out() {
    let shop = Shop::open(Start::Plain);
    let Some(browser) = Browser::open(&shop.url(), "a late answer after a sign-out") else {
        return;
    };
    sign_in(&browser, "Ada");
    let fast = browser.tab();
    let slow = browser.new_tab();
    begin_slow_request(&browser, "cart", 2_000);

    browser.switch_to(&fast);
    browser.submit("#sign-out");
    assert_eq!(browser.cookies(), []);

    browser.switch_to(&slow);
    assert_eq!(
        status_of_slow_request(&browser),
        409,
        "what was put into the cart is lost, and says so"
    );
    assert_eq!(browser.cookies(), []);
    browser.go("/");
    assert!(!browser.has("#user"));
    assert_eq!(items(&browser), "0");
}

/// Sends a request that reads now and writes later, and waits until the server
/// has it: another one of the same connection pool was answered meanwhile.
fn begin_slow_request(browser: &Browser, change: &str, wait: u32) {
    browser.script(
        "window.answered = 0;
         const body = new URLSearchParams({ change: arguments[0], wait: arguments[1] });
         fetch('/demo/step', { method: 'POST', body }).then(answer => window.answered = answer.status);",
        &json!([change, wait]),
    );
    wait_for("an answer beside the slow request", || {
        browser
            .script(
                "if (window.beside === undefined) {
                     window.beside = 0;
                     setTimeout(() => fetch('/assets/shop.css', { cache: 'no-store' })
                         .then(answer => window.beside = answer.status), 150);
                 }
                 return window.beside || null",
                &json!([]),
            )
            .as_u64()
    });
    assert_eq!(browser.evaluate("window.answered"), json!(0), "the slow request is under way");
}

fn status_of_slow_request(browser: &Browser) -> u64 {
    wait_for("the slow answer", || browser.evaluate("window.answered || null").as_u64())
}
