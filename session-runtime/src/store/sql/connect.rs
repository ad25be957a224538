//! The settings shared by all SQL servers, and the checks when connecting.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection as _};
use tokio::time::timeout;

use super::line::Line;
use super::place::Place;
use super::server::Server;
use super::{Arg, Dialect, Fault, Store};
use crate::clock::{Clock, Timestamp};
use crate::id::SessionId;
use crate::store::engine::Failure;
use crate::store::error::StoreErrorKind;
use crate::store::limits::Limits;

/// The settings of every store on a SQL server.
#[derive(Clone, Debug)]
pub(in crate::store) struct Settings {
    pub(in crate::store) clock: Clock,
    pub(in crate::store) limits: Limits,
    /// How long a call may take.
    pub(in crate::store) deadline: Duration,
    pub(in crate::store) connections: u32,
    pub(in crate::store) migrate: bool,
    pub(in crate::store) sweep_interval: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            limits: Limits::default(),
            deadline: Duration::from_secs(2),
            connections: 10,
            migrate: true,
            sweep_interval: Some(Duration::from_secs(30)),
        }
    }
}

/// The first start may have to wait while another node creates the tables.
const MIGRATION: Duration = Duration::from_secs(30);

impl Settings {
    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// If one of them is invalid.
    pub(in crate::store) fn check(&self) -> Result<(), Failure> {
        let refuse = |text: &str| Err(Failure::config(text));
        if self.deadline.is_zero() {
            return refuse("deadline: greater than zero");
        }
        if self.connections == 0 {
            return refuse("connections: at least one");
        }
        if self.sweep_interval.is_some_and(|interval| interval.is_zero()) {
            return refuse("sweep_interval: greater than zero; `None` for never");
        }
        Ok(())
    }

    /// Connects once. A pool would retry until the deadline and hide the reason.
    pub(in crate::store) async fn probe<O: ConnectOptions>(
        &self,
        options: &O,
        fault: fn(sqlx::Error) -> Fault,
    ) -> Result<(), Failure>
    where
        O::Connection: Sized,
    {
        let failure = match timeout(self.deadline, options.connect()).await {
            Ok(Ok(probe)) => {
                let _ = probe.close().await;
                return Ok(());
            }
            Ok(Err(error)) => fault(error).failure(),
            Err(_) => Failure::new(StoreErrorKind::Timeout, "no answer within the deadline"),
        };
        Err(failure.during("connecting to the session database"))
    }

    /// Checks the tables, and the privileges on them.
    pub(in crate::store) async fn open<D: Dialect>(self, dialect: D) -> Result<Store<D>, Failure> {
        let server = Server::new(dialect, &self);
        let ready = async {
            server.prepare(self.migrate).await?;
            let mut line = Line::open(&server).await.map_err(Fault::failure)?;
            let rights = check_rights(&mut line).await;
            line.give_back().await;
            rights
        };
        match timeout(self.deadline.max(MIGRATION), ready).await {
            Ok(ready) => ready?,
            Err(_) => {
                let text = format!("{}: no answer within the deadline", D::NAME);
                let failure = Failure::new(StoreErrorKind::Timeout, text);
                return Err(failure.during("looking at the tables"));
            }
        }
        Ok(Store::new(server, self.sweep_interval))
    }
}

/// Checks that all statements of the store are allowed, in a transaction that is rolled back.
async fn check_rights<D: Dialect>(line: &mut Line<'_, D>) -> Result<(), Failure> {
    let sql = line.sql();
    let refused = |fault: Fault, what: &str, table: &str| match fault.failure() {
        failure if failure.kind == StoreErrorKind::Config => {
            failure.during(format_args!("the role may not {what} {table}"))
        }
        failure => failure.during("trying what the role may do"),
    };
    line.begin().await.map_err(|fault| refused(fault, "write to", &sql.session))?;
    let mut nobody = [0; 16];
    crate::token::random(&mut nobody)
        .map_err(|error| Failure::new(StoreErrorKind::Unavailable, error.to_string()))?;
    let id = SessionId::from_bytes(nobody);
    let place = Place::of(id, (None, Timestamp::default()));
    let (id, nobody) = (Arg::Text(&id.to_string()), Arg::Bytes(&nobody));
    let (none, zero) = (Arg::Bytes(b""), Arg::Int(0));
    let place = Arg::Bytes(place.as_bytes());
    let insert = [id, none, Arg::MaybeBytes(None), zero, zero, nobody, place];
    let tries: [(&str, &str, &str, &[Arg<'_>]); 7] = [
        ("INSERT INTO", &sql.session, &sql.insert, &insert),
        ("SELECT … FOR UPDATE FROM", &sql.session, &sql.lock, &[id]),
        ("UPDATE", &sql.session, &sql.disown, &[id]),
        ("DELETE FROM", &sql.session, &sql.delete, &[id]),
        ("INSERT INTO or UPDATE", &sql.revocation, &sql.mark, &[nobody, zero]),
        ("SELECT … FOR UPDATE FROM", &sql.revocation, &sql.old_marks, &[zero, Arg::Int(1)]),
        ("DELETE FROM", &sql.revocation, &sql.forget_batch, &[nobody; super::statements::BATCH]),
    ];
    for (what, table, statement, args) in tries {
        match line.run(statement, args).await {
            Ok(_) => {}
            // Not a matter of privileges, and it may be over before the first request.
            Err(Fault::Final(failure)) if failure.kind == StoreErrorKind::Full => {
                tracing::warn!(%failure, "the session database takes no writes");
                return Ok(());
            }
            Err(fault) => return Err(refused(fault, what, table)),
        }
    }
    Ok(())
}
