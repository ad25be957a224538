//! W3C WebDriver, as much of it as the cases use.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::http::exchange;
use super::tools::Tools;

/// The key of an element reference (WebDriver §11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A driver process on a port of its own, and one session with it.
pub(super) struct Driver {
    process: Child,
    port: u16,
    session: String,
}

impl Driver {
    /// Starts the driver, and a browser that keeps its profile in `profile`.
    pub(super) fn start(tools: &Tools, profile: &std::path::Path) -> Self {
        // Started beside many others it now and then ends before it listens.
        let (process, port) =
            (0..10).find_map(|_| Self::listen(tools)).expect("chromedriver says its port");
        // From here on the process ends with `self`, whatever fails.
        let mut driver = Self { process, port, session: String::new() };
        let user_data = format!("--user-data-dir={}", profile.display());
        let options = json!({
            "binary": tools.chromium,
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
                "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--disable-dev-shm-usage", user_data,
            ],
        });
        let capabilities =
            json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let answer = exchange(port, "POST", "/session", Some(&capabilities)).expect("an answer");
        driver.session = answer["value"]["sessionId"]
            .as_str()
            .unwrap_or_else(|| panic!("no browser: {answer}"))
            .to_owned();
        driver
    }

    /// A driver process that says its port, or none if it ended before that.
    fn listen(tools: &Tools) -> Option<(Child, u16)> {
        let mut process = Command::new(&tools.driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        let port = output.lines().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("started successfully on port ")?;
            rest.trim_end_matches('.').parse().ok()
        });
        if port.is_none() {
            let _ = process.kill();
            let _ = process.wait();
        }
        Some((process, port?))
    }

    /// Sends a command, and fails the test if the driver refuses it.
    pub(super) fn command(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        self.try_command(method, path, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Value {
        self.command("POST", path, Some(body))
    }

    /// The first element that the selector finds, if there is one.
    pub(super) fn find(&self, css: &str) -> Option<String> {
        let by = json!({ "using": "css selector", "value": css });
        let found = self.try_command("POST", "/element", Some(&by)).ok()?;
        Some(found[ELEMENT].as_str()?.to_owned())
    }

    pub(super) fn try_command(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let path = format!("/session/{}{path}", self.session);
        let mut answer =
            exchange(self.port, method, &path, body).map_err(|error| error.to_string())?;
        match answer["value"]["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", answer["value"]["message"])),
            None => Ok(answer["value"].take()),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Closes the browser; killing the driver alone would leave it behind.
        if !self.session.is_empty() {
            let _ = self.try_command("DELETE", "", None);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
