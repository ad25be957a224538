//! Whose session it is, and what becomes of its data when another user comes, or
//! its user goes.

use std::borrow::Cow;

use super::conflict;
use super::op::{Made, PendingOp};
use super::value;
use super::view::View;
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::realm::Realm;
use crate::record::patch::{Add, FieldOp, Integer, Op};
use crate::record::{Fields, Principal, Record};
use crate::schema::{ConflictPolicy, Field, FieldKind, Schema};

/// The fields that are marked for it, in all schemas that the layer knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marked {
    /// A sign-in removes them.
    pub(crate) planted: Vec<&'static Field>,
    /// They go along into the session of another user.
    pub(crate) carried: Vec<&'static Field>,
    /// A sign-out removes them: privileges and secrets.
    pub(crate) private: Vec<&'static Field>,
}

impl Marked {
    pub(crate) fn of(schemas: impl Iterator<Item = &'static Schema>) -> Self {
        let mut marked = Self::default();
        for field in schemas.flat_map(|schema| schema.fields) {
            if field.clear_on_login {
                marked.planted.push(field);
            }
            if field.carry_over {
                marked.carried.push(field);
            }
            if field.renew || field.secret {
                marked.private.push(field);
            }
        }
        marked
    }
}

/// What a request makes of whose session it is: by what was loaded and what is to
/// be stored, whatever it did in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It stays with its user, or with none, or its first user signs in.
    None,
    /// Its user signs out.
    Leaves,
    /// Another user signs in than it is of, or was of last.
    Another,
}

impl Change {
    pub(super) fn of<'p>(
        record: &Record,
        view: &View,
        schemas: &[&'static Schema],
        mut ops: impl Iterator<Item = &'p PendingOp>,
    ) -> Self {
        let Some(op) = ops.find(|op| is_principal(op)) else { return Self::None };
        let Some(comes) = principal_of(&record.meta.realm, op) else {
            let leaves = op.clears() && record.meta.principal.is_some();
            return if leaves { Self::Leaves } else { Self::None };
        };
        let another = match migrated_principal(record, view, schemas) {
            Some(known) => known != comes,
            None => record.meta.is_of_another(&comes),
        };
        if another { Self::Another } else { Self::None }
    }
}

/// Whether it says who is signed in.
pub(super) fn is_principal(op: &PendingOp) -> bool {
    op.field.principal && op.under.is_none()
}

/// Whom it signs in, if it does.
pub(super) fn principal_of(realm: &Realm, op: &PendingOp) -> Option<Principal> {
    match &op.op {
        Op::Set(json) if !op.clears() => {
            Some(Principal::of(realm, op.schema.namespace, std::str::from_utf8(json).ok()?))
        }
        _ => None,
    }
}

/// The user of a record whose migration gave them another name.
pub(super) fn migrated_principal(
    record: &Record,
    view: &View,
    schemas: &[&'static Schema],
) -> Option<Principal> {
    record.meta.principal.as_ref()?;
    schemas.iter().find_map(|schema| {
        let field = schema.principal().filter(|field| view.changed(field.name))?;
        let json = std::str::from_utf8(view.fields.get(field.name)?).ok()?;
        Some(Principal::of(&record.meta.realm, schema.namespace, json))
    })
}

/// The removal of whatever is stored of `fields`, and of what a request beside
/// this one may store of them meanwhile; of keyed nonces only what is known.
pub(super) fn removals(fields: &[&'static Field], stored: &Fields) -> Vec<FieldOp> {
    let names = fields.iter().flat_map(|field| match field.kind {
        FieldKind::Nonce { keyed: true } => value::stored_names(field, stored),
        _ => field.names().map(Cow::Borrowed).collect(),
    });
    let mut removals: Vec<FieldOp> = Vec::new();
    for name in names {
        if !removals.iter().any(|removal| removal.name == name) {
            removals.push(FieldOp::new(name, Op::Remove));
        }
    }
    removals
}

/// `fields` without those that are in `removed`.
pub(super) fn without(fields: &Fields, removed: &[&'static Field]) -> Fields {
    // Without additions nothing is refused.
    fields.apply(&removals(removed, fields)).map_or_else(|_| Fields::new(), |(fields, _)| fields)
}

/// What the session of one user leaves to that of the next: what is marked, and its
/// time not over.
pub(super) fn carried(view: &View, marked: &Marked, now: Timestamp) -> Fields {
    let names =
        marked.carried.iter().flat_map(|field| field.names().map(move |name| (field, name)));
    let carried = names.filter_map(|(field, name)| {
        let stored = view.fields.get(name)?;
        value::live(field, stored, now)?;
        Some((name.to_owned(), stored.to_vec()))
    });
    carried.collect()
}

/// What `op`, made on the session of one user, is on that of the next, which begins
/// with `carried`. `None`: nothing is left to do.
///
/// It is what the request itself set. Where it changed what the other user had, only
/// a merge can tell the two apart; what else was changed in place is left out.
pub(super) fn carried_op<'p>(
    op: &'p PendingOp,
    carried: &Fields,
    now: Timestamp,
) -> Result<Option<Cow<'p, Op>>, SessionError> {
    let stored = op.field.names().find_map(|name| carried.get(name));
    let sets = matches!(op.op, Op::Set(_) | Op::Remove) && op.under.is_none();
    match (&op.op, op.field.conflict) {
        (_, ConflictPolicy::Merge(_) | ConflictPolicy::WriteOnce) if sets => {
            Ok(conflict::resolve(op, stored, now)?.map(Cow::Owned))
        }
        // It may have been counted under a former name, by the other user.
        (Op::Add(add), _) if stored.is_none() => {
            let absent = default_of(op.field, add.absent).unwrap_or(add.absent);
            Ok(Some(Cow::Owned(Op::Add(Add { absent, ..*add }))))
        }
        _ if op.made == Made::InPlace && stored.is_none() && !op.field.principal => Ok(None),
        _ => Ok(Some(Cow::Borrowed(&op.op))),
    }
}

/// Says that a change stays behind.
pub(crate) fn stays_behind(op: &PendingOp) {
    tracing::warn!(
        field = op.field.name,
        "a field that was changed in place is left out of the session of another user, whose it is not: set it instead"
    );
}

/// The default of a counter, which is of the type of `counted`.
fn default_of(field: &'static Field, counted: Integer) -> Option<Integer> {
    let json = field.codec().bytes_of(&*field.default_value()).ok()?;
    let text = std::str::from_utf8(&json).ok()?;
    match counted {
        Integer::Signed(_) => text.parse().ok().map(Integer::Signed),
        Integer::Unsigned(_) => text.parse().ok().map(Integer::Unsigned),
    }
}
