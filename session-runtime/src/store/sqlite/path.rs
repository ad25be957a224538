//! The path of the file: what it must not be, with clear error messages.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{self, Path, PathBuf};

use super::failure::Failure;

/// Returns the path that SQLite opens. It is absolute: SQLite then never takes it for a URI,
/// whatever the name, and it stays the same file if the process changes its directory.
///
/// # Errors
///
/// If it is not a path but a URI, a URL or SQLite's name for memory. SQLite, or the operating
/// system, would create a file of that name.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let refused = |text: &str| Err(Failure::config(path, text));
    let text = path.to_string_lossy();
    let (scheme, rest) = text.split_once(':').unwrap_or(("", &text));
    let name = rest.strip_prefix("//").unwrap_or(rest).split('?').next().unwrap_or_default();
    if text.is_empty() || text.contains(":memory:") || text.contains("mode=memory") {
        return refused("this store needs a file; for sessions in memory there is MemoryStore");
    }
    if scheme.eq_ignore_ascii_case("file") {
        return refused(&format!("this is a URI of SQLite; write the path alone: `{name}`"));
    }
    if ["sqlite", "sqlite3"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return refused(&format!(
            "this is a URL, as AnyStore::connect takes it; write the path alone: `{name}`"
        ));
    }
    if has_query(&text) {
        let name = text.split('?').next().unwrap_or_default();
        return refused(&format!(
            "what follows the `?` would be part of the file's name; write the path alone, \
             `{name}`, and set the rest with SqliteStore::options()"
        ));
    }
    Ok(path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

/// Whether it ends like `?mode=rwc`. A file name may contain a question mark.
fn has_query(path: &str) -> bool {
    path.split_once('?').is_some_and(|(_, query)| {
        let key = query.split('=').next().unwrap_or_default();
        query.is_empty() || query.len() > key.len() && key.chars().all(|c| c.is_ascii_alphabetic())
    })
}

/// Checks the path, because SQLite only says "unable to open", and creates a new file so that only
/// its owner may read it.
pub(super) fn prepare(path: &Path) -> Result<(), Failure> {
    let refused = |text: &str| Err(Failure::config(path, text));
    if path.is_dir() {
        return refused("this is a directory; name a file in it, such as sessions.db");
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(missing) = directory.filter(|parent| !parent.is_dir()) {
        let text = format!("the directory {} does not exist; create it first", missing.display());
        return refused(&text);
    }
    // Only a new file is opened here. Closing an existing one would drop the POSIX locks that
    // another store of this process may hold on it.
    let mut new = OpenOptions::new();
    new.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    match new.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            warn_of_readers(path);
            Ok(())
        }
        Err(error) => {
            let text = format!("the file cannot be created ({error}); make its directory writable");
            refused(&text)
        }
    }
}

/// Warns if others may read an existing file, which contains people's sessions. Its mode is not
/// changed: it may be intended, for a backup for instance.
#[cfg(unix)]
fn warn_of_readers(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    const OTHERS: u32 = 0o066;
    let Ok(found) = path.metadata() else { return };
    let mode = found.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        tracing::warn!(
            file = %path.display(),
            mode = %format_args!("{mode:03o}"),
            "others than its owner may read or write the session database; `chmod 600` it"
        );
    }
}

#[cfg(not(unix))]
fn warn_of_readers(_: &Path) {}
