//! A small disk that can be filled.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A filesystem of a few megabytes that only one server sees, and whoever
/// starts it again when it ends: it goes with them.
#[derive(Debug)]
pub struct Space {
    directory: tempfile::TempDir,
    megabytes: u32,
}

/// Mounts it where `$0` is, of the user to whom the directory above belongs,
/// and runs the server there, again and again: some end themselves when there
/// is no room.
const MOUNT: &str = r#"mount -t tmpfs -o size=$1m,mode=700 none "$0" || exit 1
chown --reference="$(dirname "$0")" "$0"; shift
[ "$1" = true ] && exit
trap 'kill $!; wait; exit' TERM
while :; do "$@" & wait $!; sleep 0.2; done"#;

impl Space {
    /// `None`, and a word about it, where nobody may mount anything.
    ///
    /// # Panics
    ///
    /// If there is no temporary directory.
    pub fn new(megabytes: u32) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("disk")).expect("a directory");
        let it = Self { directory, megabytes };
        let command = it.prefix();
        let tried = Command::new(&command[0]).args(&command[1..]).arg("true").output();
        if tried.is_ok_and(|it| it.status.success()) {
            return Some(it);
        }
        // Not `eprintln!`: the test harness swallows what passing tests print.
        let what = "left out: a disk that is full (this user may not mount one)";
        let _ = writeln!(std::io::stderr(), "{what}");
        None
    }

    /// What the command of a server begins with.
    pub fn prefix(&self) -> Vec<String> {
        let (path, size) = (self.path().display().to_string(), self.megabytes.to_string());
        ["unshare", "-m", "sh", "-c", MOUNT, &path, &size].map(str::to_owned).to_vec()
    }

    /// Where it is for the server.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("disk")
    }

    /// Above it: its owner's.
    pub fn above(&self) -> &Path {
        self.directory.path()
    }

    /// Leaves no byte of it free; `pid` is the process that has our prefix.
    ///
    /// # Panics
    ///
    /// If it cannot be written at all.
    pub fn fill(&self, pid: u32) {
        let mut ballast = std::fs::File::create(self.ballast(pid)).expect("the server runs");
        for size in [64 << 10, 4 << 10, 1] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Gives that space back.
    ///
    /// # Panics
    ///
    /// If it was not taken.
    pub fn free(&self, pid: u32) {
        std::fs::remove_file(self.ballast(pid)).expect("it was filled");
    }

    /// Seen from here it is below the root directory of the server.
    fn ballast(&self, pid: u32) -> PathBuf {
        let path = self.path().join("ballast");
        Path::new("/proc")
            .join(pid.to_string())
            .join("root")
            .join(path.strip_prefix("/").unwrap_or(&path))
    }
}
