//! The task that removes what is due.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Inner;

/// Records in one statement: a few milliseconds.
const STEP: usize = 256;

/// Starts the sweeper. It ends when the sender is dropped, which the last
/// handle of the store does. Without a runtime nothing is started.
pub(super) fn start(store: &Arc<Inner>, every: Duration) -> oneshot::Sender<()> {
    let (alive, ended) = oneshot::channel();
    let store = Arc::downgrade(store);
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(run(store, every, ended))),
        Err(_) => tracing::error!("no tokio runtime: nobody sweeps expired sessions"),
    }
    alive
}

async fn run(store: Weak<Inner>, every: Duration, mut ended: oneshot::Receiver<()>) {
    loop {
        // Nodes that were started together drift apart.
        let pause = every.mul_f64(0.9) + crate::token::random_below(every.mul_f64(0.2));
        // Anything but the time being up is the end of the store.
        if tokio::time::timeout(pause, &mut ended).await.is_ok() {
            return;
        }
        loop {
            let Some(store) = store.upgrade() else { return };
            match store.sweep_step(STEP).await {
                Ok((swept, true)) if swept.more => {}
                Ok(_) => break,
                Err(error) => {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(%error, source, "sweeping expired sessions; trying again later");
                    break;
                }
            }
        }
    }
}
