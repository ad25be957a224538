//! MariaDB, or MySQL, on a private port.

use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::process::Template;
use super::{Process, free_port, program};

const PLACES: [&str; 4] = ["/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/opt/mariadb/bin"];

/// `root` of MySQL is let in by the socket alone.
const ROOT: &str = "CREATE USER IF NOT EXISTS root@'127.0.0.1';
GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;
";

/// The program to start: MariaDB, unless `MYSQLD` names a server of MySQL.
fn server() -> Option<PathBuf> {
    mysql().or_else(|| program("MARIADBD", &["mariadbd"], &PLACES))
}

fn mysql() -> Option<PathBuf> {
    std::env::var_os("MYSQLD").map(PathBuf::from)
}

/// Makes the data of an empty server.
fn install(directory: &Path) {
    let mut command = match mysql() {
        Some(server) => {
            let mut command = Command::new(server);
            command.args(["--no-defaults", "--initialize-insecure", "--auto-generate-certs=OFF"]);
            command
        }
        None => {
            let script = program("MARIADB_INSTALL_DB", &["mariadb-install-db"], &PLACES);
            let mut command = Command::new(script.expect("it comes with the server"));
            command.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
            command.args(["--skip-test-db", "--skip-name-resolve"]);
            command
        }
    };
    command.arg(format!("--datadir={}", directory.join("data").display()));
    // A server that starts removes the temporary tables of all others.
    command.arg(format!("--tmpdir={}", directory.display())).args(user());
    let made = command.output().expect("it runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// A running server, whose `root` needs no password.
#[derive(Debug)]
pub struct MariaDb {
    process: Process,
    port: u16,
    prefix: Vec<String>,
    settings: Vec<String>,
}

impl MariaDb {
    /// Starts one, if it is installed.
    ///
    /// # Panics
    ///
    /// If it is installed and does not start.
    pub fn start() -> Option<Self> {
        Self::start_under(Vec::new(), Vec::new())
    }

    /// The same with more `settings`, by the command `prefix`, which ends by
    /// running the words after it.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn start_under(prefix: Vec<String>, settings: Vec<String>) -> Option<Self> {
        let server = server()?;
        static TEMPLATE: OnceLock<Template> = OnceLock::new();
        let template = TEMPLATE.get_or_init(|| Template::new(install));
        let directory = tempfile::tempdir().expect("a directory").keep();
        template.copy(&directory);
        Some(Self::on(&server, directory, free_port(), prefix, settings))
    }

    /// Stops it, and starts it again with the same data on the same port.
    ///
    /// # Panics
    ///
    /// If it does not come up again.
    pub fn restart(self) -> Self {
        let port = self.port;
        let directory = self.process.stop();
        let server = server().expect("it was there before");
        Self::on(&server, directory, port, self.prefix, self.settings)
    }

    fn on(
        server: &Path,
        directory: PathBuf,
        port: u16,
        prefix: Vec<String>,
        settings: Vec<String>,
    ) -> Self {
        let path = |name: &str| directory.join(name).display().to_string();
        let mut command = prefix.clone();
        command.extend([server.display().to_string(), "--no-defaults".to_owned()]);
        command.extend([
            format!("--datadir={}", path("data")),
            format!("--tmpdir={}", directory.display()),
            format!("--socket={}", path("s")),
            format!("--pid-file={}", path("server.pid")),
            format!("--port={port}"),
        ]);
        if mysql().is_some() {
            std::fs::write(path("root.sql"), ROOT).expect("written");
            // Without certificates, and so without TLS, as MariaDB is here.
            command.push("--auto-generate-certs=OFF".to_owned());
            command.push(format!("--init-file={}", path("root.sql")));
        }
        let small = "--bind-address=127.0.0.1 --skip-name-resolve --skip-networking=0 \
            --innodb-buffer-pool-size=16M --loose-innodb-log-file-size=8M --key-buffer-size=1M \
            --performance-schema=0 --innodb-flush-log-at-trx-commit=2 --max-connections=300 \
            --innodb-fast-shutdown=2";
        command.extend(small.split_whitespace().map(str::to_owned));
        command.extend(user());
        command.extend(settings.iter().cloned());
        let command: Vec<_> = command.iter().map(String::as_str).collect();
        let process = Process::start(directory.clone(), &command);
        process.wait_until("the server answers", || {
            // It greets whoever connects, once it is ready.
            use std::io::Read;
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
            stream.read_exact(&mut [0; 5]).ok()
        });
        Self { process, port, prefix, settings }
    }

    /// The URL of a database on it.
    pub fn url(&self, database: &str) -> String {
        format!("mysql://root@127.0.0.1:{}/{database}", self.port)
    }

    /// The server itself, to send it signals.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

/// It refuses to run as root, unless told to.
fn user() -> Option<String> {
    let id = Command::new("id").arg("-u").output().ok()?;
    (id.stdout.trim_ascii() == b"0").then(|| "--user=root".to_owned())
}
