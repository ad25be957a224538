//! A call: a connection, a deadline, and another try after what passes by
//! itself.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::Inner;
use super::failure::Failure;
use super::line::Line;
use crate::token::random_below;

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// What is done with a connection, more than once if need be. It ends its
/// transaction, or leaves it to be rolled back.
pub(super) trait Work: Send {
    type Answer: Send;

    /// One try.
    fn run(
        &mut self,
        line: &mut Line,
    ) -> impl Future<Output = Result<Self::Answer, Failure>> + Send;
}

impl Inner {
    /// Does `work` within the deadline of a call.
    pub(super) async fn perform<W: Work>(&self, work: &mut W) -> Result<W::Answer, Failure> {
        self.perform_by(Instant::now() + self.deadline, work).await
    }

    /// The same within what is left of the call.
    pub(super) async fn perform_by<W: Work>(
        &self,
        deadline: Instant,
        work: &mut W,
    ) -> Result<W::Answer, Failure> {
        let mut last = None;
        let mut bound = Duration::from_millis(2);
        loop {
            let failure = match timeout_at(deadline, self.attempt(work)).await {
                // What stood in the way says more than the time that it took.
                Err(_) => return Err(last.unwrap_or_else(Failure::late)),
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failure)) => failure,
            };
            if !failure.passing || Instant::now() >= deadline {
                return Err(failure);
            }
            tracing::debug!(%failure, "trying again");
            last = Some(failure);
            sleep(random_below(bound)).await;
            bound = (bound * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt<W: Work>(&self, work: &mut W) -> Result<W::Answer, Failure> {
        let mut line = Line::open(&self.pool, self.packet, self.deadline).await?;
        let result = work.run(&mut line).await;
        line.close(result.as_ref().err().is_none_or(|failure| failure.answered)).await;
        result
    }
}
