//! Failures of MySQL and MariaDB, described for the operator of the service.
//!
//! The server's own message is not repeated: it may quote a statement or a value.

use sqlx::Error;
use sqlx::mysql::MySqlDatabaseError;

use crate::store::engine::Failure;
use crate::store::error::StoreErrorKind;
use crate::store::sql::{Fault, certificate};

/// A row with this key exists.
pub(super) const DUPLICATE: u16 = 1062;
/// The table does not exist.
pub(super) const NO_TABLE: u16 = 1146;
/// The column does not exist.
pub(super) const NO_COLUMN: u16 = 1054;

/// The failure of a statement that is larger than the server accepts.
pub(super) fn too_large() -> Failure {
    let text = "mysql: the statement exceeds the server's `max_allowed_packet`";
    Failure::new(StoreErrorKind::Full, text)
}

/// Returns the server's error number, if there is one.
pub(super) fn number(error: &Error) -> Option<u16> {
    let Error::Database(error) = error else { return None };
    error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}

/// Classifies an error of the driver.
pub(super) fn fault(error: Error) -> Fault {
    use StoreErrorKind::{Config, Timeout, Unavailable};
    let failure = |kind, text: &str| Failure::new(kind, format!("mysql: {text}"));
    if let Some(number) = number(&error) {
        let is_full = number == 1030
            && error.as_database_error().is_some_and(|it| it.message().contains("error 28"));
        return of_server(number, is_full);
    }
    match error {
        Error::Io(error) => match certificate(&error, "ssl-ca=…") {
            Some(why) => Fault::Final(failure(Config, &why)),
            None => Fault::Broken(failure(Unavailable, &error.to_string())),
        },
        Error::PoolTimedOut => Fault::Final(failure(
            Timeout,
            "no connection within the deadline: the server does not answer or takes no more, or \
             all connections of the pool are busy (`connections`)",
        )),
        Error::PoolClosed => Fault::Final(failure(Unavailable, "the pool was closed")),
        Error::Configuration(_) => {
            Fault::Final(failure(Config, "the URL or its settings are invalid"))
        }
        Error::Tls(error) => Fault::Final(failure(Config, &format!("TLS: {error}"))),
        Error::ColumnDecode { .. } | Error::Decode(_) => {
            Fault::Final(Failure::corrupt("a stored row cannot be read"))
        }
        _ => Fault::Broken(failure(Unavailable, "the connection broke")),
    }
}

fn of_server(number: u16, is_full: bool) -> Fault {
    use StoreErrorKind::{Config, Full, Timeout, Unavailable};
    let said = |kind, text: &str| Failure::new(kind, format!("mysql: {text} (error {number})"));
    let settled = |kind, text| Fault::Final(said(kind, text));
    match number {
        1213 => Fault::Again(said(Timeout, "others changed the same sessions all the time")),
        // 1020 occurs with `innodb_snapshot_isolation`.
        1205 | 1020 => Fault::Again(said(Timeout, "a lock was not free in time")),
        3024 | 1969 | 1317 => settled(
            Timeout,
            "the statement was cut off, by a limit of the server (`max_statement_time`, \
             `max_execution_time`) or by an administrator",
        ),
        1927 | 3169 | 1053 | 1077 | 1079 => {
            Fault::Broken(said(Unavailable, "the server ended the connection"))
        }
        1040 | 1203 | 1226 => settled(Unavailable, "the server takes no more connections"),
        1290 | 1792 | 1836 => settled(Config, "the server only reads: connect to the primary"),
        1021 | 1026 | 1114 => settled(Full, "the disk or the table is full"),
        1030 if is_full => settled(Full, "the disk is full"),
        1118 | 1153 | 1301 | 1406 => settled(Full, "a value is too large for the server"),
        1044 | 1045 | 1142 | 1143 | 1227 | 1370 | 1698 => {
            settled(Config, "the user may not do this; check its name, password and rights")
        }
        1046 => settled(Config, "the URL names no database"),
        1049 => settled(Config, "no such database; create it first"),
        NO_TABLE => settled(Config, "a table is missing; run the migration"),
        NO_COLUMN => settled(Config, "a table has other columns; it belongs to something else"),
        1101 | 1193 | 1235 | 1286 => settled(Config, "the server is too old or lacks InnoDB"),
        _ => settled(Unavailable, "the server refused the statement"),
    }
}
