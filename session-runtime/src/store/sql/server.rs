//! A call: a connection, a deadline, and another try after what passes by itself.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::line::Line;
use super::{Arg, Dialect, Fault, Settings};
use crate::clock::{Clock, Timestamp, deadline_after};
use crate::store::engine::{Doubt, Failure, Pause};
use crate::store::error::StoreErrorKind;
use crate::store::limits::Limits;

/// The way to a server.
pub(in crate::store) struct Server<D> {
    pub(super) dialect: D,
    pub(super) clock: Clock,
    pub(super) limits: Limits,
    /// How long a call may take.
    pub(super) patience: Duration,
}

/// What is done with a connection, more than once if need be. It ends its transaction,
/// or leaves it to be rolled back.
pub(super) trait Work<D: Dialect>: Send {
    type Answer: Send;

    /// One try. With it, whether an earlier one may have been done.
    fn run(
        &mut self,
        line: &mut Line<'_, D>,
        doubt: Doubt,
    ) -> impl Future<Output = Result<Self::Answer, Fault>> + Send;
}

impl<D: Dialect> Server<D> {
    pub(super) fn new(dialect: D, settings: &Settings) -> Self {
        let (clock, limits) = (settings.clock.clone(), settings.limits);
        Self { dialect, clock, limits, patience: settings.deadline }
    }

    /// Checks that the tables are there, and makes them if it may.
    ///
    /// # Errors
    ///
    /// If they are not, or are something else.
    pub(in crate::store) async fn prepare(&self, may_make: bool) -> Result<(), Failure> {
        let connecting = |fault: Fault| fault.failure().during("connecting to the database");
        let mut connection = self.dialect.acquire().await.map_err(connecting)?;
        if let Some(reset) = &self.dialect.sql().reset {
            self.dialect.say(&mut connection, reset).await.map_err(connecting)?;
        }
        let prepared = self.dialect.prepare(&mut connection, may_make).await;
        if prepared.is_err() {
            // A transaction that has failed may be open on it.
            D::close(connection);
        }
        prepared
    }

    /// When a call that begins now has to end.
    pub(super) fn deadline(&self) -> Instant {
        deadline_after(self.patience)
    }

    /// What the server's clock showed when that of this node showed `local`; `now` is what
    /// it has just shown.
    pub(super) fn translated(&self, local: Timestamp, now: Timestamp) -> Timestamp {
        let here = self.clock.now().as_millis();
        let there = local.as_millis().saturating_add(now.as_millis());
        Timestamp::from_millis(there.saturating_sub(here))
    }

    /// The time for a statement that otherwise asks the server's clock.
    pub(super) fn frozen(&self) -> Arg<'static> {
        Arg::MaybeInt(self.clock.is_frozen().then(|| super::dialect::millis(self.clock.now())))
    }

    /// Does `work` within the deadline of a call.
    pub(super) async fn perform<W: Work<D>>(&self, work: &mut W) -> Result<W::Answer, Failure> {
        self.perform_by(self.deadline(), work).await
    }

    /// The same by this deadline.
    pub(super) async fn perform_by<W: Work<D>>(
        &self,
        deadline: Instant,
        work: &mut W,
    ) -> Result<W::Answer, Failure> {
        let mut pause = Pause::until(deadline);
        let mut doubt = Doubt::None;
        loop {
            let failure = match self.attempt(deadline, work, doubt).await {
                Ok(answer) => return Ok(answer),
                Err((fault, Doubt::MaybeDone)) => {
                    doubt = Doubt::MaybeDone;
                    fault.failure()
                }
                Err((Fault::Final(failure), Doubt::None)) => return Err(failure.in_doubt(doubt)),
                Err((fault, Doubt::None)) => fault.failure(),
            };
            if pause.again().await.is_err() {
                return Err(failure.in_doubt(doubt));
            }
            tracing::debug!(%failure, "trying again");
        }
    }

    /// One try. If it fails, whether it may have been done.
    async fn attempt<W: Work<D>>(
        &self,
        deadline: Instant,
        work: &mut W,
        doubt: Doubt,
    ) -> Result<W::Answer, (Fault, Doubt)> {
        let line = timeout_at(deadline, Line::open(self)).await;
        let line = line.unwrap_or_else(|_| Err(Fault::Final(late::<D>("no connection"))));
        let mut line = line.map_err(|fault| (fault, Doubt::None))?;
        let done = timeout_at(deadline, work.run(&mut line, doubt)).await;
        let done = done.unwrap_or_else(|_| Err(Fault::Broken(late::<D>("no answer"))));
        let doubt = line.doubt();
        if !matches!(done, Err(Fault::Broken(_))) {
            // Who is too late for that closes it.
            let _ = timeout_at(deadline, line.give_back()).await;
        }
        done.map_err(|fault| (fault, doubt))
    }
}

fn late<D: Dialect>(what: &str) -> Failure {
    let text = format!("{}: {what} within the deadline", D::NAME);
    Failure::new(StoreErrorKind::Timeout, text)
}
