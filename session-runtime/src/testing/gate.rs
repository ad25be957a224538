//! A gate at which calls of a store wait until a test opens it.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// Holds back calls of a [`FaultStore`](super::FaultStore) until it is opened. Clones share one
/// gate.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    /// One permit per call that has arrived and was not waited for yet.
    arrived: Semaphore,
    /// Closed once the gate is open, which lets every waiting call go on.
    waiting: Semaphore,
}

impl Gate {
    /// Returns a closed gate.
    #[must_use]
    pub fn new() -> Self {
        let none = || Semaphore::new(0);
        Self(Arc::new(Inner { arrived: none(), waiting: none() }))
    }

    /// Waits until a call has arrived at the gate; each call counts once. Waits forever if none
    /// comes.
    pub async fn reached(&self) {
        if let Ok(arrival) = self.0.arrived.acquire().await {
            arrival.forget();
        }
    }

    /// Lets every call pass, waiting and future ones.
    pub fn open(&self) {
        self.0.waiting.close();
    }

    pub(super) async fn pass(&self) {
        self.0.arrived.add_permits(1);
        // An error means that the gate is open.
        let _ = self.0.waiting.acquire().await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.waiting.is_closed() { "Gate(open)" } else { "Gate(shut)" })
    }
}
