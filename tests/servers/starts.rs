//! Four processes that come up at once on an empty database.

use session_runtime::Realm;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use session_runtime::__private::patch::{Add, FieldOp, Lifetime, Op, Outcome, Patch, SignIn};
use session_runtime::__private::record::{Fields, Meta, Record};
use session_runtime::__private::token::SessionToken;
use session_runtime::store::{AnyStore, SessionStore, contract::Created};

const URL: &str = "SESSION_TESTS_START_URL";
const TOKEN: &str = "SESSION_TESTS_START_TOKEN";
const NODES: usize = 4;
const EACH: u32 = 50;

/// What each of the processes does; in the test run itself, nothing.
#[tokio::test]
async fn the_process_of_a_node() {
    let Ok(url) = std::env::var(URL) else { return };
    let token: SessionToken = SessionToken::parse(&std::env::var(TOKEN).unwrap()).unwrap();
    // They wait for each other.
    println!("\nready");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    let store = AnyStore::connect(&url).await.unwrap();
    let lifetime = Lifetime { idle: None, absolute: None, remember: false };
    let meta = Meta::new(token.secret_hash(&Realm::default()), store.clock().now(), lifetime);
    let record = Record::new(token.id(), meta, Fields::new());
    match store.create(record.into(), SignIn::default()).await.unwrap() {
        Created::Created { .. } => println!("\ncreated"),
        Created::Exists => {}
        other => panic!("{other:?}"),
    }
    for _ in 0..EACH {
        let add = Patch::of(vec![FieldOp::new("n", Op::Add(Add::unsigned(1, 0)))]);
        let outcome = store.apply(token.id(), 1, &add, None).await.unwrap();
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    }
}

fn node(url: &str, token: &SessionToken) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "starts::the_process_of_a_node", "--nocapture"])
        .env(URL, url)
        .env(TOKEN, token.expose())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[tokio::main]
async fn nodes_start(url: &str) {
    let token = SessionToken::generate().unwrap();
    let nodes = [(); NODES].map(|()| node(url, &token));
    let mut said = Vec::new();
    for mut node in nodes {
        let mut output = BufReader::new(node.stdout.take().unwrap());
        let mut line = String::new();
        while line.trim() != "ready" {
            line.clear();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "it ended");
        }
        said.push((node, output));
    }
    for (node, _) in &mut said {
        drop(node.stdin.take());
    }
    let mut created = 0;
    for (node, mut output) in said {
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        created += text.lines().filter(|line| *line == "created").count();
        let done = node.wait_with_output().unwrap();
        let _ = std::io::stderr().write_all(&done.stderr);
        assert!(done.status.success(), "{text}");
    }
    assert_eq!(created, 1, "one of them made the session, the others found it");
    let store = AnyStore::connect(url).await.unwrap();
    let stored = store.reload(token.id(), 1).await.unwrap().unwrap();
    let all = (NODES as u32 * EACH).to_string();
    assert_eq!(stored.fields.get("n"), Some(all.as_bytes()));
    assert_eq!(store.count().await.unwrap(), 1);
}

#[test]
fn processes_that_start_at_once_share_one_schema_of_postgres() {
    let server = crate::postgres::server();
    for round in 0..3 {
        let database = format!("starts_{round}");
        server.psql(crate::postgres::DATABASE, &format!("CREATE DATABASE {database}")).unwrap();
        nodes_start(&server.url(&database));
    }
}

#[test]
fn processes_that_start_at_once_share_the_tables_of_mariadb() {
    for round in 0..3 {
        let database = format!("starts_{round}");
        nodes_start(&crate::mysql::database(&database));
    }
}
