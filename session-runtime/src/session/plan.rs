//! What to store, decided without storing anything: a pure function of the
//! request's state, the policy and the time.

use std::sync::Arc;
use std::time::Duration;

use super::pending::{Pending, PendingOp};
use super::scope::{CookieChange, Origin};
use crate::clock::Timestamp;
use crate::codec::same_value;
use crate::error::SessionError;
use crate::fields::Fields;
use crate::id::SessionId;
use crate::patch::{FieldOp, Lifetime, MetaPatch, Op, Patch, Refused};
use crate::record::{MAX_LIFETIME, Meta, Principal, Record};
use crate::token::{NoRandomness, SessionToken};

/// The time limits of new and renewed sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) idle: Option<Duration>,
    pub(crate) absolute: Option<Duration>,
}

/// Where new tokens come from: for a new record, or for this one.
pub(crate) type Mint<'m> = &'m dyn Fn(Option<SessionId>) -> Result<SessionToken, NoRandomness>;

/// All that the plan depends on.
pub(crate) struct Situation<'s> {
    pub(crate) origin: &'s Origin,
    /// The token that the client presented.
    pub(crate) token: Option<&'s SessionToken>,
    pub(crate) pending: &'s Pending,
    /// Whether the changes of fields count; a failed response drops them.
    pub(crate) keep_fields: bool,
    pub(crate) policy: Policy,
    pub(crate) now: Timestamp,
}

/// What to do with the store, and which cookie that needs.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // made once per request, and taken apart at once
pub(crate) enum Plan {
    /// Nothing changed.
    Nothing,
    /// Something changed, and there is no session it may go to.
    Lost { explicit: bool },
    /// Store this.
    Write(Write),
}

#[derive(Debug)]
pub(crate) enum Write {
    Create {
        record: Box<Record>,
        cookie: CookieChange,
    },
    Apply {
        id: SessionId,
        epoch: u64,
        patch: Patch,
        cookie: Option<CookieChange>,
        /// If the record is gone, a sign-in starts another one.
        signs_in: bool,
        /// If the record is gone, the client must be told.
        explicit: bool,
    },
}

pub(crate) fn plan(situation: &Situation<'_>, mint: Mint<'_>) -> Result<Plan, SessionError> {
    let pending = &situation.pending.ops;
    let mut ops: Vec<&PendingOp> = Vec::with_capacity(pending.len());
    // A failed response never brings a privilege back.
    ops.extend(pending.iter().filter(|op| situation.keep_fields || op.takes_privileges()));
    match situation.origin {
        Origin::Unloaded | Origin::Nobody => create(situation, &ops, &Fields::new(), mint),
        // A late response must not undo a login or logout; a new login may.
        Origin::Retired { .. } if signs_in(situation, &ops) => {
            create(situation, &ops, &Fields::new(), mint)
        }
        Origin::Retired { .. } => {
            let proves = situation.keep_fields && situation.pending.authenticated;
            let explicit = proves || ops.iter().any(|op| op.is_explicit());
            Ok(if proves || !ops.is_empty() { Plan::Lost { explicit } } else { Plan::Nothing })
        }
        Origin::Stored(record) => apply(situation, &ops, record, mint),
    }
}

/// A new record for a sign-in whose record is gone. If it was superseded by
/// another sign-in, the new one starts from what this request saw.
pub(crate) fn fork(
    situation: &Situation<'_>,
    snapshot: Option<&Record>,
    mint: Mint<'_>,
) -> Result<Plan, SessionError> {
    let ops: Vec<&PendingOp> = situation.pending.ops.iter().collect();
    let fields = snapshot.map_or_else(Fields::new, |record| record.fields.clone());
    create(situation, &ops, &fields, mint)
}

fn create(
    situation: &Situation<'_>,
    ops: &[&PendingOp],
    below: &Fields,
    mint: Mint<'_>,
) -> Result<Plan, SessionError> {
    let pending = situation.pending;
    let mut ops = ops.to_vec();
    let fields = loop {
        match below.apply_all(ops.iter().map(|op| (op.name(), &op.op))) {
            Ok((fields, _)) => break fields,
            // An addition to something that is no integer is left out, alone.
            Err(Refused::NotAnInteger { field }) => ops.retain(|op| op.name() != field),
            Err(refused) => return Err(SessionError::Refused(refused)),
        }
    };
    let ops = &*ops;
    let authenticated = situation.keep_fields && pending.authenticated;
    // Nothing is created until something is set.
    let sets = ops.iter().any(|op| matches!(op.op, Op::Set(_) | Op::Add(_)));
    let proves = authenticated && principal_op(ops).is_none();
    if !sets && !proves {
        return Ok(Plan::Nothing);
    }
    let token = mint(None)?;
    let lifetime = lifetime(situation, None);
    let mut meta = Meta::new(token.secret_hash(), situation.now, lifetime);
    meta.principal = principal_op(ops).and_then(principal_of);
    meta.authenticated = (authenticated
        && (meta.principal.is_some() || principal_op(ops).is_none()))
    .then_some(situation.now);
    let record = Record { id: token.id(), meta, fields };
    let cookie = cookie(token, lifetime, situation.now);
    Ok(Plan::Write(Write::Create { record: Box::new(record), cookie }))
}

