//! A record that is not there yet.

use std::borrow::Cow;

use super::parts::{cookie, lifetime, principal_of, principal_op, removals, sign_in};
use super::situation::{Mint, Plan, Situation, Write};
use crate::error::SessionError;
use crate::patch::{Op, Refused, SignIn};
use crate::record::{Meta, Record};
use crate::session::op::PendingOp;
use crate::session::view::View;

/// A new record for a sign-in whose record is gone. If it was superseded by
/// another sign-in, the new one starts from what this request saw.
pub(crate) fn fork(
    situation: &Situation<'_>,
    snapshot: Option<&Record>,
    mint: Mint<'_>,
) -> Result<Plan, SessionError> {
    let ops: Vec<&PendingOp> = situation.pending.ops.iter().collect();
    create(situation, &ops, snapshot, mint)
}

pub(super) fn create(
    situation: &Situation<'_>,
    ops: &[&PendingOp],
    snapshot: Option<&Record>,
    mint: Mint<'_>,
) -> Result<Plan, SessionError> {
    let pending = situation.pending;
    let mut below = match snapshot {
        Some(record) => View::of(record, situation.schemas, situation.keys, situation.now),
        None => View::default(),
    };
    let authenticated = situation.keep.everything() && pending.authenticated;
    let mut ops = ops.to_vec();
    if authenticated {
        // What an attacker could have planted before.
        let removals = removals(situation.planted, &below.fields);
        if let Ok((fields, _)) = below.fields.apply(&removals) {
            below.fields = fields;
        }
    }
    let fields = loop {
        match below.fields.apply_all(ops.iter().map(|op| (op.name(), &op.op))) {
            Ok((fields, _)) => break fields,
            // An addition to something that is no integer is left out, alone.
            Err(Refused::NotAnInteger { field }) => ops.retain(|op| op.name() != field),
            Err(refused) => return Err(SessionError::Refused(refused)),
        }
    };
    let ops = &*ops;
    // Nothing is created until something is set.
    let sets = ops.iter().any(|op| matches!(op.op, Op::Set(_) | Op::Add(_)));
    let proves = authenticated && principal_op(ops).is_none();
    if !sets && !proves {
        return Ok(Plan::Nothing);
    }
    let token = mint(None)?;
    let lifetime = lifetime(situation, None);
    let mut meta = Meta::new(token.secret_hash(situation.realm), situation.now, lifetime);
    meta.realm = situation.realm.clone();
    meta.principal = principal_op(ops).and_then(|op| principal_of(situation, op));
    meta.authenticated = (authenticated
        && (meta.principal.is_some() || principal_op(ops).is_none()))
    .then_some(situation.now);
    if let Some(snapshot) = snapshot {
        meta.versions = snapshot.meta.versions.clone();
    }
    for (namespace, version) in below.versions {
        meta.versions.set(&namespace, version);
    }
    let of_ops = ops.iter().map(|op| (Cow::Borrowed(op.schema.namespace), op.schema.version));
    for (namespace, version) in of_ops {
        if meta.versions.get(&namespace) < version {
            meta.versions.set(&namespace, version);
        }
    }
    let sign_in = match &meta.principal {
        Some(principal) if authenticated => sign_in(situation, principal)?,
        _ => SignIn::default(),
    };
    let record = Record::new(token.id(), meta, fields);
    let cookie = cookie(token, lifetime, situation.now);
    Ok(Plan::Write(Write::Create { record: Box::new(record), sign_in, cookie }))
}
