//! What the same requests do to a session that is loaded and stored as a
//! whole, as in most session layers. It runs beside the real session with the
//! same timing, so that you can compare the results.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use session_runtime::{Session, SessionId};

use crate::session::Visitor;
use crate::texts::Locale;

/// The fields that the demo changes.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Whole {
    pub(super) locale: Locale,
    pub(super) items: u32,
    pub(super) clicks: u64,
}

impl Whole {
    pub(super) fn of(session: &Session<Visitor>) -> Self {
        Self { locale: session.locale(), items: session.items(), clicks: session.clicks() }
    }
}

/// One run: the values before it, and what a store of whole sessions makes of them.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) before: Whole,
    pub(super) whole: Whole,
}

/// When this many runs are stored, all are dropped, because some never finish.
const MOST: usize = 1_000;

/// A store that loads and saves a session as a whole.
#[derive(Clone, Default)]
pub(crate) struct Shadows(Arc<Mutex<HashMap<SessionId, Run>>>);

impl Shadows {
    fn all(&self) -> MutexGuard<'_, HashMap<SessionId, Run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, id: SessionId, before: Whole) {
        let mut all = self.all();
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(id, Run { before, whole: before });
    }

    pub(super) fn read(&self, id: SessionId) -> Option<Whole> {
        self.all().get(&id).map(|run| run.whole)
    }

    pub(super) fn write(&self, id: SessionId, whole: Whole) {
        if let Some(run) = self.all().get_mut(&id) {
            run.whole = whole;
        }
    }

    pub(super) fn finish(&self, id: SessionId) -> Option<Run> {
        self.all().remove(&id)
    }
}
