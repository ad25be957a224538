//! Reads and swaps with a deadline.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, timeout_at};

use super::contract::{CompareAndSwap, Put};
use crate::id::SessionId;
use crate::store::engine::Failure;
use crate::store::error::{StoreError, StoreErrorKind};

/// A value, and the version to expect when it is replaced.
pub(super) struct Found<V> {
    pub(super) value: Option<Vec<u8>>,
    pub(super) version: Option<V>,
}

/// The result of a swap.
pub(super) enum Swapped {
    Done,
    /// The key has another version.
    Moved,
    /// Its answer was lost.
    Unknown,
}

pub(super) fn session_key(id: SessionId) -> String {
    format!("s.{id}")
}

/// Returns the session that a key is about.
pub(super) fn session_of(key: &str) -> Option<SessionId> {
    key.strip_prefix("s.")?.parse().ok()
}

pub(super) async fn get<M: CompareAndSwap>(
    map: &M,
    key: &str,
    deadline: Instant,
) -> Result<Found<M::Version>, Failure> {
    match timeout_at(deadline, map.get(key)).await {
        Ok(Ok(Some((value, version)))) => Ok(Found { value: Some(value), version: Some(version) }),
        Ok(Ok(None)) => Ok(Found { value: None, version: None }),
        Ok(Err(error)) => Err(failure(&error)),
        Err(_) => Err(Failure::timeout("no answer until the deadline")),
    }
}

/// Swaps a value.
///
/// # Errors
///
/// If nothing was done.
pub(super) async fn swap<M: CompareAndSwap>(
    map: &M,
    key: &str,
    expected: Option<&M::Version>,
    put: Option<Put<'_>>,
    deadline: Instant,
) -> Result<Swapped, Failure> {
    match timeout_at(deadline, map.swap(key, expected, put)).await {
        Ok(Ok(true)) => Ok(Swapped::Done),
        Ok(Ok(false)) => Ok(Swapped::Moved),
        Ok(Err(error)) => match error.kind() {
            StoreErrorKind::Unavailable | StoreErrorKind::Timeout => Ok(Swapped::Unknown),
            _ => Err(failure(&error)),
        },
        Err(_) => Ok(Swapped::Unknown),
    }
}

fn failure(error: &StoreError) -> Failure {
    let source = std::error::Error::source(error).map(ToString::to_string);
    Failure::new(error.kind(), source.unwrap_or_else(|| error.to_string()))
}

/// How many requests are in flight at once.
const ABREAST: usize = 32;

/// Runs all requests; returns their answers in order.
pub(super) fn abreast<F: Future>(requests: impl IntoIterator<Item = F>) -> Abreast<F> {
    let mut waiting: Vec<_> = requests.into_iter().map(|it| Slot::Waiting(Box::pin(it))).collect();
    waiting.reverse();
    Abreast { waiting, running: Vec::new(), answers: Vec::new() }
}

pub(super) struct Abreast<F: Future> {
    /// In reverse order: the next one is last.
    waiting: Vec<Slot<F>>,
    running: Vec<Slot<F>>,
    answers: Vec<F::Output>,
}

enum Slot<F: Future> {
    Waiting(Pin<Box<F>>),
    Answered(F::Output),
}

// The requests are pinned in their own boxes.
impl<F: Future> Unpin for Abreast<F> {}

impl<F: Future> Future for Abreast<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut left = 0;
            for slot in &mut self.running {
                if let Slot::Waiting(request) = slot {
                    match request.as_mut().poll(context) {
                        Poll::Ready(answer) => *slot = Slot::Answered(answer),
                        Poll::Pending => left += 1,
                    }
                }
            }
            if left > 0 {
                return Poll::Pending;
            }
            let done = std::mem::take(&mut self.running);
            self.answers.extend(done.into_iter().filter_map(|slot| match slot {
                Slot::Answered(answer) => Some(answer),
                Slot::Waiting(_) => None,
            }));
            let rest = self.waiting.len().saturating_sub(ABREAST);
            self.running = self.waiting.split_off(rest);
            self.running.reverse();
            if self.running.is_empty() {
                return Poll::Ready(std::mem::take(&mut self.answers));
            }
        }
    }
}
