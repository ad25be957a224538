//! What the handles of one request have published and nobody has stored yet.

use std::fmt;
use std::time::Duration;

use crate::codec::NULL;
use crate::error::SessionError;
use crate::patch::{Add, FieldOp, Op};
use crate::schema::{Field, FieldKind};

/// One published change of one field.
#[derive(Clone)]
pub(crate) struct PendingOp {
    pub(crate) field: &'static Field,
    /// The namespace of the schema that it belongs to.
    pub(crate) namespace: &'static str,
    /// When the change was made, in the order of the request.
    pub(crate) seq: u64,
    pub(crate) op: Op,
    /// The stored name it is about, when that is not the field's own.
    pub(crate) alias: Option<&'static str>,
}

impl PendingOp {
    pub(crate) fn name(&self) -> &'static str {
        self.alias.unwrap_or(self.field.name)
    }

    /// Whether somebody asked for exactly this change, so that losing it makes
    /// a "done" a lie. Counters and flash are not worth a failed response.
    pub(crate) fn is_explicit(&self) -> bool {
        matches!(self.op, Op::Set(_) | Op::Remove) && self.field.kind != FieldKind::Flash
    }

    pub(crate) fn clears(&self) -> bool {
        match &self.op {
            Op::Set(value) => value == NULL,
            Op::Remove => true,
            _ => false,
        }
    }

    /// Whether it takes something away that a failed response must not give
    /// back.
    pub(crate) fn takes_privileges(&self) -> bool {
        (self.field.principal || self.field.renew) && self.clears()
    }

    pub(crate) fn field_op(&self) -> FieldOp {
        FieldOp::new(self.name(), self.op.clone())
    }
}

impl fmt::Debug for PendingOp {
    /// Without the value: it may be personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name(), self.op)
    }
}

/// All that is published and not stored.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// At most one per stored name.
    pub(crate) ops: Vec<PendingOp>,
    /// Somebody proved who they are.
    pub(crate) authenticated: bool,
    /// A new token was asked for.
    pub(crate) renew: bool,
    /// The session is to be remembered this long.
    pub(crate) remember: Option<Duration>,
    /// The first change that could not be published.
    pub(crate) failed: Option<SessionError>,
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.ops.is_empty()
            && !self.authenticated
            && !self.renew
            && self.remember.is_none()
            && self.failed.is_none()
    }

    pub(crate) fn fail(&mut self, error: SessionError) {
        self.failed.get_or_insert(error);
    }

    /// Adds what was published after this.
    pub(crate) fn absorb(&mut self, newer: Self) {
        newer.ops.into_iter().for_each(|op| self.push(op));
        self.authenticated |= newer.authenticated;
        self.renew |= newer.renew;
        self.remember = newer.remember.or(self.remember);
        if let Some(error) = newer.failed {
            self.fail(error);
        }
    }

    /// Adds a change. Of two on one field the one made later counts, whatever
    /// the order of publishing; additions add up.
    pub(crate) fn push(&mut self, new: PendingOp) {
        self.push_among(self.ops.len(), new);
    }

    /// As `push`, where only the first `others` may be about the same field.
    pub(crate) fn push_among(&mut self, others: usize, new: PendingOp) {
        let others = &mut self.ops[..others];
        let Some(old) = others.iter_mut().find(|old| old.name() == new.name()) else {
            self.ops.push(new);
            return;
        };
        let (later, earlier) = if new.seq >= old.seq { (&new, &*old) } else { (&*old, &new) };
        let op = match (&earlier.op, &later.op) {
            (Op::Add(first), Op::Add(then)) => {
                Op::Add(Add { delta: first.delta.saturating_add(then.delta), ..*first })
            }
            (Op::Set(value), Op::Add(add)) => match add.sum(new.name(), Some(value)) {
                Ok(sum) => Op::Set(sum.to_string().into_bytes()),
                Err(_) => later.op.clone(),
            },
            (Op::Remove, Op::Add(add)) => match add.sum(new.name(), None) {
                Ok(sum) => Op::Set(sum.to_string().into_bytes()),
                Err(_) => later.op.clone(),
            },
            // What was taken is what was set: nothing stored may come back.
            (Op::Set(_), Op::RemoveIf(_)) => Op::Remove,
            _ => later.op.clone(),
        };
        *old = PendingOp { seq: later.seq, op, ..new };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Json;
    use crate::schema::default;

    static VISITS: Field = Field::new("visits", "u64", Json::<u64>::CODEC, default::<u64>);

    fn push(ops: &[(u64, Op)]) -> Op {
        let mut pending = Pending::default();
        for (seq, op) in ops {
            pending.push(PendingOp {
                field: &VISITS,
                namespace: "",
                seq: *seq,
                op: op.clone(),
                alias: None,
            });
        }
        assert_eq!(pending.ops.len(), 1);
        pending.ops.remove(0).op
    }

    fn add(delta: i64) -> Op {
        Op::Add(Add::unsigned(delta, 0))
    }

    fn set(value: &str) -> Op {
        Op::Set(value.as_bytes().to_vec())
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