fn apply(
    situation: &Situation<'_>,
    ops: &[&PendingOp],
    record: &Arc<Record>,
    mint: Mint<'_>,
) -> Result<Plan, SessionError> {
    let pending = situation.pending;
    let mut field_ops: Vec<FieldOp> = Vec::with_capacity(ops.len());
    let (mut touches_privileges, mut explicit) = (false, false);
    for op in ops.iter().filter(|op| changes(op, &record.fields)) {
        touches_privileges |= op.field.principal || op.field.renew;
        explicit |= op.is_explicit();
        field_ops.push(op.field_op());
    }
    let principal = principal_op(ops);
    let signs_in = signs_in(situation, ops);
    let authenticated =
        signs_in || (situation.keep_fields && pending.authenticated && principal.is_none());
    let raises = authenticated || (situation.keep_fields && pending.renew) || touches_privileges;
    let remember = pending.remember.filter(|_| situation.keep_fields);

    let mut meta = MetaPatch::default();
    meta.authenticated = authenticated;
    meta.principal =
        principal.map(principal_of).filter(|principal| *principal != record.meta.principal);
    // Whoever comes or goes does not inherit for how long somebody else asked
    // to be remembered.
    let leaves = meta.principal.is_some();
    if authenticated || remember.is_some() || (leaves && record.meta.remember.is_some()) {
        meta.lifetime = Some(lifetime(situation, (!leaves).then_some(&record.meta)));
    }
    let mut set = None;
    if raises {
        let token = mint(Some(record.id))?;
        meta.renew = Some(token.secret_hash());
        set = Some(token);
    } else if remember.is_some() {
        // The same token, in a cookie that lives longer.
        set = situation.token.cloned();
    }
    let patch = Patch { meta, ..Patch::of(field_ops) };
    if patch.is_empty() {
        return Ok(Plan::Nothing);
    }
    let cookie = set.map(|token| {
        let kept = Lifetime {
            idle: None,
            absolute: record.meta.absolute.map(|end| end.since(situation.now)),
            remember: record.meta.remember.is_some(),
        };
        cookie(token, patch.meta.lifetime.unwrap_or(kept), situation.now)
    });
    Ok(Plan::Write(Write::Apply {
        id: record.id,
        epoch: record.meta.epoch,
        cookie,
        signs_in,
        explicit: authenticated || explicit,
        patch,
    }))
}

/// Whether `op` changes what this request saw stored.
fn changes(op: &PendingOp, fields: &Fields) -> bool {
    let stored = fields.get(op.name());
    match &op.op {
        Op::Set(value) => stored.is_none_or(|stored| !same_value(stored, value)),
        Op::Remove | Op::RemoveIf(_) | Op::Take => stored.is_some(),
        Op::Add(add) => add.delta != 0,
    }
}

fn principal_op<'p>(ops: &[&'p PendingOp]) -> Option<&'p PendingOp> {
    ops.iter().copied().find(|op| op.field.principal && op.alias.is_none())
}

fn principal_of(op: &PendingOp) -> Option<Principal> {
    match &op.op {
        Op::Set(json) if !op.clears() => {
            Some(Principal::new(op.namespace, std::str::from_utf8(json).ok()?))
        }
        _ => None,
    }
}

fn signs_in(situation: &Situation<'_>, ops: &[&PendingOp]) -> bool {
    situation.keep_fields
        && situation.pending.authenticated
        && principal_op(ops).is_some_and(|op| !op.clears())
}

fn lifetime(situation: &Situation<'_>, before: Option<&Meta>) -> Lifetime {
    // A remembered session that proves itself again stays remembered as long.
    let again = before.and_then(|meta| meta.remember).map(Duration::from_millis);
    match situation.pending.remember.filter(|_| situation.keep_fields).or(again) {
        Some(duration) => {
            Lifetime { idle: None, absolute: Some(duration.min(MAX_LIFETIME)), remember: true }
        }
        None => Lifetime {
            idle: situation.policy.idle,
            absolute: situation.policy.absolute,
            remember: false,
        },
    }
}

fn cookie(token: SessionToken, lifetime: Lifetime, now: Timestamp) -> CookieChange {
    let expires = lifetime
        .remember
        .then(|| now.after(lifetime.absolute.unwrap_or(MAX_LIFETIME).min(MAX_LIFETIME)));
    CookieChange::Set { token, expires }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
