//! Two processes that change one session at once, through the whole service.

use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use http::Method;
use session_runtime::{Session, SessionLayer, SessionSchema};
use session_tests::Client;

use super::Place;

const URL: &str = "SESSION_TESTS_URL";
const SPACE: &str = "SESSION_TESTS_SPACE";
const TOKEN: &str = "SESSION_TESTS_TOKEN";
const FIELD: &str = "SESSION_TESTS_FIELD";

const ROUNDS: u64 = 1_000;

#[derive(SessionSchema)]
struct Two {
    left: u64,
    right: u64,
    #[session(counter)]
    both: u64,
}

fn app(store: session_runtime::store::AnyStore) -> Router {
    type S = Session<Two>;
    let set = |Path((field, value)): Path<(String, u64)>, mut s: S| async move {
        s.add_both(1);
        if field == "left" { s.set_left(value) } else { s.set_right(value) }
    };
    let read = |s: S| async move { format!("{} {} {}", s.left(), s.right(), s.both()) };
    Router::new()
        .route("/read", get(read))
        .route("/set/{field}/{value}", post(set))
        .layer(SessionLayer::new(store))
}

/// What each of the two processes does; in the test run itself, nothing.
#[tokio::test]
async fn the_process_of_a_node() {
    let Ok(url) = std::env::var(URL) else { return };
    let var = |name| std::env::var(name).unwrap();
    let (place, field) = (Place { url, space: var(SPACE) }, var(FIELD));
    let app = app(place.open().await);
    let mut client = Client::new(&app);
    client.cookies.insert("__Host-session".to_owned(), var(TOKEN));
    for round in 1..=ROUNDS {
        let reply = client.send(Method::POST, &format!("/set/{field}/{round}")).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let seen = client.get("/read").await.body;
        let mine = seen.split(' ').nth(usize::from(field == "right")).unwrap();
        assert_eq!(mine, round.to_string(), "the other process brought an old value back: {seen}");
    }
}

fn node(place: &Place, token: &str, field: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "promises::worker::the_process_of_a_node", "--nocapture"])
        .env(URL, &place.url)
        .env(SPACE, &place.space)
        .env(TOKEN, token)
        .env(FIELD, field)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[tokio::main]
pub(super) async fn disjoint_changes(place: Place) {
    let app = app(place.open().await);
    let mut client = Client::new(&app);
    client.post("/set/left/0").await;
    let token = client.token().unwrap().to_owned();
    let nodes = ["left", "right"].map(|field| node(&place, &token, field));
    for node in nodes {
        let output = node.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let seen = client.get("/read").await.body;
    assert_eq!(seen, format!("{ROUNDS} {ROUNDS} {}", 2 * ROUNDS + 1));
}
