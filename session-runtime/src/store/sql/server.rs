//! A call: a connection, a deadline, and retries after temporary failures.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::line::Line;
use super::{Arg, Dialect, Fault, Settings};
use crate::clock::{Clock, Timestamp, deadline_after};
use crate::store::engine::{Doubt, Failure, Pause};
use crate::store::error::StoreErrorKind;
use crate::store::limits::Limits;

/// A server and its settings.
pub(in crate::store) struct Server<D> {
    pub(super) dialect: D,
    pub(super) clock: Clock,
    pub(super) limits: Limits,
    /// How long a call may take.
    pub(super) patience: Duration,
}

/// The work of a call, which may be tried more than once. It ends its transaction, or leaves it to
/// be rolled back.
pub(super) trait Work<D: Dialect>: Send {
    type Answer: Send;

    /// Makes one try. `doubt` is whether an earlier one may have been done.
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

    /// Checks that the tables exist, and creates them if `may_make` allows it.
    ///
    /// # Errors
    ///
    /// If they do not exist, or are something else.
    pub(in crate::store) async fn prepare(&self, may_make: bool) -> Result<(), Failure> {
        let connecting = |fault: Fault| fault.failure().during("connecting to the database");
        let mut connection = self.dialect.acquire().await.map_err(connecting)?;
        if let Some(reset) = &self.dialect.sql().reset {
            self.dialect.say(&mut connection, reset).await.map_err(connecting)?;
        }
        let prepared = self.dialect.prepare(&mut connection, may_make).await;
        if prepared.is_err() {
            // A failed transaction may be open on it.
            D::close(connection);
        }
        prepared
    }

    /// Returns the deadline of a call that begins now.
    pub(super) fn deadline(&self) -> Instant {
        deadline_after(self.patience)
    }

    /// Returns the time on the server's clock when this node's clock showed `local`; `now` is the
    /// server's current time.
    pub(super) fn translated(&self, local: Timestamp, now: Timestamp) -> Timestamp {
        let here = self.clock.now().as_millis();
        let there = local.as_millis().saturating_add(now.as_millis());
        Timestamp::from_millis(there.saturating_sub(here))
    }

    /// Returns the time for a statement that otherwise uses the server's clock.
    pub(super) fn frozen(&self) -> Arg<'static> {
        Arg::MaybeInt(self.clock.is_frozen().then(|| super::dialect::millis(self.clock.now())))
    }

    /// Does `work` within the deadline of a call.
    pub(super) async fn perform<W: Work<D>>(&self, work: &mut W) -> Result<W::Answer, Failure> {
        self.perform_by(self.deadline(), work).await
    }

    /// Same with this deadline.
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

    /// Makes one try. If it fails, also returns whether it may have been done.
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
            // If that takes too long, the connection is closed.
            let _ = timeout_at(deadline, line.give_back()).await;
        }
        done.map_err(|fault| (fault, doubt))
    }
}

fn late<D: Dialect>(what: &str) -> Failure {
    let text = format!("{}: {what} within the deadline", D::NAME);
    Failure::new(StoreErrorKind::Timeout, text)
}
