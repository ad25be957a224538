//! A connection and its statements.

use std::ops::Deref;

use rusqlite::{CachedStatement, Connection};

use super::failure::Failure;
use super::sql::Sql;

/// A connection to the file.
pub(super) struct Db {
    connection: Connection,
    pub(super) sql: Sql,
}

impl Db {
    pub(super) const fn new(connection: Connection, sql: Sql) -> Self {
        Self { connection, sql }
    }

    /// Returns a statement, which is compiled once per connection.
    pub(super) fn prepare(&self, sql: &str) -> Result<CachedStatement<'_>, Failure> {
        Ok(self.connection.prepare_cached(sql)?)
    }

    /// Runs a statement without parameters or rows.
    pub(super) fn run(&self, sql: &str) -> Result<(), Failure> {
        self.prepare(sql)?.execute([])?;
        Ok(())
    }

    pub(super) fn into_connection(self) -> Connection {
        self.connection
    }
}

impl Deref for Db {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}
