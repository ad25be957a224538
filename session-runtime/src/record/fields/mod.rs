//! The fields of a record (stored name → JSON bytes) in compact shared blocks.
//!
//! There are two immutable blocks: a *base* with all fields, and an *overlay* with the changes
//! since. A small change builds a small overlay and shares the base, so its cost does not grow with
//! the record. When the overlay exceeds a fraction of the base, both are merged into a new base.

mod block;

use std::borrow::Cow;
use std::fmt;

use self::block::{Block, Entry, Merged};
use super::name::shown;
use crate::record::patch::{FieldOp, Op, Refused, Taken};

/// An overlay is merged into the base when it is larger than this many bytes and than a quarter of
/// the base: small records stay in one block, large ones are rewritten rarely.
const MERGE_BYTES: usize = 128;

/// Up to this many changes need no allocation.
const FEW: usize = 8;

/// A field and its new value; `None` if it is removed.
pub(crate) type Change<'c> = (&'c str, Option<Cow<'c, [u8]>>);

/// The stored fields of a record. Cloning shares the bytes.
#[derive(Clone, Default)]
pub struct Fields {
    base: Option<Block>,
    overlay: Option<Block>,
}

impl Fields {
    /// No fields.
    #[must_use]
    pub const fn new() -> Self {
        Self { base: None, overlay: None }
    }

