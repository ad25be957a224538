//! What sessions add to an application: crates, build time, bytes of the program, and what a
//! small service does with them. Each subject is a program of its own, as a newcomer writes it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use session_benches::stats::{median, ratio};
use session_benches::table::{Table, whole};

use crate::Result;
use crate::derive::measure::{cpu_time, run};
use crate::options::Options;
use crate::section::Measured;
use crate::socket::field;

struct Subject {
    name: &'static str,
    dependencies: &'static str,
    /// The handler, and an expression for the router around it.
    source: &'static str,
}

const SUBJECTS: [Subject; 4] = [
    Subject {
        name: "bare-axum",
        dependencies: "",
        source: "async fn count() -> String { 1.to_string() }
async fn app() -> Router { Router::new().route(\"/\", get(count)) }",
    },
    Subject {
        name: "tower-sessions",
        dependencies: "tower-sessions = \"0.15\"",
        source: "use tower_sessions::{MemoryStore, Session, SessionManagerLayer};
async fn count(session: Session) -> String {
    let visits = session.get::<u64>(\"visits\").await.unwrap().unwrap_or(0) + 1;
    session.insert(\"visits\", visits).await.unwrap();
    visits.to_string()
}
async fn app() -> Router {
    let layer = SessionManagerLayer::new(MemoryStore::default());
    Router::new().route(\"/\", get(count)).layer(layer)
}",
    },
    Subject {
        name: "axum_session",
        dependencies: "axum_session = \"0.22\"",
        source: "use axum_session::{Session, SessionConfig, SessionLayer, SessionNullPool, SessionStore};
async fn count(session: Session<SessionNullPool>) -> String {
    let visits = session.get::<u64>(\"visits\").unwrap_or(0) + 1;
    session.set(\"visits\", visits);
    visits.to_string()
}
async fn app() -> Router {
    let config = SessionConfig::default();
    let store = SessionStore::<SessionNullPool>::new(None, config).await.unwrap();
    Router::new().route(\"/\", get(count)).layer(SessionLayer::new(store))
}",
    },
    Subject {
        name: "ours",
        dependencies: "session-runtime = { path = {runtime} }",
        source: "use session_runtime::{Session, SessionLayer, SessionSchema, store::MemoryStore};
#[derive(SessionSchema)]
struct Visitor {
    #[session(counter)]
    visits: u64,
}
async fn count(mut session: Session<Visitor>) -> String {
    session.add_visits(1);
    session.visits().to_string()
}
async fn app() -> Router {
    Router::new().route(\"/\", get(count)).layer(SessionLayer::new(MemoryStore::new()))
}",
    },
];

const MAIN: &str = "use axum::{Router, routing::get};
#[tokio::main(flavor = \"current_thread\")]
async fn main() {
    let listener = tokio::net::TcpListener::bind((\"127.0.0.1\", 0)).await.unwrap();
    println!(\"{}\", listener.local_addr().unwrap());
    axum::serve(listener, app().await).await.unwrap();
}
";

/// What was measured once of a subject.
struct Built {
    crates: usize,
    /// Seconds of all threads, without what is downloaded.
    seconds: f64,
    bytes: u64,
    program: PathBuf,
}

pub(crate) fn measure(options: &Options) -> Result<Measured> {
    let mut built = Vec::new();
    for subject in &SUBJECTS {
        eprintln!("footprint: {}", subject.name);
        built.push(build(subject)?);
    }
    let seconds = if options.quick { 1 } else { 3 };
    let [mut rates, mut sizes] = [(); 2].map(|()| SUBJECTS.each_ref().map(|_| Vec::new()));
    for _ in 0..options.rounds(5) {
        for (of, built) in built.iter().enumerate() {
            let service = Service::start(&built.program)?;
            rates[of].push(service.changes(seconds)?);
            drop(service);
            let service = Service::start(&built.program)?;
            sizes[of].push(service.bytes_per_session(seconds)?);
        }
    }
    let mut table = Table::new(SUBJECTS.each_ref().map(|subject| subject.name));
    let bare = &built[0];
    table.row("crates beside those of axum", built.iter().map(|it| it.crates - bare.crates));
    let more = |it: &Built| format!("{:.1}", it.seconds - bare.seconds);
    table.row("first release build, CPU seconds more", built.iter().map(more));
    let more = |it: &Built| format!("{}", (it.bytes.saturating_sub(bare.bytes)) / 1_000);
    table.row("program, stripped: KB more", built.iter().map(more));
    let rate = |one: &Vec<f64>| format!("{} ({:.2})", whole(median(one)), ratio(one, &rates[0]));
    table.row("changes of one session a second, over a socket", rates.each_ref().map(rate));
    let bytes = |(of, one): (usize, &Vec<f64>)| match of {
        0 => "0".to_owned(),
        _ => whole(median(one)),
    };
    table.row("resident bytes of a new session", sizes.iter().enumerate().map(bytes));
    Ok(Measured { tables: table.to_string(), plots: Vec::new(), versions: versions(&built)? })
}

fn versions(built: &[Built]) -> Result<String> {
    let mut said = vec!["wrk with 32 connections".to_owned()];
    for (built, name) in built.iter().zip(["axum", "tower-sessions", "axum_session"]) {
        // Above `target/release`.
        let dir = built.program.ancestors().nth(3).ok_or("a project")?;
        let lock = fs::read_to_string(dir.join("Cargo.lock"))?;
        let begin = format!("name = \"{name}\"\nversion = \"");
        let rest = lock.split(&begin).nth(1).ok_or("a package of the lock file")?;
        said.push(format!("{name} {}", rest.split('"').next().unwrap_or_default()));
    }
    Ok(said.join(", "))
}

/// Compiles it from nothing.
fn build(subject: &Subject) -> Result<Built> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("footprint").join(subject.name);
    let runtime =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../session-runtime").canonicalize()?;
    let dependency = subject.dependencies.replace("{runtime}", &format!("{runtime:?}"));
    fs::create_dir_all(dir.join("src"))?;
    fs::write(
        dir.join("Cargo.toml"),
        format!(
            "[package]\nname = \"service\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
             axum = \"0.8\"\ntokio = {{ version = \"1\", features = [\"macros\", \"net\", \"rt\"] }}\n\
             {dependency}\n[profile.release]\nstrip = true\n"
        ),
    )?;
    fs::write(dir.join("src/main.rs"), format!("{MAIN}{}\n", subject.source))?;
    let cargo = |args: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(args).current_dir(&dir).env("CARGO_TARGET_DIR", dir.join("target"));
        run(&mut cargo)
    };
    cargo(&["fetch", "--quiet"])?;
    let tree = cargo(&["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"])?;
    let mut crates: Vec<_> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    crates.sort_unstable();
    crates.dedup();
    if dir.join("target").exists() {
        fs::remove_dir_all(dir.join("target"))?;
    }
    let before = cpu_time()?;
    cargo(&["build", "--release", "--quiet"])?;
    let seconds = (cpu_time()? - before) / 1e3;
    let program = dir.join("target/release/service");
    Ok(Built { crates: crates.len(), seconds, bytes: fs::metadata(&program)?.len(), program })
}

/// A program that serves.
struct Service {
    process: Child,
    address: String,
}

impl Service {
    fn start(program: &Path) -> Result<Self> {
        let mut process = Command::new(program).stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        let output = process.stdout.take().ok_or("an output")?;
        BufReader::new(output).read_line(&mut address)?;
        Ok(Self { process, address: address.trim().to_owned() })
    }

    /// Requests a second that all change one session.
    fn changes(&self, seconds: u32) -> Result<f64> {
        let answer = run(Command::new("curl").args(["-si", &format!("http://{}/", self.address)]))?;
        let cookies: Vec<_> = answer
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
            .map(|(_, cookie)| cookie.split(';').next().unwrap_or_default())
            .collect();
        let said = self.load(seconds, &cookies.join("; "))?;
        field(&said, |line| line.strip_prefix("Requests/sec:"))
    }

    /// Resident memory per session, of as many as are made in that time.
    fn bytes_per_session(&self, seconds: u32) -> Result<f64> {
        // What a service needs anyway is there after its first requests.
        self.load(1, "none=1")?;
        let before = self.resident()?;
        let said = self.load(seconds, "none=1")?;
        let made = field(&said, |line| line.split_once(" requests in ").map(|(count, _)| count))?;
        Ok((self.resident()? - before) / made)
    }

    fn load(&self, seconds: u32, cookie: &str) -> Result<String> {
        let mut wrk = Command::new("wrk");
        wrk.args(["--threads", "1", "--connections", "32"]);
        wrk.args(["--duration", &format!("{seconds}s")]);
        wrk.args(["--header", &format!("Cookie: {cookie}"), &format!("http://{}/", self.address)]);
        let said = run(&mut wrk)?;
        match said.contains("Non-2xx") || said.contains("Socket errors") {
            true => Err(said.into()),
            false => Ok(said),
        }
    }

    fn resident(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("its memory")?;
        Ok(kib.trim().parse::<f64>()? * 1024.0)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has nothing to lose.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
