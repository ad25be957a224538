//! A server process that ends with the test program, however that ends.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Starts the server, writes its process id to `pid`, and waits for the end of
/// its own standard input: that comes when whoever started it drops the pipe
/// or dies. Then it stops the server, first kindly, and removes the directory.
const KEEPER: &str = r#"
directory=$1; shift
cd "$directory" || exit 1
"$@" >>"$directory/output" 2>&1 </dev/null &
server=$!
echo $server >"$directory/pid.new" && mv "$directory/pid.new" "$directory/pid"
read -r keep
kill -CONT $server 2>/dev/null
kill -TERM $server 2>/dev/null
for wait in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    kill -0 $server 2>/dev/null || break
    sleep 0.1
done
kill -KILL $server 2>/dev/null
wait $server 2>/dev/null
[ "$keep" = keep ] || rm -rf "$directory"
"#;

/// A running server and its directory.
///
/// Dropped, or when this program ends in whatever way, the server is stopped
/// and its directory removed.
#[derive(Debug)]
pub struct Process {
    keeper: Child,
    life: Option<ChildStdin>,
    directory: PathBuf,
    pid: u32,
}

impl Process {
    /// Starts `command` in `directory`, which it owns from then on. What the
    /// server prints is in the file `output` there.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start(directory: PathBuf, command: &[&str]) -> Self {
        let _ = std::fs::remove_file(directory.join("pid"));
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .arg(&directory)
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        let life = keeper.stdin.take();
        let read = || std::fs::read_to_string(directory.join("pid")).ok()?.trim().parse().ok();
        let pid = until(Duration::from_secs(20), read);
        let Some(pid) = pid else { panic!("`{}` did not start", command.join(" ")) };
        Self { keeper, life, directory, pid }
    }

    /// Waits until `ready` gives something, for at most half a minute.
    ///
    /// # Panics
    ///
    /// If it never does; with what the server printed.
    pub fn wait_until<T>(&self, what: &str, ready: impl FnMut() -> Option<T>) -> T {
        until(Duration::from_secs(30), ready).unwrap_or_else(|| {
            let output = std::fs::read_to_string(self.directory.join("output"));
            panic!("{what}: never; the server printed:\n{}", output.unwrap_or_default())
        })
    }

    /// Where the server keeps its files.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The process id of the server itself.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal, such as `STOP`, `CONT` or `KILL`, to the server.
    pub fn signal(&self, signal: &str) {
        let _ = Command::new("kill").arg(format!("-{signal}")).arg(self.pid.to_string()).status();
    }

    /// Stops the server and leaves its directory, to start another one there.
    pub fn stop(mut self) -> PathBuf {
        self.end(true);
        self.directory.clone()
    }

    fn end(&mut self, keep: bool) {
        use std::io::Write;
        if let Some(mut life) = self.life.take() {
            if keep {
                let _ = life.write_all(b"keep\n");
            }
            drop(life);
            let _ = self.keeper.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(false);
    }
}

/// What `make` puts into the directory `data` of a directory of its own, to be
/// copied for each server of a kind: that takes a fraction of the time. It goes
/// when this program ends.
#[derive(Debug)]
pub(super) struct Template(Process);

impl Template {
    pub(super) fn new(make: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().expect("a directory").keep();
        make(&directory);
        Self(Process::start(directory, &["sleep", "infinity"]))
    }

    /// # Panics
    ///
    /// If there is no room.
    pub(super) fn copy(&self, directory: &Path) {
        let data = self.0.directory().join("data");
        let done = Command::new("cp").arg("-a").arg(data).arg(directory).status();
        assert!(done.is_ok_and(|it| it.success()), "a copy of what a server begins with");
    }
}

/// A port that nobody listened on a moment ago.
///
/// # Panics
///
/// If the machine has none.
pub fn free_port() -> u16 {
    /// Below those that systems give to clients, one of which would be gone by
    /// the time a server wants it.
    const PORTS: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    (0..PORTS)
        .map(|_| NEXT.fetch_add(1, Ordering::Relaxed))
        // Test programs beside this one begin elsewhere.
        .map(|n| 10_000 + std::process::id().wrapping_mul(997).wrapping_add(n) % PORTS)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port")
}

fn until<T>(limit: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let step = Duration::from_millis(20);
    for _ in 0..limit.as_millis() / step.as_millis() {
        if let Some(it) = ready() {
            return Some(it);
        }
        std::thread::sleep(step);
    }
    None
}
