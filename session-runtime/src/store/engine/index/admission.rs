//! Deciding whether a cap allows another session, and which sessions have to end.

use super::Order;
use crate::id::SessionId;
use crate::record::patch::{AtLimit, Cap};

/// How many sessions one sign-in ends or looks at in one step, at most: if a cap is introduced
/// later, the following sign-ins enforce it gradually.
pub(in crate::store) const STEP: usize = 500;

/// What is known about the other sessions of a principal during a sign-in.
#[derive(Debug)]
pub(in crate::store) struct Admission {
    cap: Cap,
    /// Entries of the index that were not looked at: each may be a live session.
    unseen: usize,
    live: Vec<(Order, SessionId)>,
}

/// The decision so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Verdict {
    /// There is room once these have ended.
    Admitted(Vec<(Order, SessionId)>),
    /// There is no room.
    Denied,
    /// This many of the oldest unseen sessions have to be looked at.
    Look(usize),
}

impl Admission {
    /// Starts with an upper bound of the number of other sessions.
    pub(in crate::store) const fn new(cap: Cap, others: usize) -> Self {
        Self { cap, unseen: others, live: Vec::new() }
    }

    /// Records that one of them was looked at: its order if it counts.
    pub(in crate::store) fn saw(&mut self, id: SessionId, counts: Option<Order>) {
        self.unseen = self.unseen.saturating_sub(1);
        self.live.extend(counts.map(|order| (order, id)));
    }

    /// Records that `by` of the unseen entries do not exist.
    pub(in crate::store) const fn fewer(&mut self, by: usize) {
        self.unseen = self.unseen.saturating_sub(by);
    }

    pub(in crate::store) fn verdict(&mut self) -> Verdict {
        let max = self.cap.max.get() as usize;
        let known = self.live.len();
        if known + self.unseen < max {
            return Verdict::Admitted(Vec::new());
        }
        // So many are live that one has to end, whatever the others are.
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
