//! The table of users, and their passwords.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, SaltString};
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use rusqlite::{Connection, OptionalExtension as _};

/// All users. Clones share one connection.
#[derive(Clone)]
pub struct Users(Arc<Inner>);

struct Inner {
    db: Mutex<Connection>,
    /// Verified for unknown names, so that they take as long as known ones.
    decoy: String,
}

#[derive(Debug)]
pub enum Error {
    /// The name is taken.
    Taken,
    Database(rusqlite::Error),
    Password(argon2::password_hash::Error),
}

impl Users {
    /// Opens the file, and creates the table if it is missing.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::on(Connection::open(path)?)
    }

    /// A table in memory, for tests.
    pub fn in_memory() -> Result<Self, Error> {
        Self::on(Connection::open_in_memory()?)
    }

    fn on(db: Connection) -> Result<Self, Error> {
        db.busy_timeout(std::time::Duration::from_secs(5))?;
        db.execute_batch(
            "CREATE TABLE IF NOT EXISTS user (
                id       INTEGER PRIMARY KEY,
                name     TEXT NOT NULL UNIQUE,
                password TEXT NOT NULL
            ) STRICT",
        )?;
        Ok(Self(Arc::new(Inner {
            db: Mutex::new(db),
            decoy: hash("decoy")?,
        })))
    }

    /// Adds a user, and returns their id.
    pub async fn add(&self, name: String, password: String) -> Result<i64, Error> {
        self.blocking(move |inner| {
            let hash = hash(&password)?;
            let db = inner.db();
            db.execute(
                "INSERT INTO user (name, password) VALUES (?1, ?2)",
                (&name, &hash),
            )?;
            Ok(db.last_insert_rowid())
        })
        .await
    }

    pub async fn id_of(&self, name: String) -> Result<Option<i64>, Error> {
        self.blocking(move |inner| {
            let sql = "SELECT id FROM user WHERE name = ?1";
            Ok(inner
                .db()
                .query_row(sql, [name], |row| row.get(0))
                .optional()?)
        })
        .await
    }

    pub async fn name_of(&self, id: i64) -> Result<Option<String>, Error> {
        self.blocking(move |inner| {
            let sql = "SELECT name FROM user WHERE id = ?1";
            Ok(inner
                .db()
                .query_row(sql, [id], |row| row.get(0))
                .optional()?)
        })
        .await
    }

    /// Whether this is the user's password. `None` is a user who does not exist, which takes
    /// as long.
    pub async fn verify(&self, id: Option<i64>, password: String) -> Result<bool, Error> {
        self.blocking(move |inner| {
            let sql = "SELECT password FROM user WHERE id = ?1";
            let stored = inner
                .db()
                .query_row(sql, [id], |row| row.get::<_, String>(0))
                .optional()?;
            let text = stored.as_deref().unwrap_or(&inner.decoy);
            let matches = Argon2::default()
                .verify_password(password.as_bytes(), &PasswordHash::new(text)?)
                .is_ok();
            Ok(matches && stored.is_some())
        })
        .await
    }

    pub async fn set_password(&self, id: i64, password: String) -> Result<(), Error> {
        self.blocking(move |inner| {
            let hash = hash(&password)?;
            inner
                .db()
                .execute("UPDATE user SET password = ?1 WHERE id = ?2", (&hash, id))?;
            Ok(())
        })
        .await
    }

    pub async fn remove(&self, id: i64) -> Result<(), Error> {
        self.blocking(move |inner| {
            inner.db().execute("DELETE FROM user WHERE id = ?1", [id])?;
            Ok(())
        })
        .await
    }

    /// Argon2 and SQLite both block, so they run beside the runtime's own threads.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}

impl Inner {
    fn db(&self) -> std::sync::MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(password: &str) -> Result<String, Error> {
    let salt = SaltString::generate(&mut OsRng);
    Ok(Argon2::default()
        .hash_password(password.as_bytes(), &salt)?
        .to_string())
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ConstraintViolation) => Self::Taken,
            _ => Self::Database(error),
        }
    }
}

impl From<argon2::password_hash::Error> for Error {
    fn from(error: argon2::password_hash::Error) -> Self {
        Self::Password(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("the name is taken"),
            Self::Database(error) => write!(f, "the users' database: {error}"),
            Self::Password(error) => write!(f, "hashing a password: {error}"),
        }
    }
}

impl std::error::Error for Error {}
