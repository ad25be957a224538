//! Run with: cargo run -p session-examples --example custom_store -- sessions
//!
//! Then open <http://127.0.0.1:3000>, stop the program and start it again: the count
//! continues. The tests check all rules of the store contract:
//! `cargo test -p session-examples --example custom_store`.
//!
//! Your own store: a directory with one file per key. It can read a file, and replace it if
//! it has not changed since. `CasStore` turns that into a session store with patches,
//! renewal, expiry, listings, limits and revocations, for any number of processes on this
//! machine. To use a database or cloud store with conditional writes, replace `Directory`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use session_runtime::clock::Clock;
use session_runtime::store::cas::{CasStore, CompareAndSwap, Keys, ListKeys, Put};
use session_runtime::store::{SessionStore, StoreError, StoreErrorKind, contract::Cursor};
use session_runtime::{Session, SessionLayer, SessionSchema};

/// Stores each value in a file of one directory.
struct Directory {
    clock: Clock,
    path: Arc<Path>,
}

impl Directory {
    fn open(path: impl Into<PathBuf>, clock: Clock) -> io::Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path)?;
        Ok(Self { clock, path: path.into() })
    }

    /// Runs blocking work on a thread for blocking work. Once started it runs to its end,
    /// even if the returned future is dropped.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let path = Arc::clone(&self.path);
        let done = tokio::task::spawn_blocking(move || work(&path)).await;
        done.unwrap_or_else(|panicked| Err(io::Error::other(panicked))).map_err(store_error)
    }
}

/// If the disk is full, nothing was written. After any other error that is unknown.
fn store_error(error: io::Error) -> StoreError {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreErrorKind::Full,
        _ => StoreErrorKind::Unavailable,
    };
    StoreError::because(kind, error)
}

/// Reads the old or the new content, never a mixture, because `swap` replaces by renaming.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces a value. The lock, held until the end, admits one process at a time.
///
/// An acknowledged write survives a crash of the program, but not a power failure. For that,
/// sync the new file before the rename, and the directory after it.
fn swap(
    directory: &Path,
    key: &str,
    expected: Option<&[u8]>,
    value: Option<&[u8]>,
) -> io::Result<bool> {
    let lock = File::create(directory.join(".lock"))?;
    lock.lock()?;
    let path = directory.join(key);
    if read(&path)?.as_deref() != expected {
        return Ok(false);
    }
    match value {
        Some(value) => {
            let new = directory.join(".new");
            fs::write(&new, value)?;
            fs::rename(new, path)?;
        }
        None if expected.is_some() => fs::remove_file(path)?,
        None => {}
    }
    Ok(true)
}

impl CompareAndSwap for Directory {
    /// A value is its own version: `swap` compares the value that was read with the file.
    type Version = Vec<u8>;

    fn clock(&self) -> &Clock {
        &self.clock
    }

    async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, Vec<u8>)>, StoreError> {
        let key = key.to_owned();
        let value = self.blocking(move |directory| read(&directory.join(key))).await?;
        Ok(value.map(|value| (value.clone(), value)))
    }

    // `keep_until` is not stored: `sweep` removes expired sessions.
    async fn swap(
        &self,
        key: &str,
        expected: Option<&Vec<u8>>,
        put: Option<Put<'_>>,
    ) -> Result<bool, StoreError> {
        let (key, expected) = (key.to_owned(), expected.cloned());
        let value = put.map(|put| put.value.to_vec());
        let swap = move |path: &Path| swap(path, &key, expected.as_deref(), value.as_deref());
        self.blocking(swap).await
    }
}

impl ListKeys for Directory {
    /// Lists keys by name. Each page begins after the last key of the previous one.
    async fn keys(&self, from: Option<&Cursor>, limit: usize) -> Result<Keys, StoreError> {
        let after = from.map_or_else(String::new, |from| from.as_str().to_owned());
        self.blocking(move |directory| {
            let mut keys = Vec::new();
            for file in fs::read_dir(directory)? {
                let name = file?.file_name().to_string_lossy().into_owned();
                if !name.starts_with('.') && name > after {
                    keys.push(name);
                }
            }
            keys.sort_unstable();
            let more = keys.len() > limit;
            keys.truncate(limit);
            let next = keys.last().filter(|_| more).map(|last| Cursor::new(last.as_str()));
            Ok(Keys { keys, next })
        })
        .await
    }
}

#[derive(SessionSchema)]
struct Visitor {
    #[session(counter)]
    visits: u64,
}

async fn home(mut session: Session<Visitor>) -> String {
    session.add_visits(1);
    format!("{} visits\n", session.visits())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "sessions".to_owned());
    let store = CasStore::listing(Directory::open(path, Clock::system())?);
    let sessions = SessionLayer::new(store.clone()).insecure_for_development();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
            while store.sweep(500).await.is_ok_and(|swept| swept.more) {}
        }
    });
    let app = Router::new().route("/", get(home)).layer(sessions);
    axum::serve(session_examples::listen().await, app).await
}

#[cfg(test)]
mod tests {
    use session_runtime::testing::TestSession;

    use super::*;

    session_runtime::store_conformance! {
        directory, |clock| async move {
            let directory = tempfile::tempdir().unwrap();
            (CasStore::listing(Directory::open(directory.path(), clock).unwrap()), directory)
        }
    }

    #[tokio::test]
    async fn sessions_outlive_the_program() {
        let directory = tempfile::tempdir().unwrap();
        let open =
            || CasStore::listing(Directory::open(directory.path(), Clock::system()).unwrap());
        let t = TestSession::<Visitor>::with_store(open());
        assert_eq!(home(t.open().await.unwrap()).await, "1 visits\n");
        assert_eq!(t.open().await.unwrap().visits(), 1);
        drop(t);
        assert_eq!(open().count().await.unwrap(), 1);
    }
}
