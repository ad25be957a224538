//! One published change of one field.

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
    /// The schema that it belongs to.
    pub(crate) schema: &'static Schema,
    /// When the change was made, in the order of the request.
    pub(crate) seq: u64,
    pub(crate) op: Op,
    /// The stored name it is about, when that is not the field's own: an alias,
    /// or that of a keyed nonce.
    pub(crate) under: Option<Cow<'static, str>>,
    /// What the handle saw stored. Kept only where a conflict is not simply won
    /// by the later commit.
    pub(crate) base: Option<Vec<u8>>,
    pub(crate) made: Made,
}

/// What a change was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// Of what the handler had in hand.
    Anew,
    /// Of what the session held.
    InPlace,
}

impl PendingOp {
    pub(crate) fn name(&self) -> &str {
        self.under.as_deref().unwrap_or(self.field.name)
    }

    /// Whether somebody asked for exactly this change, so that losing it makes
    /// a "done" a lie. Counters and flash are not worth a failed response, and
    /// whoever signs out of a session that is over is out.
    pub(crate) fn is_explicit(&self) -> bool {
        matches!(self.op, Op::Set(_) | Op::Remove)
            && self.field.kind != FieldKind::Flash
            && !(self.field.principal && self.clears())
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

    /// Whether a concurrent change of the field matters to it.
    pub(crate) fn minds_conflicts(&self) -> bool {
        self.field.conflict != ConflictPolicy::LastWins && self.under.is_none()
    }

    /// Whether it holds nothing but what this request has in hand, or a merge can tell
    /// that from what was there.
    pub(crate) fn is_of_the_request_alone(&self) -> bool {
        self.made == Made::Anew || self.field.principal || self.minds_conflicts()
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
    /// Without the value, and without the key of a nonce: they may be personal, or secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", shown(self.name()), self.op)
    }
}
