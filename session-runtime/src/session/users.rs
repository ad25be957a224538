//! Who a session belongs to, and what happens to its data when another user signs in or the user
//! signs out.

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

/// The fields, in all schemas that the layer knows, that a change of the principal affects.
#[derive(Debug)]
pub(crate) struct Marked {
    /// Removed by a sign-in.
    pub(crate) planted: Vec<&'static Field>,
    /// Carried over into the session of another user.
    pub(crate) carried: Vec<&'static Field>,
    /// Removed by a sign-out: privileges and secrets.
    pub(crate) private: Vec<&'static Field>,
}

impl Marked {
    pub(crate) const NONE: &Self = &Self::new();

    const fn new() -> Self {
        Self { planted: Vec::new(), carried: Vec::new(), private: Vec::new() }
    }

    pub(crate) fn of(schemas: impl Iterator<Item = &'static Schema>) -> Self {
        let mut marked = Self::new();
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

/// How a request changes the owner of its session. Compares what was loaded with what is to be
/// stored, whatever happened in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The owner stays the same, or the first user signs in.
    None,
    /// The owner signs out.
    Leaves,
    /// A user signs in who is not the session's owner or, if signed out, its last one.
    Another,
}

impl Change {
    pub(super) fn of<'p>(
        record: &Record,
        view: &View<'_>,
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

/// Whether the operation sets the principal.
pub(super) fn is_principal(op: &PendingOp) -> bool {
    op.field.principal && op.under.is_none()
}

/// The principal that the operation signs in or acts as, if any.
pub(super) fn principal_of(realm: &Realm, op: &PendingOp) -> Option<Principal> {
    match &op.op {
        Op::Set(json) if !op.clears() => {
            let json = std::str::from_utf8(json).ok()?;
            let principal = Principal::of(realm, op.schema.namespace, json);
            Some(if op.made == Made::Acts { principal.acted() } else { principal })
        }
        _ => None,
    }
}

/// The principal of a record whose migration renamed it.
pub(super) fn migrated_principal(
    record: &Record,
    view: &View<'_>,
    schemas: &[&'static Schema],
) -> Option<Principal> {
    record.meta.principal.as_ref()?;
    schemas.iter().find_map(|schema| {
        let field = schema.principal().filter(|field| view.changed(field.name))?;
        let json = std::str::from_utf8(view.fields.get(field.name)?).ok()?;
        let principal = Principal::of(&record.meta.realm, schema.namespace, json);
        Some(if record.meta.is_acted() { principal.acted() } else { principal })
    })
}

/// Returns the removals of `fields`: of everything stored, and of everything that a concurrent
/// request may store meanwhile. For keyed nonces, only of known values.
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

/// Returns `fields` without those in `removed`.
pub(super) fn without(fields: &Fields, removed: &[&'static Field]) -> Fields {
    if removed.is_empty() {
        return fields.clone();
    }
    // `apply` fails only on additions, and there are none.
    fields.apply(&removals(removed, fields)).map_or_else(|_| Fields::new(), |(fields, _)| fields)
}

/// Returns the fields that another user's session takes over: those marked `carry_over` that have
/// not expired.
pub(super) fn carried(view: &View<'_>, marked: &Marked, now: Timestamp) -> Fields {
    let names =
        marked.carried.iter().flat_map(|field| field.names().map(move |name| (field, name)));
    let carried = names.filter_map(|(field, name)| {
        let stored = view.fields.get(name)?;
        value::live(field, stored, now)?;
        Some((name.to_owned(), stored.to_vec()))
    });
    carried.collect()
}

/// Translates `op`, made on one user's session, to the next user's, which begins with `carried`;
/// `None` if nothing is left to do.
///
/// Only what the request itself set is kept. If it changed the previous user's data in place, only
/// a merge can tell the two apart; other changes in place are left out.
pub(super) fn carried_op<'p>(
    op: &'p PendingOp,
    carried: &Fields,
    now: Timestamp,
) -> Result<Option<Cow<'p, Op>>, SessionError> {
    let stored = match carried.has_no_block() {
        true => None,
        false => op.field.names().find_map(|name| carried.get(name)),
    };
    let sets = matches!(op.op, Op::Set(_) | Op::Remove) && op.under.is_none();
    match (&op.op, op.field.conflict) {
        (_, ConflictPolicy::Merge(_) | ConflictPolicy::WriteOnce) if sets => {
            Ok(conflict::resolve(op, stored, now)?.map(Cow::Owned))
        }
        // The previous user may have counted under a former name.
        (Op::Add(add), _) if stored.is_none() => {
            let absent = default_of(op.field, add.absent).unwrap_or(add.absent);
            Ok(Some(Cow::Owned(Op::Add(Add { absent, ..*add }))))
        }
        _ if op.made == Made::InPlace && stored.is_none() && !op.field.principal => Ok(None),
        _ => Ok(Some(Cow::Borrowed(&op.op))),
    }
}

/// Returns `ops` as they apply where a sign-in removes the fields marked `clear_on_login`, which an
/// attacker may have filled: as on a session that holds nothing of them.
pub(super) fn on_cleared(
    ops: &[PendingOp],
    now: Timestamp,
) -> Result<Cow<'_, [PendingOp]>, SessionError> {
    let builds_on_cleared = |op: &PendingOp| {
        op.field.clear_on_login && (matches!(op.op, Op::Add(_)) || op.made == Made::InPlace)
    };
    if !ops.iter().any(builds_on_cleared) {
        return Ok(Cow::Borrowed(ops));
    }
    let nothing = Fields::new();
    let mut kept = Vec::with_capacity(ops.len());
    for op in ops {
        let here = match builds_on_cleared(op) {
            true => carried_op(op, &nothing, now)?.map(Cow::into_owned),
            false => Some(op.op.clone()),
        };
        let here = match here {
            // Where the field is stored still, an addition would count on.
            Some(Op::Add(add)) if op.field.clear_on_login => {
                Some(Op::set(add.sum(op.name(), None).map_err(SessionError::Refused)?.to_string()))
            }
            here => here,
        };
        match here {
            Some(here) => kept.push(PendingOp { op: here, ..op.clone() }),
            None if op.clears() => {}
            None => tracing::warn!(
                field = op.field.name,
                "a field marked `clear_on_login` was changed in place by the request that signed in, and is left out: set it instead"
            ),
        }
    }
    Ok(Cow::Owned(kept))
}

/// Warns that a change is left out.
pub(crate) fn stays_behind(op: &PendingOp) {
    tracing::warn!(
        field = op.field.name,
        "a field that was changed in place belongs to the previous user, and is left out of the new user's session: set it instead"
    );
}

/// Returns the default of a counter, as the integer type of `counted`.
fn default_of(field: &'static Field, counted: Integer) -> Option<Integer> {
    let json = field.codec().bytes_of(&*field.default_value()).ok()?;
    let text = std::str::from_utf8(&json).ok()?;
    match counted {
        Integer::Signed(_) => text.parse().ok().map(Integer::Signed),
        Integer::Unsigned(_) => text.parse().ok().map(Integer::Unsigned),
    }
}
