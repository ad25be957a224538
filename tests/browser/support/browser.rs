//! One browser, with a profile of its own.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::driver::Driver;
use super::tools::Tools;
use super::wait_for;

/// WebDriver's names of keys (§17.4.2).
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const DOWN: &str = "\u{e015}";

/// A browser that nobody has used before.
pub(crate) struct Browser {
    base: String,
    // Before the profile: the browser must be closed when that is removed.
    driver: Driver,
    _profile: TempDir,
}

/// What the browser keeps. Scripts do not see it; the driver does.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cookie {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) path: String,
    pub(crate) secure: bool,
    pub(crate) http_only: bool,
    pub(crate) same_site: Option<String>,
    pub(crate) expiry: Option<u64>,
}

impl Browser {
    /// Opens a browser on the start page of `base`; `None` if there is none to
    /// open, which `case` is told for.
    pub(crate) fn open(base: &str, case: &str) -> Option<Self> {
        let tools = Tools::find(case)?;
        let profile = tempfile::tempdir().expect("a directory");
        let driver = Driver::start(&tools, profile.path());
        let browser = Self { base: base.to_owned(), driver, _profile: profile };
        browser.go("/");
        Some(browser)
    }

    pub(crate) fn go(&self, path: &str) {
        self.driver.post("/url", &json!({ "url": format!("{}{path}", self.base) }));
    }

    pub(crate) fn path(&self) -> String {
        let url = self.driver.command("GET", "/url", None);
        let url = url.as_str().expect("an address");
        url.strip_prefix(&self.base).unwrap_or(url).to_owned()
    }

    pub(crate) fn has(&self, css: &str) -> bool {
        self.driver.find(css).is_some()
    }

    pub(crate) fn text(&self, css: &str) -> String {
        let element = self.element(css);
        let text = self.driver.command("GET", &format!("/element/{element}/text"), None);
        text.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn attribute(&self, css: &str, name: &str) -> Option<String> {
        let element = self.element(css);
        let value =
            self.driver.command("GET", &format!("/element/{element}/attribute/{name}"), None);
        value.as_str().map(str::to_owned)
    }

    /// Clicks what leads to another page, and waits for that.
    pub(crate) fn submit(&self, css: &str) {
        self.evaluate("window.left = true");
        self.click(css);
        // While one page gives way to the other, the driver refuses scripts.
        let arrived = json!({
            "script": "return !window.left && document.readyState === 'complete'", "args": [],
        });
        wait_for(&format!("the page after `{css}`"), || {
            let arrived = self.driver.try_command("POST", "/execute/sync", Some(&arrived));
            (arrived == Ok(json!(true))).then_some(())
        });
    }

    pub(crate) fn click(&self, css: &str) {
        let element = self.element(css);
        // What floats above a page must not catch the click.
        self.script(
            "arguments[0].scrollIntoView({ block: 'center' })",
            &json!([reference(&element)]),
        );
        self.driver.post(&format!("/element/{element}/click"), &json!({}));
    }

    /// Two clicks, as fast as a mouse can.
    pub(crate) fn double_click(&self, css: &str) {
        let element = self.element(css);
        self.script(
            "arguments[0].scrollIntoView({ block: 'center' })",
            &json!([reference(&element)]),
        );
        let (down, up) = (
            json!({ "type": "pointerDown", "button": 0 }),
            json!({ "type": "pointerUp", "button": 0 }),
        );
        let there = json!({ "type": "pointerMove", "x": 0, "y": 0, "origin": reference(&element) });
        let mouse = json!({
            "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" },
            "actions": [there, down, up, down, up],
        });
        self.driver.post("/actions", &json!({ "actions": [mouse] }));
    }

    /// Types on the keyboard, wherever the focus is.
    pub(crate) fn press(&self, keys: &str) {
        let strokes = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
        });
        let strokes: Vec<_> = strokes.collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.driver.post("/actions", &json!({ "actions": [keyboard] }));
    }

    /// Presses Tab until the focus is on what the selector means.
    pub(crate) fn tab_to(&self, css: &str) {
        let there = json!([css]);
        for _ in 0..60 {
            let focused = "return document.activeElement.matches(arguments[0])";
            if self.script(focused, &there) == json!(true) {
                return;
            }
            self.press(TAB);
        }
        panic!("`{css}` cannot be reached with the keyboard on {}", self.path());
    }

    /// Types into a field, over what is there.
    pub(crate) fn fill(&self, css: &str, text: &str) {
        let element = self.element(css);
        self.driver.post(&format!("/element/{element}/clear"), &json!({}));
        self.driver.post(&format!("/element/{element}/value"), &json!({ "text": text }));
    }

    pub(crate) fn back(&self) {
        self.driver.post("/back", &json!({}));
    }

    pub(crate) fn forward(&self) {
        self.driver.post("/forward", &json!({}));
    }

    pub(crate) fn reload(&self) {
        self.driver.post("/refresh", &json!({}));
    }

    /// Forgets the cookie, as a browser does that nobody has used before.
    pub(crate) fn forget_cookies(&self) {
        self.driver.command("DELETE", "/cookie", None);
    }

    /// Waits until the page at `path` is there.
    pub(crate) fn wait_until_at(&self, path: &str) {
        wait_for(path, || {
            let complete = json!({ "script": "return document.readyState", "args": [] });
            let state = self.driver.try_command("POST", "/execute/sync", Some(&complete));
            (state == Ok(json!("complete")) && self.path() == path).then_some(())
        });
    }

    pub(crate) fn script(&self, body: &str, arguments: &Value) -> Value {
        self.driver.post("/execute/sync", &json!({ "script": body, "args": arguments }))
    }

    /// The value of an expression in the page.
    pub(crate) fn evaluate(&self, expression: &str) -> Value {
        self.script(&format!("return {expression}"), &json!([]))
    }

    pub(crate) fn cookies(&self) -> Vec<Cookie> {
        let cookies = self.driver.command("GET", "/cookie", None);
        serde_json::from_value(cookies).expect("cookies")
    }

    /// The one cookie there is.
    pub(crate) fn cookie(&self) -> Cookie {
        let cookies = self.cookies();
        assert_eq!(cookies.len(), 1, "{cookies:?}");
        cookies.into_iter().next().expect("one")
    }

    pub(crate) fn put_cookie(&self, name: &str, value: &str) {
        let cookie = json!({ "name": name, "value": value, "httpOnly": true, "sameSite": "Lax" });
        self.driver.post("/cookie", &json!({ "cookie": cookie }));
    }

    /// The tab that commands go to.
    pub(crate) fn tab(&self) -> Value {
        self.driver.command("GET", "/window", None)
    }

    /// Opens another tab on the start page, and goes there.
    pub(crate) fn new_tab(&self) -> Value {
        let tab = self.driver.post("/window/new", &json!({ "type": "tab" }))["handle"].clone();
        self.switch_to(&tab);
        self.go("/");
        tab
    }

    pub(crate) fn switch_to(&self, tab: &Value) {
        self.driver.post("/window", &json!({ "handle": tab }));
    }

    fn element(&self, css: &str) -> String {
        wait_for(&format!("`{css}` on {}", self.path()), || self.driver.find(css))
    }
}

fn reference(element: &str) -> Value {
    json!({ "element-6066-11e4-a52e-4f735466cecf": element })
}
