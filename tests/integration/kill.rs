//! A process that is killed loses nothing that it acknowledged.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use axum::Router;
use axum::routing::post;
use session_runtime::store::SqliteStore;
use session_runtime::{Session, SessionLayer};
use session_tests::Client;

use crate::visitor::{Visitor, show};

const FILE: &str = "SESSION_TESTS_KILLED_FILE";

async fn app(path: &Path) -> Router {
    let store = SqliteStore::open(path).await.unwrap();
    Router::new()
        .route("/sign-in", post(|mut s: Session<Visitor>| async move { s.set_user_id(7) }))
        .route("/visit", post(|mut s: Session<Visitor>| async move { s.add_visits(1) }))
        .route("/read", post(|s: Session<Visitor>| async move { show(&s) }))
        .layer(SessionLayer::new(store))
}

/// What the killed process does; in the test run itself, nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_process_that_is_killed() {
    let Ok(path) = std::env::var(FILE) else { return };
    let app = app(Path::new(&path)).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let mut client = Client::new(&app);
        tasks.spawn(async move {
            client.post("/sign-in").await;
            let token = client.token().unwrap().to_owned();
            for visits in 1.. {
                assert_eq!(client.post("/visit").await.status, 200);
                println!("acknowledged {token} {visits}");
            }
        });
    }
    tasks.join_all().await;
}

#[tokio::test]
async fn kill_9_loses_nothing_that_was_acknowledged_and_everybody_is_still_signed_in() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.db");
    let mut acknowledged = std::collections::BTreeMap::new();
    for _ in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["kill::the_process_that_is_killed", "--exact", "--nocapture"])
            .env(FILE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for (count, line) in lines.map_while(Result::ok).enumerate() {
            if let Some((_, rest)) = line.split_once("acknowledged ") {
                let (token, visits) = rest.split_once(' ').unwrap();
                acknowledged.insert(token.to_owned(), visits.parse::<u64>().unwrap());
            }
            if count == 200 {
                // SIGKILL: no destructor, no flush, no goodbye.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
    }
    assert!(acknowledged.len() >= 3 * 8);
    let app = app(&path).await;
    for (token, visits) in acknowledged {
        let mut client = Client::new(&app);
        client.cookies.insert("__Host-session".to_owned(), token.clone());
        let body = client.post("/read").await.body;
        let (user, rest) = body.split_once(" en ").unwrap();
        let found: u64 = rest.split_once(' ').unwrap().0.parse().unwrap();
        assert_eq!(user, "7");
        // One more may have been stored and not been told.
        assert!(found == visits || found == visits + 1, "{found} stored, {visits} acknowledged");
    }
}
