//! The interface to a kind of server.

use std::future::Future;

use super::Sql;
use crate::clock::Timestamp;
use crate::record::form::{DoesNotFit, InvalidForm};
use crate::store::engine::Failure;

/// A kind of server, and the connections to one.
pub(in crate::store) trait Dialect: Send + Sync + 'static {
    type Connection: Send;

    /// The prefix of messages about it.
    const NAME: &'static str;

    fn sql(&self) -> &Sql;

    /// Takes a connection, which returns to its pool when it is dropped.
    fn acquire(&self) -> impl Future<Output = Result<Self::Connection, Fault>> + Send;

    /// Runs one statement with these arguments, in order.
    fn run(
        &self,
        connection: &mut Self::Connection,
        scope: Scope,
        sql: &str,
        args: &[Arg<'_>],
    ) -> impl Future<Output = Result<Answer, Fault>> + Send;

    /// Runs statements without arguments and answers, as one message.
    fn say(
        &self,
        connection: &mut Self::Connection,
        sql: &str,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Closes a connection, on which answers may still be pending.
    fn close(connection: Self::Connection);

    /// Checks that the tables exist, and creates them if `may_make` allows it.
    ///
    /// # Errors
    ///
    /// If they do not exist, or are something else.
    fn prepare(
        &self,
        connection: &mut Self::Connection,
        may_make: bool,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// What a statement runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Scope {
    /// A transaction of its own.
    Alone,
    /// The transaction that was begun.
    Transaction,
}

/// The value of a parameter.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) enum Arg<'a> {
    Int(i64),
    MaybeInt(Option<i64>),
    Text(&'a str),
    Bytes(&'a [u8]),
    MaybeBytes(Option<&'a [u8]>),
}

impl From<Timestamp> for Arg<'_> {
    fn from(time: Timestamp) -> Self {
        Self::Int(millis(time))
    }
}

/// Returns a time as it is stored. All times after the year 292 million are the same.
pub(super) fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// The result of a statement.
#[derive(Debug, Default)]
pub(in crate::store) struct Answer {
    pub(in crate::store) rows: Vec<Row>,
    /// How many rows it wrote.
    pub(in crate::store) affected: u64,
}

/// A row of an answer. Each of its cells is read at most once.
#[derive(Debug)]
pub(in crate::store) struct Row(pub(in crate::store) Vec<Cell>);

#[derive(Debug, Default)]
pub(in crate::store) enum Cell {
    #[default]
    Null,
    Int(i64),
    /// MySQL sends bytes instead.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code))]
    Text(String),
    Bytes(Vec<u8>),
}

impl Answer {
    pub(super) fn into_first(self) -> Option<Row> {
        self.rows.into_iter().next()
    }
}

impl Row {
    fn take(&mut self, column: usize) -> Cell {
        self.0.get_mut(column).map(std::mem::take).unwrap_or_default()
    }

    fn maybe_int(&mut self, column: usize) -> Result<Option<i64>, Failure> {
        match self.take(column) {
            Cell::Null => Ok(None),
            Cell::Int(number) => Ok(Some(number)),
            _ => Err(Failure::corrupt("a column is not the number that this store writes")),
        }
    }

    pub(super) fn int(&mut self, column: usize) -> Result<i64, Failure> {
        let none = || Failure::corrupt("a column has not the number that this store writes");
        self.maybe_int(column)?.ok_or_else(none)
    }

    pub(super) fn maybe_time(&mut self, column: usize) -> Result<Option<Timestamp>, Failure> {
        let time = |millis| Timestamp::from_millis(u64::try_from(millis).unwrap_or(0));
        Ok(self.maybe_int(column)?.map(time))
    }

    pub(super) fn time(&mut self, column: usize) -> Result<Timestamp, Failure> {
        let none = || Failure::corrupt("a column has not the time that this store writes");
        self.maybe_time(column)?.ok_or_else(none)
    }

    pub(super) fn text(&mut self, column: usize) -> Result<String, Failure> {
        let not_ours = || Failure::corrupt("a column is not the text that this store writes");
        match self.take(column) {
            Cell::Text(text) => Ok(text),
            Cell::Bytes(bytes) => String::from_utf8(bytes).map_err(|_| not_ours()),
            _ => Err(not_ours()),
        }
    }

    pub(super) fn bytes(&mut self, column: usize) -> Result<Vec<u8>, Failure> {
        let none = || Failure::corrupt("a column has not the bytes that this store writes");
        self.maybe_bytes(column)?.ok_or_else(none)
    }

    pub(super) fn maybe_bytes(&mut self, column: usize) -> Result<Option<Vec<u8>>, Failure> {
        match self.take(column) {
            Cell::Null => Ok(None),
            Cell::Bytes(bytes) => Ok(Some(bytes)),
            _ => Err(Failure::corrupt("a column has not the bytes that this store writes")),
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(in crate::store) enum Fault {
    /// Nothing was written, and a retry may succeed.
    Again(Failure),
    /// The connection was lost. What was sent may have been done.
    Broken(Failure),
    /// Nothing was written, and a retry would fail in the same way.
    Final(Failure),
}

impl Fault {
    pub(in crate::store) fn failure(self) -> Failure {
        match self {
            Self::Again(failure) | Self::Broken(failure) | Self::Final(failure) => failure,
        }
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Final(failure)
    }
}

impl From<InvalidForm> for Fault {
    fn from(invalid: InvalidForm) -> Self {
        Self::Final(invalid.into())
    }
}

impl From<DoesNotFit> for Fault {
    fn from(error: DoesNotFit) -> Self {
        Self::Final(error.into())
    }
}
