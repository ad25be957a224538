//! A handler's panic is its own: what its session holds does not turn it into
//! the end of the process.

use std::process::Command;
use std::sync::Mutex;

use axum::Router;
use axum::routing::post;
use http::Method;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use session_runtime::{Session, SessionLayer, SessionSchema};
use session_tests::Client;
use session_tests::stores::memory;

const CHILD: &str = "SESSION_TESTS_PANICS";

/// Encoding it panics once a panic has poisoned it.
#[derive(Default)]
struct Counted(Mutex<u32>);

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.lock().unwrap().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Mutex::new(u32::deserialize(deserializer)?)))
    }
}

#[derive(SessionSchema)]
struct Poisoned {
    n: Counted,
}

/// What the process does that might abort; in the test run itself, nothing.
#[tokio::test]
async fn the_process_that_panics() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    async fn handler(mut session: Session<Poisoned>) {
        let _locked = session.n_mut().0.lock().unwrap();
        panic!("a bug in a handler");
    }
    let app = Router::new()
        .route("/", post(handler))
        .route("/alive", post(|| async {}))
        .layer(SessionLayer::new(memory().store));
    let client = Client::new(&app);
    let tab = client.tab();
    let panicked = tokio::spawn(async move { tab.ask(Method::POST, "/").await });
    assert!(panicked.await.unwrap_err().is_panic());
    assert_eq!(client.ask(Method::POST, "/alive").await.status, 200);
    println!("still alive");
}

#[test]
fn a_panic_with_a_value_that_panics_when_it_is_encoded_does_not_end_the_process() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["abort::the_process_that_panics", "--exact", "--nocapture"])
        .env(CHILD, "1")
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let [out, err] = [child.stdout, child.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
    assert!(child.status.success(), "{}\n{err}", child.status);
    assert!(out.contains("still alive") && err.contains("a bug in a handler"), "{out}\n{err}");
}
