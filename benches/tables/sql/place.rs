//! A kind of database, with its server: where the subjects keep their sessions, and
//! what that did.

use std::fmt;

use session_benches::subjects::service::Engine;

use super::mariadb::Server as MariaDb;
use super::postgres::Server as Postgres;
use super::sqlite::{self, Files};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    MariaDb,
    Sqlite,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Postgres, Self::MariaDb, Self::Sqlite];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.to_string() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "postgres",
            Self::MariaDb => "mariadb",
            Self::Sqlite => "sqlite",
        })
    }
}

/// Ends with this value.
pub(crate) enum Place {
    Postgres(Postgres),
    MariaDb(MariaDb),
    Sqlite(Files),
}

impl Place {
    /// Starts what this kind needs; `None` where that is not installed.
    pub(crate) async fn start(kind: Kind) -> Option<Self> {
        Some(match kind {
            Kind::Postgres => Self::Postgres(Postgres::start()?),
            Kind::MariaDb => Self::MariaDb(MariaDb::start().await?),
            Kind::Sqlite => Self::Sqlite(Files::default()),
        })
    }

    pub(crate) async fn version(&self) -> String {
        match self {
            Self::Postgres(server) => server.version(),
            Self::MariaDb(server) => server.version().await,
            Self::Sqlite(_) => format!("SQLite {}", rusqlite::version()),
        }
    }

    /// A database of this name with nothing in it.
    pub(crate) async fn empty(&self, name: &str) -> Engine {
        match self {
            Self::Postgres(server) => Engine::Postgres(server.empty(name)),
            Self::MariaDb(server) => Engine::MariaDb(server.empty(name).await),
            Self::Sqlite(files) => Engine::Sqlite(files.empty(name)),
        }
    }

    /// What a page costs that is changed for the first time since a checkpoint is paid
    /// for by whoever changes it next.
    pub(crate) fn checkpoint(&self) {
        if let Self::Postgres(server) = self {
            server.checkpoint();
        }
    }

    /// Statements so far, but for those that ask for this; `None` where none are counted.
    pub(crate) async fn statements(&self) -> Option<f64> {
        match self {
            Self::Postgres(server) => Some(server.statements()),
            Self::MariaDb(server) => Some(server.status("Questions").await),
            Self::Sqlite(_) => None,
        }
    }

    /// Bytes written to the log so far; those of SQLite's file are among them.
    pub(crate) async fn written(&self) -> f64 {
        match self {
            Self::Postgres(server) => server.written(),
            Self::MariaDb(server) => server.status("Innodb_os_log_written").await,
            Self::Sqlite(_) => sqlite::written(),
        }
    }

    /// Bytes of the tables and indexes in the database of this name.
    pub(crate) async fn size(&self, name: &str, engine: &Engine) -> f64 {
        match (self, engine) {
            (Self::Postgres(server), _) => server.size(name),
            (Self::MariaDb(server), _) => server.size(name).await,
            (Self::Sqlite(_), Engine::Sqlite(file)) => sqlite::size(file),
            (Self::Sqlite(_), _) => f64::NAN,
        }
    }
}
