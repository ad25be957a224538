//! What went wrong below, in words for the person who runs the service. Never
//! the server's detail lines: those hold values.

use std::borrow::Cow;
use std::fmt;

use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::sql::certificate;

/// Why the server could not do something.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    kind: StoreErrorKind,
    text: Cow<'static, str>,
}

/// What an error of the driver means for the call that met it.
#[derive(Debug)]
pub(super) enum Meaning {
    /// Nothing was written, and a repeat may succeed at once.
    Again(Failure),
    /// The same, but in a transaction of READ COMMITTED.
    Isolation,
    /// Nobody knows whether it was done: the connection broke.
    Broken(Failure),
    /// Nothing was written, and a repeat is no use.
    Final(Failure),
}

/// Why a call was not answered.
#[derive(Debug)]
pub(super) enum Unacknowledged {
    /// Nothing was written.
    NotWritten(Failure),
    /// It may have been written.
    Unknown(Failure),
}

impl Failure {
    pub(super) fn new(kind: StoreErrorKind, text: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, text: text.into() }
    }

    pub(super) fn config(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StoreErrorKind::Config, text)
    }

    /// A row that this store did not write.
    pub(super) fn corrupt(what: &str) -> Self {
        Self::new(StoreErrorKind::Corrupt, format!("a stored {what} cannot be read"))
    }

    pub(super) fn too_large() -> Self {
        Self::new(StoreErrorKind::Unsupported, "PostgreSQL takes no value as large as that")
    }

    pub(super) fn nul() -> Self {
        let text = "PostgreSQL stores no name and no principal with a NUL in it";
        Self::new(StoreErrorKind::Unsupported, text)
    }

    pub(super) fn deadline() -> Self {
        Self::new(StoreErrorKind::Timeout, "postgres: no answer within the deadline")
    }

    /// The same failure, saying first what was being done.
    pub(super) fn during(self, what: &str) -> Self {
        Self { text: format!("{what}: {}", self.text).into(), ..self }
    }
}

/// The code of the server's error.
pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(Cow::into_owned)
}

impl From<sqlx::Error> for Meaning {
    fn from(error: sqlx::Error) -> Self {
        use StoreErrorKind::{Config, Corrupt, Full, Timeout, Unavailable, Unsupported};
        let failure = |kind, text: String| Failure::new(kind, format!("postgres: {text}"));
        let Some(code) = code(&error) else {
            return match error {
                sqlx::Error::PoolTimedOut => Self::Final(failure(
                    Timeout,
                    "no connection within the deadline: the server does not answer or takes no \
                     more, or all connections of the pool are busy (`connections`)"
                        .into(),
                )),
                sqlx::Error::PoolClosed => {
                    Self::Final(failure(Unavailable, "the pool was closed".into()))
                }
                sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::ColumnNotFound(_)
                | sqlx::Error::RowNotFound
                | sqlx::Error::Decode(_) => Self::Final(Failure::corrupt("row")),
                sqlx::Error::Io(error) => match certificate(&error, "sslrootcert=…") {
                    Some(why) => Self::Final(failure(Config, why)),
                    None => Self::Broken(failure(Unavailable, error.to_string())),
                },
                sqlx::Error::Configuration(_) => {
                    Self::Final(failure(Config, "the URL or its settings make no sense".into()))
                }
                sqlx::Error::Tls(error) => Self::Final(failure(Config, format!("TLS: {error}"))),
                _ => Self::Broken(failure(Unavailable, "the connection broke".into())),
            };
        };
        let said = |what: &str| format!("{what} ({code})");
        match &*code {
            "SR001" => Self::Isolation,
            "40001" | "40P01" => {
                Self::Again(failure(Timeout, said("others changed the same sessions all the time")))
            }
            "55P03" | "57014" => Self::Final(failure(Timeout, said("a lock was not free in time"))),
            "53100" => Self::Final(failure(Full, said("the disk is full"))),
            "53200" => Self::Final(failure(Full, said("out of memory"))),
            "53300" => Self::Final(failure(Unavailable, said("too many connections"))),
            "25006" => Self::Final(failure(
                Unavailable,
                said("the server only reads: connect to the primary"),
            )),
            // The server or an administrator ended the connection.
            "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => {
                Self::Broken(failure(Unavailable, said("the server ended the connection")))
            }
            "42P01" | "42883" | "3F000" | "42704" => Self::Final(failure(
                Config,
                said("the tables or functions are missing: run `migrate()`"),
            )),
            "42501" => Self::Final(failure(Config, said("this role may not do that"))),
            "28P01" | "28000" => Self::Final(failure(Config, said("the server refuses the login"))),
            "3D000" => Self::Final(failure(Config, said("the database does not exist"))),
            "26000" | "42P05" | "08P01" => Self::Final(failure(
                Config,
                said(
                    "a prepared statement went astray: behind a pooler, such as pgbouncer, set \
                     `pooler(true)` or `?pgbouncer=true`",
                ),
            )),
            "22021" | "22P05" => {
                Self::Final(failure(Unsupported, said("the database must have the encoding UTF8")))
            }
            "54000" => Self::Final(failure(Unsupported, said("a value is too large"))),
            code if code.starts_with("XX") => {
                Self::Final(failure(Corrupt, said("the server reports damage")))
            }
            code if code.starts_with("08") => {
                Self::Broken(failure(Unavailable, said("the connection broke")))
            }
            code if code.starts_with("53") => {
                Self::Final(failure(Unavailable, said("the server lacks resources")))
            }
            _ => Self::Final(failure(Unavailable, said("the server refused the statement"))),
        }
    }
}

impl Unacknowledged {
    pub(super) fn is_full(&self) -> bool {
        matches!(self, Self::NotWritten(failure) if failure.kind == StoreErrorKind::Full)
    }
}

impl Meaning {
    /// Where it makes no difference.
    pub(super) fn failure(self) -> Failure {
        match self {
            Self::Again(failure) | Self::Broken(failure) | Self::Final(failure) => failure,
            Self::Isolation => Failure::config("postgres: sessions need READ COMMITTED"),
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
        Self::because(failure.kind, failure.text)
    }
}

impl From<Unacknowledged> for StoreError {
    fn from(why: Unacknowledged) -> Self {
        match why {
            Unacknowledged::NotWritten(failure) | Unacknowledged::Unknown(failure) => {
                failure.into()
            }
        }
    }
}

impl From<Failure> for Unacknowledged {
    fn from(failure: Failure) -> Self {
        Self::NotWritten(failure)
    }
}
