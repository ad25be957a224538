//! Ids and times as SQLite stores them.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Row, ToSql};

use super::failure::Failure;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::Meta;
use crate::store::contract::Cursor;
use crate::store::engine::index::Order;

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

/// Reads an id from a column.
pub(super) fn id(row: &Row<'_>, column: usize) -> Result<SessionId, Failure> {
    let text = row.get_ref(column)?.as_str().map_err(|_| Failure::corrupt("session id"))?;
    text.parse().map_err(|_| Failure::corrupt("session id"))
}

/// Reads a form from a column.
pub(super) fn form<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r [u8], Failure> {
    row.get_ref(column)?.as_bytes().map_err(|_| Failure::corrupt("session"))
}

/// Returns a time as SQLite stores it. All times after the year 292 million are the same.
pub(super) fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// When the user of a session last authenticated, and when it was created: the oldest sessions come
/// first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Age {
    authenticated: i64,
    created: i64,
}

/// Stored if no user has ever authenticated: earlier than any time.
const NEVER: i64 = -1;

impl Age {
    pub(super) fn of(meta: &Meta) -> Self {
        let authenticated = meta.authenticated.map_or(NEVER, millis);
        Self { authenticated, created: millis(meta.created) }
    }

    pub(super) fn order(self) -> Order {
        let authenticated = (self.authenticated != NEVER).then(|| time(self.authenticated));
        (authenticated, time(self.created))
    }

    pub(super) const fn authenticated(self) -> i64 {
        self.authenticated
    }

    pub(super) const fn created(self) -> i64 {
        self.created
    }
}

/// The position of a session in the index of principals.
pub(super) struct Place {
    age: Age,
    expires: i64,
    id: String,
}

impl Place {
    /// The position before the first session.
    pub(super) const START: Self = Self {
        age: Age { authenticated: i64::MIN, created: i64::MIN },
        expires: i64::MIN,
        id: String::new(),
    };

    /// Reads the columns `authenticated`, `created`, `expires` and `id`.
    pub(super) fn read(row: &Row<'_>, column: usize) -> Result<Self, Failure> {
        let age = Age { authenticated: row.get(column)?, created: row.get(column + 1)? };
        Ok(Self { age, expires: row.get(column + 2)?, id: row.get(column + 3)? })
    }

    /// Parses [`Place::cursor`].
    pub(super) fn of(cursor: &Cursor) -> Option<Self> {
        let mut parts = cursor.as_str().split('.');
        let mut number = || parts.next()?.parse().ok();
        let age = Age { authenticated: number()?, created: number()? };
        let expires = number()?;
        Some(Self { age, expires, id: parts.next()?.to_owned() })
    }

    pub(super) fn cursor(&self) -> Cursor {
        let Age { authenticated, created } = self.age;
        Cursor::new(format!("{authenticated}.{created}.{}.{}", self.expires, self.id))
    }

    pub(super) const fn age(&self) -> Age {
        self.age
    }

    pub(super) const fn expires(&self) -> i64 {
        self.expires
    }

    pub(super) fn text(&self) -> &str {
        &self.id
    }

    pub(super) fn id(&self) -> Result<SessionId, Failure> {
        self.id.parse().map_err(|_| Failure::corrupt("session id"))
    }
}
