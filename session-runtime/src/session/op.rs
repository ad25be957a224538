//! A published change of one field.

use std::borrow::Cow;
use std::fmt;

use crate::codec::NULL;
use crate::record::patch::{FieldOp, Op};
use crate::record::shown;
use crate::schema::{ConflictPolicy, Field, FieldKind, Schema};

/// A change that a handle published.
#[derive(Clone)]
pub(crate) struct PendingOp {
    pub(crate) field: &'static Field,
    /// The schema that the field belongs to.
    pub(crate) schema: &'static Schema,
    /// Position of the change among those of the request.
    pub(crate) seq: u64,
    pub(crate) op: Op,
    /// The stored name, if it is not the field's own: an alias, or that of a keyed nonce.
    pub(crate) under: Option<Cow<'static, str>>,
    /// The stored value that the handle saw. Kept only if the field's policy is not that the later
    /// commit wins.
    pub(crate) base: Option<Vec<u8>>,
    pub(crate) made: Made,
}

/// What a change is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// Set from scratch, without the value that the session held.
    Anew,
    /// The value that the session held, changed in place.
    InPlace,
    /// The principal, set to the user whom the one who is signed in acts as: no authentication.
    Acts,
}

impl PendingOp {
    pub(crate) fn name(&self) -> &str {
        self.under.as_deref().unwrap_or(self.field.name)
    }

    /// Whether exactly this change was asked for, so that losing it must fail the response.
    /// Counters and flashes do not justify that, nor does signing out of a session that is already
    /// over.
    pub(crate) fn is_explicit(&self) -> bool {
        matches!(self.op, Op::Set(_) | Op::Remove)
            && self.field.kind != FieldKind::Flash
            && !(self.field.principal && self.clears())
    }

    pub(crate) fn clears(&self) -> bool {
        match &self.op {
            Op::Set(value) => **value == *NULL,
            Op::Remove => true,
            _ => false,
        }
    }

    /// Whether it takes away a privilege that must stay away even if the response fails.
    pub(crate) fn takes_privileges(&self) -> bool {
        (self.field.principal || self.field.renew) && self.clears()
    }

    /// Whether a concurrent change of the field is resolved by its policy.
    pub(crate) fn minds_conflicts(&self) -> bool {
        self.field.conflict != ConflictPolicy::LastWins && self.under.is_none()
    }

    /// Whether it holds only data of this request, or a merge can separate that from what the
    /// session held.
    pub(crate) fn is_of_the_request_alone(&self) -> bool {
        self.made != Made::InPlace || self.field.principal || self.minds_conflicts()
    }

    pub(crate) fn field_op(&self, op: Op) -> FieldOp {
        let name = match &self.under {
            Some(under) => under.clone(),
            None => self.field.name.into(),
        };
        FieldOp::new(name, op)
    }
}

impl fmt::Debug for PendingOp {
    /// Omits the value and the key of a nonce: they may be personal or secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", shown(self.name()), self.op)
    }
}
