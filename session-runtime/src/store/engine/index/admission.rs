//! Whether a cap lets one more in, and who has to go.

use super::Order;
use crate::id::SessionId;
use crate::record::patch::{AtLimit, Cap};

/// So many sessions at most are ended by one sign-in, and looked at in one go: a cap
/// that is turned on later catches up with the sign-ins that follow.
pub(in crate::store) const STEP: usize = 500;

/// What is known of the other sessions of a principal while one signs in.
#[derive(Debug)]
pub(in crate::store) struct Admission {
    cap: Cap,
    /// Entries of the index that were not looked at: each may be a live session.
    unseen: usize,
    live: Vec<(Order, SessionId)>,
}

/// What follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Verdict {
    /// There is room once these have ended.
    Admitted(Vec<(Order, SessionId)>),
    /// There is none.
    Denied,
    /// So many of the oldest that were not seen have to be looked at.
    Look(usize),
}

impl Admission {
    /// Nothing is known but that there are at most so many others.
    pub(in crate::store) const fn new(cap: Cap, others: usize) -> Self {
        Self { cap, unseen: others, live: Vec::new() }
    }

    /// One of them was looked at: its order if it counts.
    pub(in crate::store) fn saw(&mut self, id: SessionId, counts: Option<Order>) {
        self.unseen = self.unseen.saturating_sub(1);
        self.live.extend(counts.map(|order| (order, id)));
    }

    /// So many that were not looked at are none.
    pub(in crate::store) const fn fewer(&mut self, by: usize) {
        self.unseen = self.unseen.saturating_sub(by);
    }

    pub(in crate::store) fn verdict(&mut self) -> Verdict {
        let max = self.cap.max.get() as usize;
        let known = self.live.len();
        if known + self.unseen < max {
            return Verdict::Admitted(Vec::new());
        }
        // Enough are live that one has to go whatever the rest are.
        let enough = match self.cap.at_limit {
            AtLimit::Reject => max,
            AtLimit::EvictOldest => max - 1 + STEP,
        };
        if self.unseen > 0 && known < enough {
            return Verdict::Look((enough - known).min(STEP).min(self.unseen));
        }
        if self.cap.at_limit == AtLimit::Reject {
            return Verdict::Denied;
        }
        self.live.sort_unstable();
        Verdict::Admitted(self.live.iter().take(known + 1 - max).copied().collect())
    }
}
