//! The connection of a call.

use super::server::Server;
use super::{Answer, Arg, Dialect, Fault, Scope, Sql};
use crate::clock::Timestamp;
use crate::store::engine::{Doubt, Failure};

/// A connection that is closed unless it is given back: after a call was abandoned, its answer or
/// its transaction may still be pending on it.
pub(super) struct Line<'s, D: Dialect> {
    server: &'s Server<D>,
    connection: Option<D::Connection>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It comes from the application's own pool, in an unknown state.
    Lent,
    /// No transaction is open.
    Idle,
    /// A transaction is open.
    Begun,
    /// A commit was sent and not answered.
    AtRisk,
}

impl<'s, D: Dialect> Line<'s, D> {
    pub(super) async fn open(server: &'s Server<D>) -> Result<Self, Fault> {
        let connection = Some(server.dialect.acquire().await?);
        let lent = server.dialect.sql().reset.is_some();
        let state = if lent { State::Lent } else { State::Idle };
        Ok(Self { server, connection, state })
    }

    pub(super) const fn server(&self) -> &'s Server<D> {
        self.server
    }

    pub(super) fn sql(&self) -> &'s Sql {
        self.server.dialect.sql()
    }

    /// Whether something was sent that may have been done.
    pub(super) fn doubt(&self) -> Doubt {
        if self.state == State::AtRisk { Doubt::MaybeDone } else { Doubt::None }
    }

    /// Runs a statement in the current transaction, or one that only reads.
    pub(super) async fn run(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<Answer, Fault> {
        if let (State::Lent, Some(reset)) = (self.state, &self.sql().reset) {
            self.say(reset).await?;
            self.state = State::Idle;
        }
        let begun = self.state == State::Begun;
        let scope = if begun { Scope::Transaction } else { Scope::Alone };
        self.send(scope, sql, args).await
    }

    /// Writes with one statement and commits; returns how many rows it wrote.
    pub(super) async fn write(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<u64, Fault> {
        if self.sql().reset.is_some() {
            // Only an explicit transaction determines how it runs, whatever the connection was set
            // to.
            self.begin().await?;
            let affected = self.run(sql, args).await?.affected;
            self.commit().await?;
            return Ok(affected);
        }
        self.state = State::AtRisk;
        let answer = self.send(Scope::Alone, sql, args).await;
        if !matches!(answer, Err(Fault::Broken(_))) {
            self.state = State::Idle;
        }
        answer.map(|answer| answer.affected)
    }

    pub(super) async fn begin(&mut self) -> Result<(), Fault> {
        let sql = self.sql();
        let state = std::mem::replace(&mut self.state, State::Begun);
        match (state, &sql.reset) {
            (State::Lent, Some(reset)) => self.say(&format!("{reset}; {}", sql.begin)).await,
            _ => self.say(&sql.begin).await,
        }
    }

    pub(super) async fn commit(&mut self) -> Result<(), Fault> {
        self.state = State::AtRisk;
        let done = self.say("COMMIT").await;
        if let Ok(()) | Err(Fault::Again(_)) = done {
            self.state = State::Idle;
        }
        done
    }

    pub(super) async fn roll_back(&mut self) -> Result<(), Fault> {
        self.say("ROLLBACK").await?;
        self.state = State::Idle;
        Ok(())
    }

    /// See [`Server::translated`].
    pub(super) fn translated(&self, local: Timestamp, now: Timestamp) -> Timestamp {
        self.server.translated(local, now)
    }

    /// Returns the time. Under a lock, it must be called after the lock was acquired.
    pub(super) async fn time(&mut self) -> Result<Timestamp, Fault> {
        if self.server.clock.is_frozen() {
            return Ok(self.server.clock.now());
        }
        let row = self.run(&self.sql().clock, &[]).await?.into_first();
        let mut row = row.ok_or_else(|| Failure::corrupt("the server returned no time"))?;
        Ok(row.time(0)?)
    }

    /// Gives the connection back, without an open transaction.
    pub(super) async fn give_back(mut self) {
        let is_idle = match self.state {
            State::Lent | State::Idle => true,
            State::Begun => self.roll_back().await.is_ok(),
            State::AtRisk => false,
        };
        if is_idle {
            drop(self.connection.take());
        }
    }

    async fn send(&mut self, scope: Scope, sql: &str, args: &[Arg<'_>]) -> Result<Answer, Fault> {
        let Some(connection) = &mut self.connection else { return Err(gone()) };
        self.server.dialect.run(connection, scope, sql, args).await
    }

    async fn say(&mut self, sql: &str) -> Result<(), Fault> {
        let Some(connection) = &mut self.connection else { return Err(gone()) };
        self.server.dialect.say(connection, sql).await
    }
}

fn gone() -> Fault {
    Fault::Broken(Failure::timeout("the connection was given back"))
}

impl<D: Dialect> Drop for Line<'_, D> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            D::close(connection);
        }
    }
}
