//! The server, on a port of its own and without persistence.

use std::sync::{Mutex, PoisonError};

use redis::{Client, Connection, cmd};
use session_tests::servers::{Process, free_port, program};

use crate::Result;

/// Stopped when dropped, or when this program ends.
pub(crate) struct Server {
    _process: Process,
    connection: Mutex<Connection>,
    pub(crate) port: u16,
}

impl Server {
    /// Starts the program that `SESSION_BENCH_REDIS` names, or `redis-server`.
    pub(crate) fn start() -> Result<Self> {
        let names = ["redis-server", "valkey-server"];
        let program = program("SESSION_BENCH_REDIS", &names, &["/usr/bin", "/usr/sbin"]);
        let program =
            program.ok_or("no redis-server is installed, or SESSION_BENCH_REDIS names none")?;
        // The server runs in another directory.
        let program = std::path::absolute(program)?.display().to_string();
        let directory = tempfile::Builder::new().prefix("redis").tempdir()?.keep();
        let port = free_port();
        let settings = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"];
        let port_text = port.to_string();
        let command: Vec<&str> =
            [&*program].into_iter().chain(settings).chain([&*port_text]).collect();
        let process = Process::start(directory, &command);
        let client = Client::open(url(port))?;
        let connection = process.wait_until("a connection", || client.get_connection().ok());
        Ok(Self { _process: process, connection: Mutex::new(connection), port })
    }

    pub(crate) fn url(&self) -> String {
        url(self.port)
    }

    /// Forgets all data.
    pub(crate) fn flush(&self) {
        self.ask::<()>(&["FLUSHALL"]);
    }

    /// Begins to count commands, their time and bytes anew.
    pub(crate) fn reset(&self) {
        self.ask::<()>(&["CONFIG", "RESETSTAT"]);
    }

    pub(crate) fn info(&self) -> Info {
        Info(self.ask(&["INFO", "everything"]))
    }

    fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        cmd(words[0]).arg(&words[1..]).query(&mut *connection).expect("answered")
    }
}

pub(crate) fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}

/// What a server says of itself.
pub(crate) struct Info(String);

impl Info {
    /// NaN if it does not say.
    pub(crate) fn number(&self, name: &str) -> f64 {
        self.text(name).and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
    }

    /// Microseconds of an average call of this command; zero if there was none.
    pub(crate) fn micros_per_call(&self, command: &str) -> f64 {
        let stats = self.text(&format!("cmdstat_{}", command.to_lowercase()));
        let time = stats.and_then(|stats| stats.split_once("usec_per_call=")?.1.split(',').next());
        time.and_then(|time| time.parse().ok()).unwrap_or(0.0)
    }

    /// Such as `Redis 7.0.15`.
    pub(crate) fn version(&self) -> String {
        match self.text("valkey_version") {
            Some(version) => format!("Valkey {version}"),
            None => format!("Redis {}", self.text("redis_version").unwrap_or("?")),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }
}
