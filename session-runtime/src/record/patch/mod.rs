//! The changes that a request makes to a record, and their result.

mod meta;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

pub use self::meta::{AtLimit, Cap, Denied, Lifetime, MetaPatch, SignIn};
use crate::id::SessionId;
pub use crate::inline::FieldBytes;
use crate::record::{Record, shown};
use crate::token::{PatchId, RotationNonce};

/// Field operations, expectations and meta operations, applied by a store in
/// one atomic step.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    /// The id: a store that has already applied it answers without applying the patch again.
    #[doc(hidden)]
    pub id: PatchId,
    /// Conditions; if one does not hold, the answer is [`Outcome::Conflict`].
    #[doc(hidden)]
    pub expect: Vec<Expect>,
    /// The field operations, at most one per field.
    pub ops: Vec<FieldOp>,
    /// Changes of the record's own data.
    #[doc(hidden)]
    pub meta: MetaPatch,
    /// Set when the patch is sent again because its answer was lost: the record's revision for
    /// which the patch was made. A record remembers only its last few patches; if more have
    /// followed, the answer is [`Outcome::Uncertain`].
    #[doc(hidden)]
    pub again: Option<u64>,
}

impl Patch {
    /// Creates a patch with a new id that does nothing yet.
    #[must_use]
    #[doc(hidden)]
    pub fn new() -> Self {
        Self::of(Vec::new())
    }

    /// Creates a patch with a new id and these field operations.
    #[must_use]
    #[doc(hidden)]
    pub fn of(ops: Vec<FieldOp>) -> Self {
        Self {
            id: PatchId::next(),
            expect: Vec::new(),
            ops,
            meta: MetaPatch::default(),
            again: None,
        }
    }

    /// Whether applying it would change nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.meta == MetaPatch::default()
    }
}

impl Default for Patch {
    fn default() -> Self {
        Self::new()
    }
}

/// An operation on one stored field.
#[derive(Clone, PartialEq)]
pub struct FieldOp {
    /// The stored name.
    pub name: Cow<'static, str>,
    /// The operation.
    pub op: Op,
}

impl FieldOp {
    /// Creates the operation `op` on the field stored under `name`.
    pub fn new(name: impl Into<Cow<'static, str>>, op: Op) -> Self {
        Self { name: name.into(), op }
    }
}

/// An operation on a field.
#[derive(Clone, PartialEq)]
pub enum Op {
    /// Stores this JSON.
    Set(FieldBytes),
    /// Removes the field. It is no error if it is not stored.
    Remove,
    /// Removes the field if it still holds exactly these bytes.
    RemoveIf(FieldBytes),
    /// Adds to an integer.
    Add(Add),
    /// Removes the field and returns its bytes to this caller only.
    Take,
}

impl Op {
    /// The operation that stores this JSON.
    pub fn set(json: impl Into<FieldBytes>) -> Self {
        Self::Set(json.into())
    }

    /// The operation that removes the field if it still holds exactly these bytes.
    pub fn remove_if(bytes: impl Into<FieldBytes>) -> Self {
        Self::RemoveIf(bytes.into())
    }
}

impl fmt::Debug for FieldOp {
    /// Shows neither values nor the key of a nonce: they may be personal, or secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = shown(&self.name);
        match &self.op {
            Op::Set(value) => write!(f, "{name} = {} bytes", value.len()),
            Op::Remove => write!(f, "{name} removed"),
            Op::RemoveIf(_) => write!(f, "{name} removed if unchanged"),
            Op::Add(_) => write!(f, "{name} added to"),
            Op::Take => write!(f, "{name} taken"),
        }
    }
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set(_) => "Set",
            Self::Remove => "Remove",
            Self::RemoveIf(_) => "RemoveIf",
            Self::Add(_) => "Add",
            Self::Take => "Take",
        })
    }
}

/// A bounded addition that merges with concurrent ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Add {
    /// What to add.
    pub delta: i64,
    /// The value of a field that is not stored. The sum saturates at the bounds of its type.
    pub absent: Integer,
}

/// An integer of a type that supports addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integer {
    /// An `i64`.
    Signed(i64),
    /// A `u64`.
    Unsigned(u64),
}

impl Integer {
    /// Returns the value as an `i128`.
    #[must_use]
    pub const fn wide(self) -> i128 {
        match self {
            Self::Signed(value) => value as i128,
            Self::Unsigned(value) => value as i128,
        }
    }

    /// Returns the smallest and the largest value of its type.
    #[must_use]
    pub const fn bounds(self) -> (i128, i128) {
        match self {
            Self::Signed(_) => (i64::MIN as i128, i64::MAX as i128),
            Self::Unsigned(_) => (0, u64::MAX as i128),
        }
    }
}

impl Add {
    /// Creates an addition to an `i64`.
    #[must_use]
    pub const fn signed(delta: i64, absent: i64) -> Self {
        Self { delta, absent: Integer::Signed(absent) }
    }

    /// Creates an addition to a `u64`.
    #[must_use]
    pub const fn unsigned(delta: i64, absent: u64) -> Self {
        Self { delta, absent: Integer::Unsigned(absent) }
    }

