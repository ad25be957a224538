//! A PostgreSQL server on a private socket, and pgbouncer in front of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::process::Template;
use super::{Process, free_port, left_out, program};

const PLACES: [&str; 5] = [
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
    "/usr/lib/postgresql/14/bin",
    "/usr/lib/postgresql/13/bin",
];

/// A running server. Its socket is in its directory, its port only names that.
#[derive(Debug)]
pub struct Postgres {
    process: Mutex<Option<Process>>,
    directory: PathBuf,
    port: u16,
    server: PathBuf,
    /// What the command line begins with.
    prefix: Vec<String>,
    settings: &'static [&'static str],
}

impl Postgres {
    /// Starts a new, empty one; `None` where it is not installed.
    pub fn start() -> Option<Self> {
        Self::start_as(Vec::new(), &[])
    }

    /// The same by the command `prefix`, which ends by running the words after
    /// it.
    pub fn start_under(prefix: Vec<String>) -> Option<Self> {
        Self::start_as(prefix, &[])
    }

    /// The same with more settings, which win over those for tests.
    pub fn start_with(settings: &'static [&'static str]) -> Option<Self> {
        Self::start_as(Vec::new(), settings)
    }

    fn start_as(prefix: Vec<String>, settings: &'static [&'static str]) -> Option<Self> {
        let (Some(initdb), Some(server)) =
            (program("INITDB", &["initdb"], &PLACES), program("POSTGRES", &["postgres"], &PLACES))
        else {
            left_out("the tests of PostgreSQL", "postgresql");
            return None;
        };
        static TEMPLATE: OnceLock<Template> = OnceLock::new();
        let template = TEMPLATE.get_or_init(|| {
            Template::new(|directory| {
                give(directory);
                let mut command = command(initdb.to_str().expect("a path"));
                command.arg("-D").arg(directory.join("data")).current_dir(directory);
                command.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]);
                let done = command.arg("--no-sync").output().expect("initdb runs");
                assert!(done.status.success(), "initdb: {}", String::from_utf8_lossy(&done.stderr));
            })
        });
        let directory = tempfile::tempdir().expect("a directory").keep();
        give(&directory);
        template.copy(&directory);
        let process = Mutex::new(None);
        let it = Self { process, directory, port: free_port(), server, prefix, settings };
        it.run();
        Some(it)
    }

    /// Starts it again after [`stop`](Self::stop) or a kill.
    pub fn run(&self) {
        let data = self.directory.join("data");
        let _ = std::fs::remove_file(data.join("postmaster.pid"));
        let port = format!("port={}", self.port);
        let sockets = format!("unix_socket_directories={}", self.directory.display());
        let (server, data) = (self.server.to_str().unwrap_or(""), data.to_str().unwrap_or(""));
        let mut line: Vec<&str> = self.prefix.iter().map(String::as_str).collect();
        line.extend(as_owner());
        line.extend([server, "-D", data]);
        let tests = [
            &*port,
            &*sockets,
            "listen_addresses=127.0.0.1",
            // What survives a power failure is not what is tested here.
            "fsync=off",
            "full_page_writes=off",
            "max_connections=200",
            "shared_buffers=64MB",
            "shared_preload_libraries=pg_stat_statements",
            "deadlock_timeout=100ms",
        ];
        for setting in tests.iter().chain(self.settings) {
            line.extend(["-c", setting]);
        }
        let process = Process::start(self.directory.clone(), &line);
        let socket = self.directory.join(format!(".s.PGSQL.{}", self.port));
        process.wait_until("the server answers", || {
            let out = self.psql("postgres", "SELECT 1");
            (socket.exists() && out.is_ok()).then_some(())
        });
        *self.lock() = Some(process);
    }

    /// Stops it, and keeps its data.
    pub fn stop(&self) {
        if let Some(process) = self.lock().take() {
            process.stop();
        }
    }

    /// Its process id, if it runs.
    pub fn pid(&self) -> Option<u32> {
        self.lock().as_ref().map(Process::pid)
    }

    /// Where it keeps its files: its data in `data`.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Sends a signal to the server and all that it started.
    pub fn signal(&self, signal: &str) {
        let process = self.lock();
        let Some(process) = &*process else { return };
        let pid = process.pid().to_string();
        let children = Command::new("pgrep").args(["-P", &pid]).output().expect("pgrep runs");
        let children = String::from_utf8_lossy(&children.stdout).into_owned();
        let all = children.split_whitespace().chain([&*pid]);
        let _ = Command::new("kill").arg(format!("-{signal}")).args(all).status();
    }

    /// The URL of a database, by the socket.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@localhost:{}/{database}?host={}",
            self.port,
            self.directory.display()
        )
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What `psql` prints for `sql`, values only.
    ///
    /// # Errors
    ///
    /// What it prints as an error.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String, String> {
        let port = self.port.to_string();
        let done = Command::new("psql")
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-p", &port])
            .arg("-h")
            .arg(&self.directory)
            .args(["-d", database, "-c", sql])
            .output()
            .expect("psql runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if done.status.success() { Ok(text(&done.stdout)) } else { Err(text(&done.stderr)) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pgbouncer, which lends the connections of a server.
#[derive(Debug)]
pub struct PgBouncer {
    port: u16,
    _process: Process,
}

impl PgBouncer {
    /// Starts one in front of `server`; `None` where it is not installed.
    pub fn start(server: &Postgres) -> Option<Self> {
        Self::start_in(server, "transaction")
    }

    /// The same in another mode: how long a client keeps a connection of the server.
    pub fn start_in(server: &Postgres, mode: &str) -> Option<Self> {
        let Some(pgbouncer) = program("PGBOUNCER", &["pgbouncer"], &["/usr/sbin"]) else {
            left_out("the tests behind a pooler", "pgbouncer");
            return None;
        };
        let directory = tempfile::tempdir().expect("a directory").keep();
        let port = free_port();
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n\
             pool_mode = {mode}\ndefault_pool_size = 4\nmax_client_conn = 500\n\
             unix_socket_dir =\nserver_round_robin = 1\n",
            server.port()
        );
        let file = directory.join("pgbouncer.ini");
        std::fs::write(&file, settings).expect("written");
        give(&directory);
        give(&file);
        let mut line = as_owner();
        let (program, file) = (pgbouncer.to_str().unwrap_or(""), file.to_str().unwrap_or(""));
        line.extend([program, file]);
        let process = Process::start(directory, &line);
        let address = (std::net::Ipv4Addr::LOCALHOST, port);
        process.wait_until("pgbouncer answers", || std::net::TcpStream::connect(address).ok());
        Some(Self { port, _process: process })
    }

    /// The URL of a database through it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?pgbouncer=true", self.port)
    }
}

/// PostgreSQL does not run as root: then as the user that its package made.
fn as_owner() -> Vec<&'static str> {
    if is_root() {
        vec!["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    } else {
        Vec::new()
    }
}

fn command(program: &str) -> Command {
    let line = as_owner();
    match line.split_first() {
        None => Command::new(program),
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    }
}

/// Makes a file that of the user who runs the server.
///
/// # Panics
///
/// If there is no such user.
pub fn give(path: &Path) {
    if is_root() {
        let done = Command::new("chown").arg("postgres").arg(path).status();
        assert!(done.is_ok_and(|it| it.success()), "the user `postgres` exists");
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    id.stdout.trim_ascii() == b"0"
}
