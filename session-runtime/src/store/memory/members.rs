//! The sessions of a principal who has had several.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::id::SessionId;
use crate::store::engine::index::Order;

/// Up to this many sessions are a list without ages; when sessions have to be looked at, all of
/// them are.
const FEW: usize = 32;

pub(super) enum Members {
    /// Ordered by id.
    Few(Vec<SessionId>),
    Many(Box<Many>),
}

impl Members {
    pub(super) fn both(one: SessionId, other: SessionId) -> Self {
        let mut both = vec![one, other];
        both.sort_unstable();
        Self::Few(both)
    }

    pub(super) fn add(
        &mut self,
        id: SessionId,
        order: Order,
        order_of: impl Fn(SessionId) -> Option<Order>,
    ) {
        match self {
            Self::Few(few) => {
                let Err(place) = few.binary_search(&id) else { return };
                if few.len() < FEW {
                    few.insert(place, id);
                    return;
                }
                let mut many = Many::default();
                for one in few.drain(..) {
                    // A session that is gone is about to be removed, and counts until then.
                    many.add(one, order_of(one).unwrap_or_default());
                }
                many.add(id, order);
                *self = Self::Many(Box::new(many));
            }
            Self::Many(many) => many.add(id, order),
        }
    }

    /// Removes a session; returns whether none is left.
    pub(super) fn remove(&mut self, id: SessionId) -> bool {
        match self {
            Self::Few(few) => {
                if let Ok(place) = few.binary_search(&id) {
                    few.remove(place);
                }
                few.is_empty()
            }
            Self::Many(many) => {
                many.remove(id);
                if many.orders.len() <= FEW / 2 {
                    *self = Self::Few(many.orders.keys().copied().collect());
                }
                false
            }
        }
    }

    pub(super) fn others(&self, id: SessionId) -> usize {
        match self {
            Self::Few(few) => few.len() - usize::from(few.binary_search(&id).is_ok()),
            Self::Many(many) => many.ages.len() - usize::from(many.counts(id)),
        }
    }

    pub(super) fn oldest(&self, after: Option<SessionId>, most: usize) -> Vec<SessionId> {
        match self {
            // The first page contained all of them.
            Self::Few(_) if after.is_some() => Vec::new(),
            Self::Few(few) => few.clone(),
            Self::Many(many) => many.oldest(after, most),
        }
    }

    /// Returns the first `limit` after `after`, by id, and whether there are more.
    pub(super) fn page(&self, after: Option<SessionId>, limit: usize) -> (Vec<SessionId>, bool) {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        match self {
            Self::Few(few) => {
                let rest = few.iter().copied().filter(|id| after.is_none_or(|it| *id > it));
                page(rest, limit)
            }
            Self::Many(many) => {
                page(many.orders.range((start, Bound::Unbounded)).map(|(id, _)| *id), limit)
            }
        }
    }
}

fn page(mut rest: impl Iterator<Item = SessionId>, limit: usize) -> (Vec<SessionId>, bool) {
    let page: Vec<_> = rest.by_ref().take(limit).collect();
    (page, rest.next().is_some())
}

/// Sessions ordered by id and by age.
#[derive(Default)]
pub(super) struct Many {
    orders: BTreeMap<SessionId, Order>,
    /// Those that may be live.
    ages: BTreeSet<(Order, SessionId)>,
}

impl Many {
    fn add(&mut self, id: SessionId, order: Order) {
        if let Some(before) = self.orders.insert(id, order) {
            self.ages.remove(&(before, id));
        }
        self.ages.insert((order, id));
    }

    fn remove(&mut self, id: SessionId) {
        if let Some(order) = self.orders.remove(&id) {
            self.ages.remove(&(order, id));
        }
    }

    pub(super) fn expired(&mut self, id: SessionId) {
        if let Some(order) = self.orders.get(&id) {
            self.ages.remove(&(*order, id));
        }
    }

    fn counts(&self, id: SessionId) -> bool {
        self.orders.get(&id).is_some_and(|order| self.ages.contains(&(*order, id)))
    }

    fn oldest(&self, after: Option<SessionId>, most: usize) -> Vec<SessionId> {
        let after = after.and_then(|id| self.orders.get(&id).map(|order| (*order, id)));
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.ages.range((start, Bound::Unbounded));
        rest.take(most).map(|(_, id)| *id).collect()
    }
}