    /// Returns the JSON stored under `name`, exactly as it was written.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        if let Some(found) = self.overlay.as_ref().and_then(|block| block.get(name)) {
            return found;
        }
        self.base.as_ref().and_then(|block| block.get(name)).flatten()
    }

    /// Returns all fields as (stored name, JSON), ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        Merged::new(self.base.as_ref(), self.overlay.as_ref())
            .filter_map(|(name, value)| Some((name, value?)))
    }

    /// Returns the number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are no fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Whether nothing is stored here, not even a removal. Takes constant time.
    pub(crate) const fn has_no_block(&self) -> bool {
        self.base.is_none() && self.overlay.is_none()
    }

    /// Returns the size of names and values in bytes, without overhead.
    #[must_use]
    #[doc(hidden)]
    pub fn byte_len(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Returns an upper bound of [`byte_len`](Self::byte_len) in constant time.
    pub(crate) fn byte_len_at_most(&self) -> usize {
        [&self.base, &self.overlay].into_iter().flatten().map(Block::byte_len).sum()
    }

    /// Whether both share the same base.
    pub(crate) fn shares_base_with(&self, other: &Self) -> bool {
        matches!((&self.base, &other.base), (Some(ours), Some(theirs)) if ours.is(theirs))
    }

    /// Returns the changes to the base, one entry per field; `None` if it is removed.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.overlay.iter().flat_map(Block::iter)
    }

    /// Returns these fields, which must have no overlay, with `changes` over them, each of a
    /// different field.
    pub(crate) fn changed_by(self, mut changes: Vec<Change<'_>>) -> Self {
        changes.sort_by_key(|(name, _)| *name);
        let overlay = changes.iter().map(|(name, value)| (*name, value.as_deref()));
        match self.base {
            None => Self { base: Block::build(overlay, false), overlay: None },
            base => Self { base, overlay: Block::build(overlay, true) },
        }
    }

    /// Applies `ops` to these fields; the reference for every store.
    ///
    /// All operations are checked before anything is built; a refusal leaves no trace. Names are
    /// expected to be distinct; of two operations on one name, the later one takes effect.
    ///
    /// # Errors
    ///
    /// [`Refused`] names the first field whose operation does not fit the stored value.
    #[doc(hidden)]
    pub fn apply(&self, ops: &[FieldOp]) -> Result<(Self, Vec<Taken>), Refused> {
        self.apply_all(ops.iter().map(|op| (&*op.name, &op.op)))
    }

    /// Same as `apply`, for operations from any source.
    pub(crate) fn apply_all<'o>(
        &self,
        ops: impl ExactSizeIterator<Item = (&'o str, &'o Op)> + Clone,
    ) -> Result<(Self, Vec<Taken>), Refused> {
        let mut taken = Vec::new();
        let mut sums: Vec<String> = Vec::new();
        for (name, op) in ops.clone() {
            if let Op::Add(add) = op {
                sums.push(add.sum(name, self.get(name))?.to_string());
            }
        }
        let mut sums = sums.iter();
        let (mut few, mut many) = ([("", None); FEW], Vec::new());
        let changes = if ops.len() <= FEW {
            &mut few[..]
        } else {
            many.resize(ops.len(), ("", None));
            &mut many[..]
        };
        let mut count = 0;
        for (name, op) in ops {
            let value = match op {
                Op::Set(value) => Some(&**value),
                Op::Remove => None,
                Op::RemoveIf(expected) if self.get(name) == Some(expected) => None,
                Op::RemoveIf(_) => continue,
                Op::Add(_) => sums.next().map(|sum| sum.as_bytes()),
                Op::Take => {
                    let value = self.get(name).map(<[u8]>::to_vec);
                    taken.push(Taken { name: name.to_owned().into(), value });
                    None
                }
            };
            changes[count] = (name, value);
            count += 1;
        }
        Ok((self.with(&mut changes[..count]), taken))
    }

    fn with(&self, changes: &mut [Entry<'_>]) -> Self {
        if changes.is_empty() {
            return self.clone();
        }
        // Of two changes of one field, the later one takes effect.
        changes.sort_by_key(|(name, _)| *name);
        let changes = || {
            let by_name = changes.chunk_by(|one, other| one.0 == other.0);
            by_name.filter_map(|same| same.last().copied())
        };
        let Some(base) = &self.base else {
            return Self { base: Block::build(changes(), false), overlay: None };
        };
        let above = || {
            let overlay = self.overlay.iter().flat_map(Block::iter);
            Merged::of(overlay, changes())
        };
        // An upper bound: a field that is changed twice is counted twice.
        let changed: usize = changes().map(|(n, v)| n.len() + v.map_or(0, <[u8]>::len)).sum();
        let bytes = self.overlay.as_ref().map_or(0, |block| block.byte_len()) + changed;
        if bytes > MERGE_BYTES && bytes > base.byte_len() / 4 {
            let all = Merged::of(base.iter(), above());
            return Self { base: Block::build(all, false), overlay: None };
        }
        Self { base: Some(base.clone()), overlay: Block::build(above(), true) }
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let pairs: Vec<(N, V)> = pairs.into_iter().collect();
        let mut changes: Vec<Entry<'_>> =
            pairs.iter().map(|(name, value)| (name.as_ref(), Some(value.as_ref()))).collect();
        Self::new().with(&mut changes)
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Fields {}

/// Shows names and lengths only: values may be personal, and keys of nonces secret.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, it)| (shown(name), format!("{} bytes", it.len()))))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::record::patch::Add;

    fn set(name: &'static str, value: &str) -> FieldOp {
        FieldOp::new(name, Op::set(value))
    }

    fn apply(fields: &Fields, ops: &[FieldOp]) -> Fields {
        fields.apply(ops).unwrap().0
    }

    #[test]
    fn what_was_written_is_read_back_byte_for_byte() {
        let fields =
            apply(&Fields::new(), &[set("b", "1e3"), set("a", "{ \"x\" : 1 }"), set("", "")]);
        assert_eq!(fields.get("b"), Some(&b"1e3"[..]));
        assert_eq!(fields.get("a"), Some(&b"{ \"x\" : 1 }"[..]));
        assert_eq!(fields.get(""), Some(&b""[..]));
        assert_eq!(fields.get("c"), None);
        assert_eq!(fields.len(), 3);
    }

    #[test]
    fn names_and_values_of_every_length_are_kept_and_a_small_record_adds_little() {
        for length in [0, 1, 63, 64, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536, 70_000] {
            let (name, value) = ("n".repeat(length), "v".repeat(length));
            let fields: Fields =
                [(&*name, &*value), ("0", "1"), ("z", &value)].into_iter().collect();
            let changed = apply(&fields, &[FieldOp::new("z", Op::Remove), set("0", "2")]);
            assert_eq!(changed.get(&name), Some(value.as_bytes()), "{length}");
            assert_eq!((changed.get("0"), changed.get("z")), (Some(&b"2"[..]), None), "{length}");
            assert_eq!(fields.get("z"), Some(value.as_bytes()), "{length}");
            let bare: Fields = [(&*name, "")].into_iter().collect();
            assert_eq!((bare.get(&name), bare.len()), (Some(&b""[..]), 1), "{length}");
        }
        let small: Fields = (0..5).map(|i| (format!("field{i}"), "value")).collect();
        assert_eq!(small.byte_len_at_most(), small.byte_len() + 2 + 5 * 2);
    }

    #[test]
    fn a_small_change_shares_the_large_base() {
        let large: Fields = (0..200).map(|i| (format!("f{i:03}"), "x".repeat(50))).collect();
        let changed = apply(&large, &[set("f007", "1"), FieldOp::new("f008", Op::Remove)]);
        let (before, after) = (large.base.unwrap(), changed.base.clone().unwrap());
        assert!(before.is(&after));
        assert_eq!(changed.get("f007"), Some(&b"1"[..]));
        assert_eq!(changed.get("f008"), None);
        assert_eq!(changed.len(), 199);
    }

    #[test]
    fn any_sequence_of_changes_equals_a_plain_map() {
        let mut fields = Fields::new();
        let mut model: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut random = 0x9e37_79b9_u32;
        for _ in 0..5_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let name = format!("field{}", (random >> 8) % 40);
            if random >> 30 == 0 {
                fields = apply(&fields, &[FieldOp::new(name.clone(), Op::Remove)]);
                model.remove(&name);
            } else {
                let value = vec![b'x'; (random >> 20) as usize % 90];
                fields = apply(&fields, &[FieldOp::new(name.clone(), Op::set(value.clone()))]);
                model.insert(name, value);
            }
            assert!(fields.iter().eq(model.iter().map(|(n, v)| (n.as_str(), v.as_slice()))));
        }
    }

    #[test]
    fn of_two_operations_on_one_field_the_later_one_counts() {
        let one = apply(&Fields::new(), &[set("a", "1"), set("b", "0"), set("a", "2")]);
        assert_eq!((one.get("a"), one.len()), (Some(&b"2"[..]), 2));
        let gone = apply(&one, &[set("a", "3"), FieldOp::new("a", Op::Remove)]);
        assert_eq!(gone.get("a"), None);
        let all: Fields = [("a", "1"), ("a", "2")].into_iter().collect();
        assert_eq!((all.get("a"), all.len()), (Some(&b"2"[..]), 1));
    }

    #[test]
    fn conditional_removal_and_take_see_what_is_stored() {
        let fields = apply(&Fields::new(), &[set("flash", "1"), set("nonce", "2")]);
        let kept = apply(&fields, &[FieldOp::new("flash", Op::remove_if("0"))]);
        assert_eq!(kept.get("flash"), Some(&b"1"[..]));
        let gone = apply(&fields, &[FieldOp::new("flash", Op::remove_if("1"))]);
        assert_eq!(gone.get("flash"), None);
        let (after, taken) = fields.apply(&[FieldOp::new("nonce", Op::Take)]).unwrap();
        assert_eq!(taken[0].value.as_deref(), Some(&b"2"[..]));
        assert_eq!(after.apply(&[FieldOp::new("nonce", Op::Take)]).unwrap().1[0].value, None);
    }

    #[test]
    fn a_refused_operation_changes_nothing() {
        let fields = apply(&Fields::new(), &[set("n", "1.0")]);
        let add = FieldOp::new("n", Op::Add(Add::unsigned(1, 0)));
        assert_eq!(fields.apply(&[set("m", "1"), add]).unwrap_err().field(), "n");
    }
}
