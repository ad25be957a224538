//! Where calls of a store wait until a test lets them go on.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// Holds calls of a [`FaultStore`](super::FaultStore) back until it is opened.
/// Clones are the same gate.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    /// One permit per call that has come and that nobody asked about.
    arrived: Semaphore,
    /// Closed once the gate is open: whoever waits for a permit goes on.
    waiting: Semaphore,
}

impl Gate {
    /// A gate that is shut.
    #[must_use]
    pub fn new() -> Self {
        let none = || Semaphore::new(0);
        Self(Arc::new(Inner { arrived: none(), waiting: none() }))
    }

    /// Waits until a call has come to the gate; each call counts once. It waits
    /// for ever if none comes.
    pub async fn reached(&self) {
        if let Ok(arrival) = self.0.arrived.acquire().await {
            arrival.forget();
        }
    }

    /// Lets every call pass, those that wait and those that come later.
    pub fn open(&self) {
        self.0.waiting.close();
    }

    pub(super) async fn pass(&self) {
        self.0.arrived.add_permits(1);
        // An error says that the gate is open.
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
