//! Size limits of fields and records.

use crate::record::patch::{FieldOp, Op, Refused};
use crate::record::{Fields, shown};

/// Size limits of fields and records, in bytes.
///
/// The size of a field is that of its name and its JSON; the size of a record is the sum of its
/// fields. A write that would exceed a limit is refused with [`Refused::TooLarge`], in the same
/// atomic step, so concurrent writes cannot exceed it together. A field or record that is already
/// larger, because the limits were lowered, may shrink or keep its size.
///
/// # Default
///
/// 256 KiB a field, 1 MiB a record. A session is read with every request that uses it: data near
/// these sizes belongs in a database, and a client that can make a session grow must not fill the
/// store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest size of one field: its name and its JSON.
    pub field: usize,
    /// The largest size of a record: the sum of its fields.
    pub record: usize,
}

impl Limits {
    /// No limits.
    pub const NONE: Self = Self { field: usize::MAX, record: usize::MAX };
}

impl Default for Limits {
    fn default() -> Self {
        Self { field: 256 << 10, record: 1 << 20 }
    }
}

/// The size of one field before and after a change.
#[derive(Debug)]
struct Growth<'o> {
    name: &'o str,
    before: usize,
    after: usize,
}

impl<'o> Growth<'o> {
    fn new(name: &'o str, before: Option<usize>, after: Option<usize>) -> Self {
        let size = |value: Option<usize>| value.map_or(0, |value| name.len() + value);
        Self { name, before: size(before), after: size(after) }
    }
}

impl Limits {
    /// Checks that a new record fits.
    pub(super) fn check_new(&self, fields: &Fields) -> Result<(), Refused> {
        if fields.byte_len_at_most() <= self.field.min(self.record) {
            return Ok(());
        }
        let sizes = fields.iter().map(|(name, json)| Growth::new(name, None, Some(json.len())));
        let sizes: Vec<_> = sizes.collect();
        self.check(&sizes, || 0)
    }

    /// Checks that the record that `before` becomes under `ops` fits.
    pub(super) fn check_change(
        &self,
        before: &Fields,
        after: &Fields,
        ops: &[FieldOp],
    ) -> Result<(), Refused> {
        // Comparing two lengths is nearly always enough.
        if !may_grow(ops) || after.byte_len_at_most() <= self.field.min(self.record) {
            return Ok(());
        }
        let size = |fields: &Fields, name: &str| fields.get(name).map(<[u8]>::len);
        let change = |op: &'_ FieldOp| (size(before, &op.name), size(after, &op.name));
        let changes = ops.iter().map(|op| {
            let (before, after) = change(op);
            Growth::new(&op.name, before, after)
        });
        let changes: Vec<_> = changes.collect();
        self.check(&changes, || before.byte_len())
    }

    /// Checks that `changes`, each of a different field, fit into a record of `bytes` bytes.
    fn check(&self, changes: &[Growth<'_>], bytes: impl FnOnce() -> usize) -> Result<(), Refused> {
        let refused =
            |name: &str, limit| Err(Refused::TooLarge { field: shown(name).into_owned(), limit });
        let grown = |change: &&Growth<'_>| change.after > change.before;
        for change in changes.iter().filter(grown) {
            if change.after > self.field {
                return refused(change.name, self.field);
            }
        }
        let more: usize = changes.iter().map(|change| change.after).sum();
        let less: usize = changes.iter().map(|change| change.before).sum();
        let largest =
            changes.iter().max_by_key(|change| change.after.saturating_sub(change.before));
        match largest {
            Some(largest) if more > less && (bytes() + more).saturating_sub(less) > self.record => {
                refused(largest.name, self.record)
            }
            _ => Ok(()),
        }
    }
}

/// Whether any of them may make a record larger.
fn may_grow(ops: &[FieldOp]) -> bool {
    ops.iter().any(|op| matches!(op.op, Op::Set(_) | Op::Add(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &'static str, bytes: usize) -> FieldOp {
        FieldOp::new(name, Op::set(vec![b'1'; bytes]))
    }

    fn check(before: &Fields, ops: &[FieldOp]) -> Result<Fields, Refused> {
        let after = before.apply(ops)?.0;
        Limits { field: 10, record: 25 }.check_change(before, &after, ops).map(|()| after)
    }

    fn too_large(field: &str, limit: usize) -> Refused {
        Refused::TooLarge { field: field.to_owned(), limit }
    }

    #[test]
    fn a_limit_is_reached_and_not_exceeded_names_included() {
        let full = check(&Fields::new(), &[set("aa", 8), set("bb", 8), set("c", 4)]).unwrap();
        assert_eq!(full.byte_len(), 25);
        assert_eq!(check(&Fields::new(), &[set("aa", 9)]), Err(too_large("aa", 10)));
        assert_eq!(check(&full, &[set("c", 5)]), Err(too_large("c", 25)));
        assert_eq!(check(&full, &[set("d", 0)]), Err(too_large("d", 25)));
        assert!(check(&full, &[set("d", 3), FieldOp::new("c", Op::Remove)]).is_ok());
    }

    #[test]
    fn what_is_too_large_already_may_shrink_or_stay() {
        let large: Fields = [("a", "1".repeat(30)), ("b", "1".repeat(5))].into_iter().collect();
        for ops in [vec![set("a", 30)], vec![set("a", 29)], vec![set("a", 5), set("b", 8)]] {
            assert!(check(&large, &ops).is_ok(), "{ops:?}");
        }
        assert_eq!(check(&large, &[set("a", 31)]), Err(too_large("a", 10)));
        assert_eq!(check(&large, &[set("b", 6)]), Err(too_large("b", 25)));
        assert!(check(&large, &[FieldOp::new("b", Op::Remove)]).is_ok());
    }

    #[test]
    fn the_largest_growth_is_named() {
        let ops = [set("a", 3), set("b", 9), set("c", 8), set("d", 8)];
        assert_eq!(check(&Fields::new(), &ops), Err(too_large("b", 25)));
        assert!(Limits::NONE.check_new(&Fields::new()).is_ok());
    }
}
