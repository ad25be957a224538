//! A disk with no room left, and a file that the system lets grow no more:
//! in a process of its own, which goes on where a restart would be no help.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;

use axum::Router;
use axum::routing::{get, post};
use session_runtime::store::{SqliteStore, StoreErrorKind};
use session_runtime::{Session, SessionError, SessionLayer};
use session_tests::Client;

use crate::visitor::Visitor;

const DIRECTORY: &str = "SESSION_TESTS_FULL_DIRECTORY";
const TEST: &str = "disk_full::the_process_that_has_no_room";

/// What the store may use before it is full, in bytes.
const ROOM: usize = 800_000;
/// Small writes find room in what a large one left over; these do not.
const LARGE: usize = 20_000;

fn routes() -> Router {
    type S = Session<Visitor>;
    let write = |mut s: S| async move {
        s.add_visits(1);
        let name = format!("{} ", s.visits()).repeat(LARGE / 2);
        s.set_nickname(name);
    };
    let save = |mut s: S| async move {
        s.set_nickname("x".repeat(LARGE));
        let said = match s.save().await {
            Ok(()) => "saved",
            Err(SessionError::Store(error)) if error.kind() == StoreErrorKind::Full => "full",
            Err(SessionError::Store(error)) if error.kind() == StoreErrorKind::Unavailable => "io",
            Err(SessionError::Uncertain) => "uncertain",
            Err(_) => "another error",
        };
        println!("refused: {said}");
        said
    };
    let read = |s: S| async move {
        let name = s.nickname().unwrap_or_default();
        let whole = name == format!("{} ", s.visits()).repeat(LARGE / 2);
        format!("{:?} {} {whole}", s.user_id(), s.visits())
    };
    Router::new()
        .route("/sign-in", post(|mut s: S| async move { s.set_user_id(7) }))
        .route("/write", post(write))
        .route("/save", post(save))
        .route("/read", get(read))
        .route("/logout", post(|mut s: S| async move { s.destroy() }))
}

async fn open(file: &Path) -> Router {
    routes().layer(SessionLayer::new(SqliteStore::open(file).await.unwrap()))
}

fn check(file: &Path) {
    let sql = rusqlite::Connection::open(file).unwrap();
    let said: String = sql.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(said, "ok");
}

/// Where there was no room there is some again: somebody tidied up.
fn make_room(directory: &Path) {
    let _ = std::fs::remove_file(directory.join("filler"));
    let pid = std::process::id().to_string();
    let raised = Command::new("prlimit").args(["--fsize=unlimited", "--pid", &pid]).status();
    assert!(raised.unwrap().success());
}

/// What the process does whose file cannot grow; in the test run itself,
/// nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_has_no_room() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let file = directory.join("sessions.db");
    let app = open(&file).await;
    let mut clients: Vec<(Client, u64)> = Vec::new();
    for _ in 0..4 {
        let mut client = Client::new(&app);
        client.post("/sign-in").await;
        clients.push((client, 0));
    }
    let mut refused = 0;
    for round in 0.. {
        let (client, visits) = &mut clients[round % 4];
        let reply = client.post("/write").await;
        match reply.status.as_u16() {
            200 => *visits += 1,
            503 => {
                assert_eq!(reply.body, "session unavailable, try again");
                assert_eq!(reply.set_cookie(), None);
                refused += 1;
            }
            _ => panic!("{reply:?}"),
        }
        assert!(round < 1000, "it never was full");
        if refused == 12 {
            break;
        }
    }
    for (client, visits) in &mut clients {
        // Reads go on, and see what was acknowledged and nothing else.
        let seen = format!("Some(7) {visits} true");
        assert_eq!(client.get("/read").await.body, seen);
        let reply = client.post("/save").await;
        // Where it is known that nothing was written, the end of the request
        // tries again.
        assert!(reply.status == 503 || reply.body == "uncertain", "{reply:?}");
        assert_eq!(client.get("/read").await.body, seen);
        let reply = Client::new(&app).post("/save").await;
        assert_eq!((reply.status.as_u16(), reply.set_cookie()), (503, None));
    }
    let (mut left, visits) = clients.pop().unwrap();
    let old = left.tab();
    // It may find room: it is small. Then it counts, and else it does not.
    let ended = left.post("/logout").await.status == 200;
    let seen = if ended { "None 0 false".to_owned() } else { format!("Some(7) {visits} true") };
    assert_eq!(old.tab().get("/read").await.body, seen);
    check(&file);
    make_room(&directory);
    for (client, visits) in &mut clients {
        assert_eq!(client.post("/write").await.status, 200, "no restart is needed");
        *visits += 1;
        assert_eq!(client.get("/read").await.body, format!("Some(7) {visits} true"));
    }
    assert_eq!(left.post("/logout").await.status, 200);
    check(&file);
    // Another process finds the same.
    let again = open(&file).await;
    for (client, visits) in &clients {
        let mut tab = Client::new(&again);
        tab.cookies.clone_from(&client.cookies);
        assert_eq!(tab.get("/read").await.body, format!("Some(7) {visits} true"));
    }
    assert_eq!(old.tab().get("/read").await.body, "None 0 false");
    println!("survived");
}

/// Runs the process by way of a command that ends in its own arguments, and
/// expects these errors: of a change, and of a first visit.
fn survives(command: &[&str], directory: &Path, errors: [&str; 2]) {
    let child = Command::new(command[0])
        .args(&command[1..])
        .arg(std::env::current_exe().unwrap())
        .args([TEST, "--exact", "--nocapture"])
        .env(DIRECTORY, directory)
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let [out, err] = [child.stdout, child.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
    assert!(child.status.success() && out.contains("survived"), "{out}\n{err}");
    for said in errors {
        assert!(out.contains(&format!("refused: {said}\n")), "{out}");
    }
    assert!(!out.contains("saved") && !out.contains("another error"), "{out}");
}

#[test]
fn a_file_that_may_grow_no_more_fails_writes_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    // Ignored, the signal becomes an error of the write: an input/output
    // error in the middle of a commit.
    let script = format!(r#"trap "" XFSZ; exec prlimit --fsize={ROOM}: "$@""#);
    survives(&["sh", "-c", &script, "sh"], dir.path(), ["uncertain", "io"]);
}

#[test]
fn a_full_disk_fails_writes_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let mount = format!(r#"mount -t tmpfs -o size={ROOM} none "${DIRECTORY}""#);
    let namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"];
    let allowed = Command::new(namespace[0])
        .args([&namespace[1..], &[&mount]].concat())
        .env(DIRECTORY, dir.path())
        .output();
    if !allowed.is_ok_and(|it| it.status.success()) {
        eprintln!("left out: this machine lets nobody mount a file system of their own");
        return;
    }
    let script =
        format!(r#"{mount} && head -c {} /dev/zero >"${DIRECTORY}/filler" && exec "$@""#, ROOM / 2);
    survives(&[&namespace[..], &[&script, "sh"]].concat(), dir.path(), ["full", "full"]);
}
