//! Two releases of a service on one file, each in a process of its own: what
//! a deployment is, as long as it is under way.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::routing::{get, post};
use http::Method;
use session_runtime::store::{Durability, SqliteStore};
use session_runtime::{Session, SessionLayer, SessionSchema};
use session_tests::Client;
use tokio::task::JoinSet;

const FILE: &str = "SESSION_TESTS_SHARED_FILE";
const RELEASE: &str = "SESSION_TESTS_RELEASE";
const TOKENS: &str = "SESSION_TESTS_TOKENS";

const WORKERS: u64 = 4;
const ROUNDS: u64 = 30;
const EACH: u64 = WORKERS * ROUNDS;

mod old {
    use super::SessionSchema;

    #[derive(SessionSchema)]
    pub(super) struct Visitor {
        #[session(principal)]
        pub(super) user_id: Option<u64>,
        #[session(counter)]
        pub(super) visits: u64,
        pub(super) basket: Vec<String>,
        /// The next release does without.
        #[session(counter)]
        pub(super) clicks: u64,
        pub(super) note: String,
    }
}

mod new {
    use super::SessionSchema;

    #[derive(SessionSchema)]
    pub(super) struct Visitor {
        #[session(principal)]
        pub(super) user_id: Option<u64>,
        #[session(counter)]
        pub(super) visits: u64,
        #[session(alias = "basket")]
        pub(super) cart: Vec<String>,
        /// New in this release.
        #[session(counter)]
        pub(super) views: u64,
        #[session(default = "light")]
        pub(super) theme: String,
    }
}

fn old_release() -> Router {
    type S = Session<old::Visitor>;
    let start = |mut s: S| async move {
        s.set_user_id(7);
        s.set_basket(vec!["pen".to_owned()]);
    };
    let work = |mut s: S| async move {
        s.add_visits(1);
        s.add_clicks(1);
        s.set_note(format!("seen {} times", s.clicks()));
        assert!(s.is_new() || s.basket() == ["pen"]);
    };
    let read = |s: S| async move {
        format!(
            "{:?} {} {:?} {} {}",
            s.user_id(),
            s.visits(),
            s.basket(),
            s.clicks(),
            s.note().len() > 9
        )
    };
    Router::new().route("/start", post(start)).route("/work", post(work)).route("/read", get(read))
}

fn new_release() -> Router {
    type S = Session<new::Visitor>;
    let work = |mut s: S| async move {
        s.add_visits(1);
        s.add_views(1);
        s.set_theme(if s.theme() == "dark" { "light" } else { "dark" });
        assert!(s.is_new() || s.cart()[0] == "pen", "under its old name or its new one");
        if s.cart().len() == 1 {
            s.cart_mut().push("ink".to_owned());
        }
    };
    let read = |s: S| async move {
        format!("{:?} {} {:?} {}", s.user_id(), s.visits(), s.cart(), s.views())
    };
    Router::new()
        .route("/work", post(work))
        .route("/read", get(read))
        .route("/logout", post(|mut s: S| async move { s.destroy() }))
}

async fn on(release: Router, file: &Path) -> Router {
    let options = SqliteStore::options().durability(Durability::Relaxed);
    release.layer(SessionLayer::new(options.open(file).await.unwrap()))
}

fn browser(app: &Router, token: &str) -> Client {
    let mut client = Client::new(app);
    client.cookies.insert("__Host-session".to_owned(), token.to_owned());
    client
}

/// What a process of either release does; in the test run itself, nothing.
/// The session that comes last is logged out half-way by the new release.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_of_a_release() {
    let Ok(file) = std::env::var(FILE) else { return };
    let is_new = std::env::var(RELEASE).unwrap() == "new";
    let app = on(if is_new { new_release() } else { old_release() }, Path::new(&file)).await;
    let tokens = std::env::var(TOKENS).unwrap();
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let mut tasks = JoinSet::new();
    let (shared, doomed) = tokens.rsplit_once(' ').unwrap();
    for token in shared.split(' ').flat_map(|token| [token; WORKERS as usize]) {
        let client = browser(&app, token);
        tasks.spawn(async move {
            for _ in 0..ROUNDS {
                let reply = client.ask(Method::POST, "/work").await;
                assert_eq!((reply.status.as_u16(), reply.set_cookie()), (200, None), "{reply:?}");
            }
        });
    }
    let client = browser(&app, doomed);
    tasks.spawn(async move {
        for round in 0..ROUNDS {
            if is_new && round == ROUNDS / 2 {
                assert_eq!(client.ask(Method::POST, "/logout").await.status, 200);
                return;
            }
            // Ended while it was being written, or found gone: never a 5xx,
            // never a new session under the cookie of the old one.
            let reply = client.ask(Method::POST, "/work").await;
            assert!(reply.status.as_u16() < 500, "{reply:?}");
            assert_eq!(reply.set_cookie(), None);
        }
    });
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    println!("worked");
}

fn process(release: &str, file: &Path, tokens: &[String]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["two_processes::the_process_of_a_release", "--exact", "--nocapture"])
        .env(FILE, file)
        .env(RELEASE, release)
        .env(TOKENS, tokens.join(" "))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

async fn started(file: &Path, sessions: usize) -> Vec<String> {
    let app = on(old_release(), file).await;
    let mut tokens = Vec::new();
    for _ in 0..sessions {
        let mut client = Client::new(&app);
        client.post("/start").await;
        tokens.push(client.token().unwrap().to_owned());
    }
    tokens
}

#[tokio::test]
async fn an_old_and_a_new_release_share_a_file_and_neither_loses_what_the_other_writes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sessions.db");
    let tokens = started(&file, 4).await;
    let mut running = ["old", "new"].map(|release| process(release, &file, &tokens));
    let mut said = running.each_mut().map(|child| {
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.find(|line| line.as_ref().unwrap().ends_with("ready")).unwrap().unwrap();
        lines
    });
    // Both at once, from here on.
    for child in &mut running {
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    for (child, said) in running.iter_mut().zip(&mut said) {
        let text: Vec<String> = said.map_while(Result::ok).collect();
        assert!(child.wait().unwrap().success(), "{text:#?}");
        assert!(text.iter().any(|line| line.contains("worked")), "{text:#?}");
    }
    let (old, new) = (on(old_release(), &file).await, on(new_release(), &file).await);
    let (doomed, shared) = tokens.split_last().unwrap();
    for token in shared {
        let seen = browser(&old, token).get("/read").await.body;
        assert_eq!(seen, format!("Some(7) {} [\"pen\"] {EACH} true", 2 * EACH));
        let seen = browser(&new, token).get("/read").await.body;
        assert_eq!(seen, format!("Some(7) {} [\"pen\", \"ink\"] {EACH}", 2 * EACH));
    }
    assert_eq!(browser(&new, doomed).get("/read").await.body, "None 0 [] 0");
    let sql = rusqlite::Connection::open(&file).unwrap();
    let ask = |query: &str| sql.query_row(query, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(ask("PRAGMA integrity_check"), "ok");
    let live =
        "SELECT CAST(count(*) AS TEXT) FROM session WHERE CAST(substr(form, 2, 1) AS TEXT) = 'w'";
    assert_eq!(ask(live), "3", "the logout won");
    let fields = ask("SELECT fields FROM session_readable WHERE kind = 'session' LIMIT 1");
    let names: Vec<_> = fields.lines().filter_map(|line| line.split(" = ").next()).collect();
    let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
    assert_eq!(names, ["basket", "cart", "clicks", "note", "theme", "user_id", "views", "visits"]);
}
