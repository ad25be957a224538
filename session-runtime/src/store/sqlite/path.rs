//! The path of the file: what SQLite would misread, and clear words about it.

use std::io::ErrorKind;
use std::path::Path;

use super::failure::Failure;

/// Says what is wrong with a path before SQLite says "unable to open", and
/// creates a new file so that only its owner may read it.
pub(super) fn check(path: &Path) -> Result<(), Failure> {
    let refused = |text: &str| Err(Failure::config(path, text));
    if path.as_os_str().is_empty() || path == Path::new(":memory:") {
        return refused("this store needs a file; for sessions in memory there is MemoryStore");
    }
    if path.is_dir() {
        return refused("this is a directory; name a file in it, such as sessions.db");
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(missing) = directory.filter(|parent| !parent.is_dir()) {
        let text = format!("the directory {} does not exist; create it first", missing.display());
        return refused(&text);
    }
    // Only a new file is opened here. Closing an existing one would drop the
    // POSIX locks that another store of this process may hold on it.
    let mut new = std::fs::OpenOptions::new();
    new.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    match new.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => {
            let text = format!("the file cannot be created ({error}); make its directory writable");
            refused(&text)
        }
    }
}
