//! Failures of PostgreSQL, described for the operator of the service. The server's detail lines are
//! never repeated: they contain values.

use std::borrow::Cow;

use crate::store::engine::Failure;
use crate::store::error::StoreErrorKind;
use crate::store::sql::{Fault, certificate};

pub(super) fn too_large() -> Failure {
    let text = "the value is larger than PostgreSQL accepts";
    Failure::new(StoreErrorKind::Unsupported, text)
}

/// The error code "insufficient privilege".
pub(super) const FORBIDDEN: &str = "42501";

/// Returns the code of the server's error.
pub(super) fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}

/// Classifies an error of the driver.
pub(super) fn fault(error: sqlx::Error) -> Fault {
    use StoreErrorKind::{Config, Corrupt, Full, Timeout, Unavailable, Unsupported};
    let failure = |kind, text: &str| Failure::new(kind, format!("postgres: {text}"));
    let Some(code) = code(&error).map(Cow::into_owned) else {
        return match error {
            sqlx::Error::PoolTimedOut => Fault::Final(failure(
                Timeout,
                "no connection within the deadline: the server does not answer or takes no \
                 more, or all connections of the pool are busy (`connections`)",
            )),
            sqlx::Error::PoolClosed => Fault::Final(failure(Unavailable, "the pool was closed")),
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::RowNotFound
            | sqlx::Error::Decode(_) => {
                Fault::Final(Failure::corrupt("a stored row cannot be read"))
            }
            sqlx::Error::Io(error) => match certificate(&error, "sslrootcert=…") {
                Some(why) => Fault::Final(failure(Config, &why)),
                None => Fault::Broken(failure(Unavailable, &error.to_string())),
            },
            sqlx::Error::Configuration(_) => {
                Fault::Final(failure(Config, "the URL or its settings are invalid"))
            }
            sqlx::Error::Tls(error) => Fault::Final(failure(Config, &format!("TLS: {error}"))),
            _ => Fault::Broken(failure(Unavailable, "the connection broke")),
        };
    };
    let said = |kind, what: &str| failure(kind, &format!("{what} ({code})"));
    match &*code {
        "40001" | "40P01" => {
            Fault::Again(said(Timeout, "others changed the same sessions all the time"))
        }
        "55P03" => Fault::Again(said(Timeout, "a lock was not free in time")),
        "57014" => Fault::Final(said(
            Timeout,
            "the statement was cancelled, by `statement_timeout` or by an administrator",
        )),
        "53100" => Fault::Final(said(Full, "the disk is full")),
        "53200" => Fault::Final(said(Full, "out of memory")),
        "53300" => Fault::Final(said(Unavailable, "too many connections")),
        // Both come from a replica; 0A000 when a read-write transaction is begun.
        "25006" | "0A000" => {
            Fault::Final(said(Config, "the server only reads: connect to the primary"))
        }
        // The server or an administrator ended the connection.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04" => {
            Fault::Broken(said(Unavailable, "the server ended the connection"))
        }
        "42P01" | "42703" | "3F000" => {
            Fault::Final(said(Config, "the tables are missing or something else: run `migrate()`"))
        }
        FORBIDDEN => Fault::Final(said(Config, "this role may not do that")),
        "28P01" | "28000" => Fault::Final(said(Config, "the server refuses the login")),
        "3D000" => Fault::Final(said(Config, "the database does not exist")),
        "26000" | "42P05" | "08P01" => Fault::Final(said(
            Config,
            "a prepared statement went astray: behind a pooler, such as pgbouncer, set \
             `pooler(true)` or `?pgbouncer=true`",
        )),
        "54000" => Fault::Final(said(Unsupported, "a value is too large")),
        code if code.starts_with("XX") => Fault::Final(said(Corrupt, "the server reports damage")),
        code if code.starts_with("08") => Fault::Broken(said(Unavailable, "the connection broke")),
        code if code.starts_with("53") => {
            Fault::Final(said(Unavailable, "the server lacks resources"))
        }
        _ => Fault::Final(said(Unavailable, "the server refused the statement")),
    }
}
