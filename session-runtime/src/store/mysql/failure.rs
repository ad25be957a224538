//! What went wrong below, in words for the person who runs the service.
//!
//! What the server says is not repeated where it may quote a statement: there
//! are values in it.

use std::borrow::Cow;
use std::fmt;

use sqlx::Error;
use sqlx::mysql::MySqlDatabaseError;

use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::sql::certificate;

/// Why the server could not do something.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    kind: StoreErrorKind,
    text: Cow<'static, str>,
    /// The number of the server's error, if it gave one.
    pub(super) number: Option<u16>,
    /// It may go better if it is tried again.
    pub(super) passing: bool,
    /// The transaction may have been committed.
    pub(super) unknown: bool,
    /// The server answered and the connection is in order.
    pub(super) answered: bool,
}

/// A row of this key is there already.
pub(super) const DUPLICATE: u16 = 1062;
/// No such table.
pub(super) const NO_TABLE: u16 = 1146;
/// No such column.
pub(super) const NO_COLUMN: u16 = 1054;
const DEADLOCK: u16 = 1213;
const LOCK_WAIT: u16 = 1205;

impl Failure {
    pub(super) fn new(kind: StoreErrorKind, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        Self { kind, text, number: None, passing: false, unknown: false, answered: false }
    }

    pub(super) fn config(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StoreErrorKind::Config, text)
    }

    /// A row that this store did not write.
    pub(super) fn corrupt(what: &str) -> Self {
        let failure = Self::new(StoreErrorKind::Corrupt, format!("a stored {what} cannot be read"));
        Self { answered: true, ..failure }
    }

    /// The deadline of the call has passed.
    pub(super) fn late() -> Self {
        Self::new(StoreErrorKind::Timeout, "mysql: no answer within the deadline of the call")
    }

    /// Something changed between two looks at it.
    pub(super) fn moved() -> Self {
        let text = "mysql: the session changed hands again and again";
        let failure = Self::new(StoreErrorKind::Timeout, text);
        Self { passing: true, answered: true, ..failure }
    }

    /// Of the statement that commits: whether that may have happened all the
    /// same.
    pub(super) fn of_commit(self, reached: bool) -> Self {
        let refused = matches!(self.number, Some(DEADLOCK | LOCK_WAIT));
        Self { unknown: !self.answered || reached && !refused, ..self }
    }

    /// More than the server takes at once. The connection is in order.
    pub(super) fn too_large(bytes: usize) -> Self {
        let text = format!("mysql: {bytes} bytes are more than the server's `max_allowed_packet`");
        Self { answered: true, ..Self::new(StoreErrorKind::Full, text) }
    }

    /// The same failure, but waiting does not help.
    pub(super) fn lasting(self) -> Self {
        Self { passing: false, ..self }
    }

    /// The same failure, saying first what was being done.
    pub(super) fn during(self, what: impl fmt::Display) -> Self {
        Self { text: format!("{what}: {}", self.text).into(), ..self }
    }

    #[cfg(test)]
    pub(super) const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    fn of_server(error: &MySqlDatabaseError) -> Self {
        use StoreErrorKind::{Config, Full, Timeout, Unavailable};
        let number = error.number();
        let full_disk = number == 1030 && error.message().contains("error 28");
        let (kind, passing, hint) = match number {
            DEADLOCK => (Timeout, true, "deadlock"),
            // 1020: with `innodb_snapshot_isolation`.
            LOCK_WAIT | 1020 => (Timeout, true, "waited too long for a lock"),
            3024 | 1969 => (Timeout, true, "the statement was cut off by the server's limit"),
            1317 | 1927 | 3169 => (Unavailable, true, "the statement or connection was killed"),
            1053 | 1077 | 1079 => (Unavailable, true, "the server is shutting down"),
            1040 | 1203 | 1226 => (Unavailable, true, "the server takes no more connections"),
            1290 | 1792 | 1836 => (Unavailable, false, "the server takes no writes"),
            1021 | 1026 | 1114 => (Full, false, "the disk or the table is full"),
            1030 if full_disk => (Full, false, "the disk is full"),
            1118 | 1153 | 1301 | 1406 => (Full, false, "a value is too large for the server"),
            1044 | 1045 | 1142 | 1143 | 1227 | 1370 | 1698 => {
                (Config, false, "the user may not do this; check its name, password and rights")
            }
            1046 => (Config, false, "the URL names no database"),
            1049 => (Config, false, "no such database; create it first"),
            NO_TABLE => (Config, false, "a table is missing; run the migration"),
            NO_COLUMN => (Config, false, "a table has other columns; it belongs to something else"),
            1101 | 1193 | 1235 | 1286 => (Config, false, "the server is too old or lacks InnoDB"),
            _ => (Unavailable, false, "the server refused"),
        };
        // Where the server is going away, or became a replica, another connection may do better.
        let answered =
            !matches!(number, 1053 | 1077 | 1079 | 1927 | 3169 | 1153 | 1290 | 1792 | 1836);
        let text = format!("mysql: {hint} (error {number})").into();
        Self { kind, text, number: Some(number), passing, unknown: false, answered }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        use StoreErrorKind::{Config, Corrupt, Timeout, Unavailable};
        match error {
            Error::Database(error) => match error.try_downcast::<MySqlDatabaseError>() {
                Ok(error) => Self::of_server(&error),
                Err(_) => Self::new(Unavailable, "mysql: the server refused"),
            },
            Error::Io(error) => match certificate(&error, "ssl-ca=…") {
                Some(why) => Self::new(Config, format!("mysql: {why}")),
                None => {
                    let failure = Self::new(Unavailable, format!("mysql: {error}"));
                    Self { passing: true, ..failure }
                }
            },
            Error::PoolTimedOut => {
                Self::new(Timeout, "mysql: no connection within the deadline of the call")
            }
            Error::PoolClosed => Self::new(Unavailable, "mysql: the pool was closed"),
            Error::Configuration(error) => Self::new(Config, format!("mysql: {error}")),
            Error::Tls(error) => Self::new(Config, format!("mysql: TLS: {error}")),
            Error::ColumnDecode { .. }
            | Error::Decode(_)
            | Error::ColumnIndexOutOfBounds { .. } => {
                Self::new(Corrupt, "mysql: a column is not what this store writes")
            }
            // Of the client: it does not quote statements.
            Error::Protocol(text) => Self::new(Unavailable, format!("mysql: {text}")),
            _ => Self::new(Unavailable, "mysql: the client failed"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::because(failure.kind, failure.text.into_owned())
    }
}