    /// Returns the sum with the value stored under `name`.
    ///
    /// # Errors
    ///
    /// If the stored value is not a plain JSON integer within the bounds (`1.0`, `1e3` and `null`
    /// are not).
    pub fn sum(&self, name: &str, stored: Option<&[u8]>) -> Result<i128, Refused> {
        let (min, max) = self.absent.bounds();
        let base = match stored {
            None => self.absent.wide(),
            Some(bytes) => integer(bytes)
                .filter(|n| (min..=max).contains(n))
                .ok_or_else(|| Refused::NotAnInteger { field: name.to_owned() })?,
        };
        Ok(base.saturating_add(i128::from(self.delta)).clamp(min, max))
    }
}

/// Parses a JSON integer: no sign but `-`, no leading zero, no fraction, no exponent.
fn integer(bytes: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(bytes).ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = digits == "0" || !digits.starts_with('0');
    (canonical && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

/// A condition on the stored record.
#[derive(Clone, PartialEq)]
pub enum Expect {
    /// The data has not changed since this revision.
    Rev(u64),
    /// The field holds exactly these bytes, or is not stored.
    Field {
        /// The stored name.
        name: Cow<'static, str>,
        /// The expected bytes; `None` for not stored.
        value: Option<Vec<u8>>,
    },
    /// The fields of this namespace were written under this schema version.
    Version {
        /// The namespace; empty for the default one.
        namespace: Cow<'static, str>,
        /// The expected version; 1 if none was ever written.
        version: u32,
    },
}

impl fmt::Debug for Expect {
    /// Does not show the value: it may be personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rev(rev) => write!(f, "rev {rev}"),
            Self::Field { name, .. } => write!(f, "{} as it was", shown(name)),
            Self::Version { namespace, version } => write!(f, "version {version} of {namespace:?}"),
        }
    }
}

/// The result of a patch.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The patch is stored, as durably as the store promises.
    Applied(Applied),
    /// There is no record that the patch applies to. Nothing was written.
    Gone(Gone),
    /// An expectation failed. Nothing was written.
    Conflict(Conflict),
    /// An operation does not fit the stored value. Nothing was written.
    Refused(Refused),
    /// The sign-in is not allowed. Nothing was written.
    Denied(Denied),
    /// It is unknown whether the patch was applied.
    Uncertain,
}

/// A patch that is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The record's revision after the patch.
    #[doc(hidden)]
    pub rev: u64,
    /// The record's epoch after the patch.
    #[doc(hidden)]
    pub epoch: u64,
    /// The values that [`Op::Take`] has taken. Empty if `repeated`: a value is returned at most
    /// once.
    #[doc(hidden)]
    pub taken: Vec<Taken>,
    /// Whether the patch had been applied before.
    #[doc(hidden)]
    pub repeated: bool,
    /// The nonce of the pending rotation, whether this patch or an earlier one began it. Only if
    /// the patch asked to [`rotate`](MetaPatch::rotate) and its secret is still the current one.
    #[doc(hidden)]
    pub rotation: Option<RotationNonce>,
    /// The sessions of the same principal that this sign-in ended under a cap; see
    /// [`Created::Created`](crate::store::contract::Created::Created).
    pub evicted: Vec<SessionId>,
}

/// A value that was taken out of the store.
#[derive(Clone, PartialEq, Eq)]
pub struct Taken {
    /// The stored name.
    pub name: Cow<'static, str>,
    /// The bytes, if there were any.
    pub value: Option<Vec<u8>>,
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Taken({}, {})", shown(&self.name), self.value.as_ref().map_or(0, Vec::len))
    }
}

/// Why a patch finds no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// There is no such record: it was never stored, was destroyed, or has expired.
    Absent,
    /// The record has another epoch: since this request loaded it, the session was signed in or
    /// out, or changed privileges.
    Superseded,
}

/// A failed expectation.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// The field that differed; `None` for the revision or a schema version.
    pub field: Option<Cow<'static, str>>,
    /// The record as it is stored, for a retry.
    pub current: Arc<Record>,
}

/// Why an operation is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The addition is to a value that is not an integer of the field's type.
    NotAnInteger {
        /// The stored name.
        field: String,
    },
    /// The field or the record would exceed the store's limit.
    TooLarge {
        /// The stored name, without the key of a keyed nonce.
        field: String,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl Refused {
    /// Returns the stored name of the field at fault.
    #[must_use]
    pub fn field(&self) -> &str {
        match self {
            Self::NotAnInteger { field } | Self::TooLarge { field, .. } => field,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnInteger { field } => {
                write!(f, "the stored value of `{field}` is not an integer of its type")
            }
            Self::TooLarge { field, limit } => {
                write!(f, "`{field}` would exceed the store's limit of {limit} bytes")
            }
        }
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additions_saturate_at_the_bounds_of_the_field_type() {
        let sum = |add: Add, stored: &str| add.sum("n", Some(stored.as_bytes()));
        assert_eq!(sum(Add::unsigned(-5, 0), "3"), Ok(0));
        assert_eq!(sum(Add::unsigned(9, 0), "18446744073709551615"), Ok(i128::from(u64::MAX)));
        assert_eq!(sum(Add::signed(-1, 0), "-9223372036854775808"), Ok(i128::from(i64::MIN)));
        assert_eq!(Add::unsigned(2, 40).sum("n", None), Ok(42));
    }

    #[test]
    fn only_plain_integers_within_bounds_can_be_added_to() {
        for stored in
            ["1.0", "1e3", "null", "\"1\"", "", "-", "+1", "01", " 1", "-1", "18446744073709551616"]
        {
            let refused = Add::unsigned(1, 0).sum("n", Some(stored.as_bytes())).unwrap_err();
            assert_eq!(refused.field(), "n", "{stored:?}");
        }
    }
}
