//! Detects that the path no longer leads to the files that are open.
//!
//! An open file outlives its name: after `rm sessions.db`, or after a restored copy was moved over
//! it, everything would keep working, but on data that is lost at the next restart.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::{fs, io};

use super::failure::Failure;
use crate::store::error::StoreErrorKind;

/// The identities of the files that were opened.
pub(super) struct Watch {
    files: Vec<(PathBuf, Identity)>,
    lost: Lost,
}

/// The reason why the store refuses all calls while its files are gone. Shared by all threads.
#[derive(Clone, Default)]
pub(super) struct Lost(Arc<RwLock<Option<Failure>>>);

impl Watch {
    /// Remembers `files`, which are open.
    pub(super) fn new(files: impl IntoIterator<Item = PathBuf>) -> Result<Self, Failure> {
        let identify = |file: PathBuf| match identity(&file) {
            Ok(identity) => Ok((file, identity)),
            Err(error) => Err(Failure::config(&file, format_args!("it cannot be found ({error})"))),
        };
        let files = files.into_iter().map(identify).collect::<Result<_, _>>()?;
        Ok(Self { files, lost: Lost::default() })
    }

    pub(super) fn lost(&self) -> Lost {
        self.lost.clone()
    }

    /// Checks the files, and tells the other threads and the log when their state has changed.
    ///
    /// # Errors
    ///
    /// If one of the files was deleted or replaced.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let gone = self.files.iter().find(|(file, opened)| is_gone(file, opened));
        let failure = gone.map(|(file, _)| deleted(file));
        match (&failure, self.lost.check()) {
            (Some(failure), Ok(())) => tracing::error!(%failure, "the session database is lost"),
            (None, Err(_)) => tracing::warn!("the session database is in its place again"),
            _ => return failure.map_or(Ok(()), Err),
        }
        self.lost.set(failure.clone());
        failure.map_or(Ok(()), Err)
    }
}

impl Lost {
    /// Returns the result of the writer's last check.
    ///
    /// # Errors
    ///
    /// If the files were gone.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(failure) => Err(failure.clone()),
        }
    }

    fn set(&self, failure: Option<Failure>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}

fn deleted(file: &Path) -> Failure {
    let text = format!(
        "{}: this file was deleted or replaced while it was open, and nothing that is stored \
         now would be there after a restart; put it back, or restart to begin with what is there",
        file.display()
    );
    Failure::new(StoreErrorKind::Unavailable, text)
}

fn is_gone(file: &Path, opened: &Identity) -> bool {
    match identity(file) {
        Ok(found) => found != *opened,
        // Other errors do not mean that the file is gone.
        Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

/// Identifies a file, whatever its name.
#[cfg(unix)]
#[derive(PartialEq)]
struct Identity {
    device: u64,
    number: u64,
}

#[cfg(unix)]
fn identity(file: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    let found = fs::metadata(file)?;
    // A bind-mounted file keeps its name when it is deleted.
    if found.nlink() == 0 {
        return Err(ErrorKind::NotFound.into());
    }
    Ok(Identity { device: found.dev(), number: found.ino() })
}

/// On other systems, an open file cannot be replaced.
#[cfg(not(unix))]
#[derive(PartialEq)]
struct Identity;

#[cfg(not(unix))]
fn identity(file: &Path) -> io::Result<Identity> {
    fs::metadata(file).map(|_| Identity)
}
