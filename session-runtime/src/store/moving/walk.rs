//! Moving all that is left.

use std::fmt;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::MovingStore;
use super::carry::Carried;
use crate::store::{SessionStore, StoreError, StoreErrorKind};

/// How many sessions are read at once, and how many of them move at once.
const PAGE: usize = 256;
const AT_ONCE: usize = 16;

/// How often the old store is walked through: nodes that hold may still store
/// new sessions in it.
const WALKS: usize = 10;

/// How far a move of all sessions has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MoveProgress {
    /// How many were live in the old store at the beginning.
    pub total: u64,
    /// How many have been moved, by whomever, or have ended.
    pub done: u64,
    /// How many stay in the old store: they do not fit into the new one.
    pub too_large: u64,
}

impl fmt::Display for MoveProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} sessions moved", self.done, self.total.max(self.done))?;
        if self.too_large > 0 {
            write!(f, ", {} too large for the new store", self.too_large)?;
        }
        Ok(())
    }
}

impl<F: SessionStore, T: SessionStore> MovingStore<F, T> {
    /// Moves every session that is left in the old store, a few at a time, and
    /// tells `progress` after each page of 256.
    ///
    /// It may be stopped and started again, also by another process, and runs
    /// beside all the traffic. It ends when the old store has no sessions but
    /// those that are too large for the new one.
    ///
    /// # Errors
    ///
    /// The first error of either store; what was moved stays moved.
    /// [`StoreErrorKind::Config`] if this store [holds](Self::hold), and
    /// [`StoreErrorKind::Unsupported`] if the old one cannot be walked through.
    pub async fn move_all(
        &self,
        mut progress: impl FnMut(MoveProgress) + Send,
    ) -> Result<MoveProgress, StoreError> {
        if !self.0.moves() {
            let text = "a store that holds moves nothing: use `MovingStore::new`";
            return Err(StoreError::because(StoreErrorKind::Config, text));
        }
        // Its limits may have been raised.
        self.0.pair.refused.forget();
        let from = self.from();
        let mut state = MoveProgress { total: from.count().await?, ..MoveProgress::default() };
        for _ in 0..WALKS {
            let (mut cursor, before) = (None, state.done);
            state.too_large = 0;
            loop {
                let page = from.scan(cursor.as_ref(), PAGE).await?;
                let mut running = JoinSet::new();
                for record in page.records {
                    if running.len() >= AT_ONCE {
                        state.note(running.join_next().await)?;
                    }
                    let inner = Arc::clone(&self.0);
                    running.spawn(async move { inner.pair.carry(record).await });
                }
                while !running.is_empty() {
                    state.note(running.join_next().await)?;
                }
                progress(state);
                match page.next {
                    None => break,
                    next => cursor = next,
                }
            }
            if state.done == before {
                break;
            }
        }
        Ok(state)
    }
}

type Joined = Option<Result<Result<Carried, StoreError>, tokio::task::JoinError>>;

impl MoveProgress {
    fn note(&mut self, joined: Joined) -> Result<(), StoreError> {
        match joined {
            None => {}
            Some(Ok(Ok(Carried::Done))) => self.done += 1,
            Some(Ok(Ok(Carried::Stays(_)))) => self.too_large += 1,
            Some(Ok(Ok(Carried::Left(error)) | Err(error))) => return Err(error),
            Some(Err(error)) => {
                return Err(StoreError::because(StoreErrorKind::Unavailable, error));
            }
        }
        Ok(())
    }
}
