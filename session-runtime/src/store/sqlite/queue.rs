//! The queue of a thread.

use std::io;
use std::sync::mpsc::Sender;
use std::sync::{PoisonError, RwLock};

use super::failure::Failure;
use crate::store::error::StoreErrorKind;

/// The queue of a thread, which can be closed.
pub(super) struct Queue<T>(RwLock<Option<Sender<T>>>);

impl<T> Queue<T> {
    pub(super) fn new(queue: Sender<T>) -> Self {
        Self(RwLock::new(Some(queue)))
    }

    /// Appends `item`. `thread` is what the thread does, for the error.
    pub(super) fn send(&self, item: T, thread: &str) -> Result<(), Failure> {
        match &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            Some(queue) => queue.send(item).map_err(|_| Failure::stopped(thread)),
            None => Err(Failure::closed()),
        }
    }

    /// Closes the queue: it accepts nothing more, but what it contains is still processed.
    pub(super) fn close(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

pub(super) fn no_thread(error: &io::Error) -> Failure {
    Failure::new(StoreErrorKind::Unavailable, format!("a thread cannot be started: {error}"))
}
