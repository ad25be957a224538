//! A process that is killed loses nothing that it acknowledged, and takes back
//! no logout.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use axum::Router;
use axum::routing::post;
use session_runtime::store::{SessionStore, SqliteStore};
use session_runtime::{Session, SessionLayer, SessionManager};
use session_tests::{Client, Reply};

use crate::visitor::Visitor;

const FILE: &str = "SESSION_TESTS_KILLED_FILE";
const COOKIE: &str = "__Host-session";
/// Two stay signed in, six sign in and out.
const STAYING: u64 = 2;
const LEAVING: u64 = 6;

async fn app(store: SqliteStore) -> Router {
    Router::new()
        .route("/sign-in", post(|mut s: Session<Visitor>| async move { s.set_user_id(7) }))
        .route("/visit", post(visit))
        .route("/read", post(|s: Session<Visitor>| async move { show(&s) }))
        .route("/logout", post(|mut s: Session<Visitor>| async move { s.destroy() }))
        .route("/everywhere", post(everywhere))
        .layer(SessionLayer::new(store))
}

/// Changes three fields, which agree whenever all three are stored.
async fn visit(mut session: Session<Visitor>) {
    session.add_visits(1);
    let visits = session.visits();
    session.set_nickname(visits.to_string());
    session.set_cart(vec![visits.to_string(); 3]);
}

fn show(session: &Session<Visitor>) -> String {
    let Some(user) = session.user_id() else { return "nobody".to_owned() };
    let visits = session.visits();
    let agree = session.nickname().unwrap_or("0") == visits.to_string()
        && session.cart().iter().all(|item| *item == visits.to_string())
        && session.cart().len() == if visits == 0 { 0 } else { 3 };
    format!("{user} {visits} {}", if agree { "whole" } else { "torn" })
}

async fn everywhere(session: Session<Visitor>, sessions: SessionManager) -> String {
    let user = session.user_id().unwrap();
    sessions.revoke_all(&user).await.unwrap().to_string()
}

fn ok(reply: &Reply) {
    assert_eq!(reply.status, 200, "{}", reply.body);
}

/// Visits for ever; now and then signs in again, which makes another token.
async fn stay(mut client: Client) {
    ok(&client.post("/sign-in").await);
    let mut token = client.token().unwrap().to_owned();
    for visits in 1.. {
        ok(&client.post("/visit").await);
        println!("stored {token} {visits} .");
        if visits % 5 == 0 {
            println!("leaving {token} .");
            ok(&client.post("/sign-in").await);
            let next = client.token().unwrap().to_owned();
            println!("left {token} .");
            println!("stored {next} {visits} .");
            token = next;
        }
    }
}

/// Signs in, visits, and leaves, for ever.
async fn leave(app: Router) {
    loop {
        let mut client = Client::new(&app);
        ok(&client.post("/sign-in").await);
        let token = client.token().unwrap().to_owned();
        println!("stored {token} 0 .");
        ok(&client.post("/visit").await);
        println!("stored {token} 1 .");
        println!("leaving {token} .");
        ok(&client.post("/logout").await);
        println!("left {token} .");
    }
}

/// What the killed process does; in the test run itself, nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_process_that_is_killed() {
    let Ok(path) = std::env::var(FILE) else { return };
    let app = app(SqliteStore::open(path).await.unwrap()).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..STAYING {
        tasks.spawn(stay(Client::new(&app)));
    }
    for _ in 0..LEAVING {
        tasks.spawn(leave(app.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

/// What is known of a token from what the process said before it died.
#[derive(Debug, Default)]
struct Known {
    visits: u64,
    leaving: bool,
    left: bool,
}

/// Runs the process until it has said `lines`.
fn run_and_kill(path: &Path, lines: usize, known: &mut BTreeMap<String, Known>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kill::the_process_that_is_killed", "--exact", "--nocapture"])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap()).lines();
    for (count, line) in output.map_while(Result::ok).enumerate() {
        let words: Vec<_> = line.split(' ').collect();
        // The dot: a line that was cut short does not count.
        match words[..] {
            ["stored", token, visits, "."] => {
                known.entry(token.to_owned()).or_default().visits = visits.parse().unwrap();
            }
            ["leaving", token, "."] => known.get_mut(token).unwrap().leaving = true,
            ["left", token, "."] => known.get_mut(token).unwrap().left = true,
            _ => {}
        }
        if count == lines {
            // SIGKILL: no destructor, no flush, no goodbye.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
}

async fn read(app: &Router, token: &str) -> String {
    let mut client = Client::new(app);
    client.cookies.insert(COOKIE.to_owned(), token.to_owned());
    client.post("/read").await.body
}

/// Whether the process told the truth.
async fn check(app: &Router, known: &BTreeMap<String, Known>) {
    for (token, known) in known {
        let body = read(app, token).await;
        match body.split(' ').collect::<Vec<_>>()[..] {
            ["nobody"] => assert!(known.leaving, "a session was lost: {known:?}"),
            ["7", visits, whole] => {
                assert!(!known.left, "a logout was undone: {known:?}, {body}");
                assert_eq!(whole, "whole", "{known:?}");
                // One more may have been stored and not been told.
                let visits: u64 = visits.parse().unwrap();
                let told = known.visits..=known.visits + 1;
                assert!(told.contains(&visits), "{known:?}, {body}");
            }
            _ => panic!("{body}"),
        }
    }
}

/// The file as SQLite itself sees it.
fn check_file(path: &Path) {
    let db = rusqlite::Connection::open(path).unwrap();
    let ask = |sql: &str| db.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(ask("PRAGMA integrity_check"), "ok");
    let cut = "SELECT count(*) || '' FROM session \
               WHERE length(form) <> CAST(CAST(substr(form, 3, 7) AS TEXT) AS INTEGER)";
    assert_eq!(ask(cut), "0", "forms of another length than they say");
}

#[tokio::test]
async fn kill_9_loses_nothing_that_was_acknowledged_and_undoes_no_logout() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.db");
    let mut known = BTreeMap::new();
    for round in 0..5 {
        // Not twice at the same place.
        run_and_kill(&path, 150 + 83 * round, &mut known);
        let store = SqliteStore::open(&path).await.unwrap();
        check(&app(store.clone()).await, &known).await;
        store.close().await.unwrap();
        check_file(&path);
    }
    let left = known.values().filter(|known| known.left).count();
    assert!(known.len() > left && left > 100, "{left} of {} left", known.len());

    // Whoever is left can be signed out everywhere, and nobody else is there.
    let store = SqliteStore::open(&path).await.unwrap();
    let app = app(store.clone()).await;
    let mut client = Client::new(&app);
    ok(&client.post("/sign-in").await);
    let live = store.count().await.unwrap();
    assert_eq!(client.post("/everywhere").await.body, live.to_string());
    assert_eq!(store.count().await.unwrap(), 0);
    for token in known.keys() {
        assert_eq!(read(&app, token).await, "nobody");
    }
}
