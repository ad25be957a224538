//! What the handles of one request have published but is not stored yet.

use std::time::Duration;

use super::conflict;
use super::op::PendingOp;
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::record::patch::{Add, Op};
use crate::ticket::LoginTicket;

/// Everything that is published but not stored.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// At most one per stored name.
    pub(crate) ops: Vec<PendingOp>,
    /// The principal authenticated.
    pub(crate) authenticated: bool,
    /// A new token was requested.
    pub(crate) renew: bool,
    /// How long the session is to be remembered.
    pub(crate) remember: Option<Duration>,
    /// The ticket that the sign-in of this request began with.
    pub(crate) ticket: Option<LoginTicket>,
    /// The external session that the sign-in of this request belongs to.
    pub(crate) external: Option<String>,
    /// The token is due for rotation.
    pub(crate) rotate: bool,
    /// The record must not have changed since it was read: a transaction.
    pub(crate) unchanged: bool,
    /// The first change that could not be published.
    pub(crate) failed: Option<Box<SessionError>>,
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        !self.rotate && !self.has_changes()
    }

    /// Whether a handle asked for any change.
    pub(crate) fn has_changes(&self) -> bool {
        !(self.ops.is_empty()
            && !self.authenticated
            && !self.renew
            && self.remember.is_none()
            && self.failed.is_none())
    }

    /// Whether this may sign in, sign out or authenticate.
    pub(crate) fn may_change_user(&self) -> bool {
        self.authenticated || self.ops.iter().any(|op| op.field.principal)
    }

    pub(crate) fn fail(&mut self, error: SessionError) {
        self.failed.get_or_insert_with(|| Box::new(error));
    }

    /// Adds changes that were published later.
    pub(crate) fn absorb(&mut self, newer: Self, now: Timestamp) {
        newer.ops.into_iter().for_each(|op| self.push(op, now));
        self.authenticated |= newer.authenticated;
        self.renew |= newer.renew;
        self.rotate |= newer.rotate;
        self.unchanged |= newer.unchanged;
        self.remember = newer.remember.or(self.remember);
        self.ticket = newer.ticket.or(self.ticket.take());
        self.external = newer.external.or(self.external.take());
        if let Some(error) = newer.failed {
            self.fail(*error);
        }
    }

    /// Adds an automatic change, unless the name has a requested one.
    pub(crate) fn push_if_free(&mut self, new: PendingOp) {
        if !self.ops.iter().any(|old| old.name() == new.name()) {
            self.ops.push(new);
        }
    }

    /// Adds a change. Of two on one field, the one made later wins, whatever the order of
    /// publishing; additions add up; a field with a policy is resolved by it.
    pub(crate) fn push(&mut self, new: PendingOp, now: Timestamp) {
        self.push_among(self.ops.len(), new, || now);
    }

    /// Like `push`, where only the first `others` may concern the same field.
    pub(crate) fn push_among(
        &mut self,
        others: usize,
        new: PendingOp,
        now: impl FnOnce() -> Timestamp,
    ) {
        let known = &mut self.ops[..others];
        let Some(old) = known.iter_mut().find(|old| old.name() == new.name()) else {
            self.ops.push(new);
            return;
        };
        let (later, earlier) = if new.seq >= old.seq { (&new, &*old) } else { (&*old, &new) };
        let made = later.made;
        let op = match (&earlier.op, &later.op) {
            (Op::Add(first), Op::Add(then)) => {
                Op::Add(Add { delta: first.delta.saturating_add(then.delta), ..*first })
            }
            (Op::Set(value), Op::Add(add)) => match add.sum(new.name(), Some(value)) {
                Ok(sum) => Op::set(sum.to_string()),
                Err(_) => later.op.clone(),
            },
            (Op::Remove, Op::Add(add)) => match add.sum(new.name(), None) {
                Ok(sum) => Op::set(sum.to_string()),
                Err(_) => later.op.clone(),
            },
            // The taken value was the one just set: no older stored value may come back.
            (Op::Set(_), Op::RemoveIf(_)) => Op::Remove,
            _ if new.minds_conflicts() => match conflict::combine(earlier, later, now()) {
                Ok(op) => op,
                Err(error) => return self.fail(error),
            },
            _ => later.op.clone(),
        };
        let (seq, first) = (later.seq, earlier.seq == old.seq);
        let base = if first { old.base.take() } else { new.base.clone() };
        *old = PendingOp { seq, op, base, made, ..new };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Json;
    use crate::schema::{Field, Schema, default};
    use crate::session::op::Made;

    static SCHEMA: Schema = Schema::new(&0, "Visitor", "", &[]);
    static VISITS: Field = Field::new("visits", "u64", Json::<u64>::CODEC, default::<u64>);

    fn push(ops: &[(u64, Op)]) -> Op {
        let mut pending = Pending::default();
        for (seq, op) in ops {
            let op = PendingOp {
                field: &VISITS,
                schema: &SCHEMA,
                seq: *seq,
                op: op.clone(),
                under: None,
                base: None,
                made: Made::Anew,
            };
            pending.push(op, Timestamp::default());
        }
        assert_eq!(pending.ops.len(), 1);
        pending.ops.remove(0).op
    }

    fn add(delta: i64) -> Op {
        Op::Add(Add::unsigned(delta, 0))
    }

    fn set(value: &str) -> Op {
        Op::set(value)
    }

    #[test]
    fn the_change_made_later_wins_whatever_the_order_of_publishing() {
        assert_eq!(push(&[(1, set("1")), (2, set("2"))]), set("2"));
        assert_eq!(push(&[(2, set("2")), (1, set("1"))]), set("2"));
        assert_eq!(push(&[(1, add(1)), (2, set("9"))]), set("9"));
    }

    #[test]
    fn additions_add_up_and_an_addition_after_a_set_is_a_set() {
        assert_eq!(push(&[(1, add(1)), (2, add(2))]), add(3));
        assert_eq!(push(&[(1, set("9")), (2, add(2))]), set("11"));
        assert_eq!(push(&[(2, add(2)), (1, set("9"))]), set("11"));
        assert_eq!(push(&[(1, Op::Remove), (2, add(2))]), set("2"));
    }
}
