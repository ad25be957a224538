//! Ids and times as SQLite has them.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Row, ToSql};

use super::failure::Failure;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::Meta;

/// An id as a parameter: text, as in the logs.
pub(super) struct Id([u8; SessionId::TEXT]);

impl From<SessionId> for Id {
    fn from(id: SessionId) -> Self {
        let mut text = [0; SessionId::TEXT];
        id.encode(&mut text);
        Self(text)
    }
}

impl ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(&self.0)))
    }
}

/// An id out of a column.
pub(super) fn id(row: &Row<'_>, column: usize) -> Result<SessionId, Failure> {
    let text = row.get_ref(column)?.as_str().map_err(|_| Failure::corrupt("session id"))?;
    text.parse().map_err(|_| Failure::corrupt("session id"))
}

/// A form out of a column.
pub(super) fn form<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r [u8], Failure> {
    row.get_ref(column)?.as_bytes().map_err(|_| Failure::corrupt("session"))
}

/// Milliseconds as SQLite stores them: beyond the year 292 million they are
/// one and the same.
pub(super) fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// Where a session stands among those of its principal: by when its user proved
/// who they are, and when it was created. The oldest come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Age {
    authenticated: i64,
    created: i64,
}

/// Stored where no user ever proved who they are: before all times.
const NEVER: i64 = -1;

impl Age {
    /// Before every session.
    pub(super) const FIRST: Self = Self { authenticated: i64::MIN, created: i64::MIN };

    pub(super) fn of(meta: &Meta) -> Self {
        let authenticated = meta.authenticated.map_or(NEVER, millis);
        Self { authenticated, created: millis(meta.created) }
    }

    /// Out of two columns.
    pub(super) fn read(row: &Row<'_>, column: usize) -> Result<Self, Failure> {
        Ok(Self { authenticated: row.get(column)?, created: row.get(column + 1)? })
    }

    /// Reads [`Display`](std::fmt::Display) back.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (authenticated, created) = text.split_once('.')?;
        Some(Self { authenticated: authenticated.parse().ok()?, created: created.parse().ok()? })
    }

    pub(super) const fn authenticated(self) -> i64 {
        self.authenticated
    }

    pub(super) const fn created(self) -> i64 {
        self.created
    }
}

impl std::fmt::Display for Age {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.authenticated, self.created)
    }
}
