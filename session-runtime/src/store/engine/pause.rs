//! Retries until a deadline.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Failure;
use crate::token::random_below;

/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_millis(50);

/// Random pauses that grow with every try, so that writers in several processes do not keep
/// colliding.
pub(in crate::store) struct Pause {
    deadline: Instant,
    tries: u32,
}

impl Pause {
    pub(in crate::store) const fn until(deadline: Instant) -> Self {
        Self { deadline, tries: 0 }
    }

    /// Waits before the next try. The first retry is immediate.
    ///
    /// # Errors
    ///
    /// If the deadline has passed.
    pub(in crate::store) async fn again(&mut self) -> Result<(), Failure> {
        if self.tries > 0 {
            let bound = Duration::from_millis(1 << self.tries.min(6)).min(LONGEST);
            sleep(random_below(bound)).await;
        }
        self.tries += 1;
        if Instant::now() >= self.deadline {
            return Err(Failure::timeout("others kept changing the session until the deadline"));
        }
        Ok(())
    }
}
