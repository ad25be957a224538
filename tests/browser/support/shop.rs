//! The shop, built by cargo and run as a process.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

/// A shop that is open, on a port and with a file of its own.
pub(crate) struct Shop {
    process: Child,
    // The shop prints into it until it ends.
    _output: Lines<BufReader<ChildStdout>>,
    port: u16,
    start: Start,
    directory: TempDir,
}

/// How a shop is started.
#[derive(Clone, Copy)]
pub(crate) enum Start {
    /// As `cargo run` starts it.
    Plain,
    /// With the cookie that production has.
    StrictCookie,
}

impl Shop {
    pub(crate) fn open(start: Start) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (process, output, port) = spawn(directory.path(), start, 0);
        Self { process, _output: output, port, start, directory }
    }

    /// Where it is. The strict cookie is for a name, not for an address.
    pub(crate) fn url(&self) -> String {
        let host = match self.start {
            Start::Plain => "127.0.0.1",
            Start::StrictCookie => "localhost",
        };
        format!("http://{host}:{}", self.port)
    }

    /// `kill -9`, then the same shop again.
    pub(crate) fn kill_and_reopen(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
        let (process, output, port) = spawn(self.directory.path(), self.start, self.port);
        (self.process, self._output, self.port) = (process, output, port);
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(directory: &Path, start: Start, port: u16) -> (Child, Lines<BufReader<ChildStdout>>, u16) {
    let mut command = shop(directory);
    command.arg(format!("--port={port}")).stdout(Stdio::piped());
    if let Start::StrictCookie = start {
        command.arg("--strict-cookie");
    }
    let mut process = command.spawn().expect("the shop starts");
    let mut output = BufReader::new(process.stdout.take().expect("a pipe")).lines();
    let first = output.next().and_then(Result::ok).unwrap_or_default();
    let port = first.rsplit(':').next().and_then(|port| port.parse().ok());
    let port = port.unwrap_or_else(|| panic!("the shop did not say where it is: {first:?}"));
    (process, output, port)
}

/// Runs a shop that is expected to end by itself.
pub(crate) fn run_to_its_end(arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().expect("a directory");
    shop(directory.path()).args(arguments).output().expect("the shop starts")
}

fn shop(directory: &Path) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(directory);
    for setting in ["PORT", "STORE", "STRICT_COOKIE"] {
        command.env_remove(setting);
    }
    command
}

/// Built once, into the target directory that this test was built into.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let this = std::env::current_exe().expect("a path");
        // target/<profile>/deps/browser-<hash>
        let target = this.ancestors().nth(3).expect("a target directory");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "session-examples", "--bin", "shop"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("CARGO_TARGET_DIR", target)
            .status()
            .expect("cargo runs");
        assert!(built.success(), "the shop does not build");
        target.join("debug").join(format!("shop{}", std::env::consts::EXE_SUFFIX))
    })
}
