//! Plans a patch for a stored record.

use std::borrow::Cow;
use std::sync::Arc;

use super::create::succeed;
use super::parts::{acts, cookie, lifetime, principal_op, sign_in, signs_in};
use super::situation::{Apply, Mint, Plan, Situation};
use crate::codec::same_value;
use crate::error::SessionError;
use crate::record::Fields;
use crate::record::patch::{Expect, FieldOp, Lifetime, MetaPatch, Op, Patch};
use crate::record::{Actor, External, Record, Rotate, Rotation, shown};
use crate::schema::Field;
use crate::session::conflict;
use crate::session::op::PendingOp;
use crate::session::users::{Change, migrated_principal, on_cleared, principal_of, removals};
use crate::session::view::View;
use crate::token::{RotationNonce, SessionToken};

pub(super) fn apply(
    situation: &Situation<'_>,
    ops: &[PendingOp],
    record: &Arc<Record>,
    mint: Mint<'_>,
) -> Result<Plan, SessionError> {
    let pending = situation.pending;
    let principal = principal_op(ops);
    let signs_in = signs_in(situation, ops);
    let proves =
        signs_in || (situation.keep.everything() && pending.authenticated && principal.is_none());
    if proves && !situation.by_client {
        // No client has authenticated, and none can be sent a token.
        return Err(SessionError::HeadSent);
    }
    // A request that joins a sign-in inherits its authentication and adds none. Who acts as another
    // user cannot authenticate for them.
    let authenticated = proves && !situation.joins && !record.meta.is_acted();

    let view = View::of(record, situation.schemas, situation.keys, situation.now);
    let change = Change::of(record, &view, situation.schemas, ops.iter());
    if change == Change::Another {
        return succeed(situation, ops, record, mint);
    }
    if acts(ops) && !record.meta.is_acted() {
        // No user is signed in who could act.
        return Err(SessionError::Gone);
    }
    // The fields may have been planted before the sign-in. A session that was taken over has a user
    // and no time of the sign-in.
    let first = record.meta.authenticated.is_none() && record.meta.principal.is_none();
    let clears = authenticated && (signs_in || first);
    let ops = if clears { on_cleared(ops, situation.now)? } else { Cow::Borrowed(ops) };
    let ops = &*ops;
    let mut writes = FieldWrites::new(ops.len());
    for op in ops {
        writes.push(situation, record, &view, op)?;
    }
    if clears {
        writes.remove(&situation.marked.planted, ops, &view.fields);
    }
    if change == Change::Leaves {
        writes.remove(&situation.marked.private, ops, &view.fields);
    }
    let FieldWrites { ops: mut field_ops, mut expect, privileged, explicit } = writes;
    // Who proves themselves again goes on with the sign-in that there is.
    if signs_in || (proves && pending.external.is_some()) {
        field_ops.extend(External::change(&record.fields, pending.external.as_deref()));
    }
    if change == Change::Leaves && record.meta.is_acted() {
        field_ops.push(FieldOp::new(Actor::FIELD, Op::Remove));
    }

    let raises = authenticated || (situation.keep.everything() && pending.renew) || privileged;
    let remember = pending.remember.filter(|_| situation.keep.everything());
    let mut meta = MetaPatch { authenticated, ..MetaPatch::default() };
    let realm = &record.meta.realm;
    meta.principal = principal.map(|op| principal_of(realm, op));
    meta.principal = meta.principal.filter(|principal| *principal != record.meta.principal);
    // A sign-in or sign-out does not inherit the `remember` duration of an earlier sign-in, not
    // even of the same user: the box may not be ticked this time.
    let changes_user = meta.principal.is_some() || (signs_in && principal.is_some());
    if authenticated || remember.is_some() || (changes_user && record.meta.remember.is_some()) {
        meta.lifetime = Some(lifetime(situation, (!changes_user).then_some(&record.meta)));
    }
    if signs_in && let Some(principal) = principal.and_then(|op| principal_of(realm, op)) {
        meta.sign_in = sign_in(situation, &principal)?;
    }
    let mut set = None;
    if raises && !situation.by_client {
        meta.raise = true;
    } else if raises {
        let token = mint(Some(record.id))?;
        meta.renew = Some(token.secret_hash(realm));
        set = Some(token);
    } else if situation.joins {
        let token = mint(Some(record.id))?;
        meta.join = Some(Box::new(token.secret_hash(realm)));
        set = Some(token);
    } else {
        if remember.is_some() {
            // The same token, in a cookie with a new expiry time.
            set = situation.token.cloned();
        }
        match rotation(situation, record, mint)? {
            Due::No => {}
            Due::Begun(next) => set = Some(next),
            Due::Now(next, rotate) => {
                set = Some(next);
                meta.rotate = Some(rotate);
            }
        }
    }
    if !field_ops.is_empty() || meta != MetaPatch::default() {
        if !field_ops.is_empty() {
            expect_versions(ops, record, &mut expect);
        }
        store_migration(situation, record, &view, &mut field_ops, &mut meta);
        if pending.unchanged {
            expect.push(Expect::Rev(record.meta.rev));
        }
    }
    let cookie = set.map(|token| {
        let kept = Lifetime {
            idle: None,
            absolute: Some(record.meta.expires_at().since(situation.now)),
            remember: record.meta.remember.is_some(),
        };
        cookie(situation, token, meta.lifetime.unwrap_or(kept))
    });
    let patch = Patch { meta, expect, ..Patch::of(field_ops) };
    if patch.is_empty() {
        return Ok(cookie.map_or(Plan::Nothing, Plan::Answer));
    }
    Ok(Plan::Apply(Apply {
        id: record.id,
        realm: record.meta.realm.clone(),
        epoch: record.meta.epoch,
        cookie,
        signs_in,
        explicit: proves || explicit,
        patch,
    }))
}

/// The field operations of the patch.
struct FieldWrites {
    ops: Vec<FieldOp>,
    expect: Vec<Expect>,
    /// Whether a field that grants privileges changes.
    privileged: bool,
    /// Whether a change must not be lost silently.
    explicit: bool,
}

impl FieldWrites {
    fn new(capacity: usize) -> Self {
        let ops = Vec::with_capacity(capacity);
        Self { ops, expect: Vec::new(), privileged: false, explicit: false }
    }

    fn push(
        &mut self,
        situation: &Situation<'_>,
        record: &Record,
        view: &View<'_>,
        op: &PendingOp,
    ) -> Result<(), SessionError> {
        migrated_meanwhile(situation, record, view, op)?;
        let mut next = Cow::Borrowed(&op.op);
        let minds = op.minds_conflicts() && matches!(op.op, Op::Set(_) | Op::Remove);
        if minds {
            let stored = op.field.names().find_map(|name| view.fields.get(name));
            match conflict::resolve(op, stored, situation.now)? {
                None => return Ok(()),
                Some(resolved) => next = Cow::Owned(resolved),
            }
        }
        if !changes(op.name(), &next, view) {
            return Ok(());
        }
        if minds {
            self.expect.extend(op.field.names().map(|name| Expect::Field {
                name: name.into(),
                value: record.fields.get(name).map(<[u8]>::to_vec),
            }));
        }
        if matches!(*next, Op::RemoveIf(_)) && view.changed(op.name()) {
            // Those bytes are not in the store yet; the expected version guards them.
            next = Cow::Owned(Op::Remove);
        }
        if let (Op::RemoveIf(seen), true) = (&*next, op.field.secret) {
            // The value was seen in plain text, but the store compares it encrypted.
            match record.fields.get(op.name()) {
                Some(stored) if view.fields.get(op.name()) == Some(seen) => {
                    next = Cow::Owned(Op::remove_if(stored));
                }
                _ => return Ok(()),
            }
        }
        self.privileged |= op.field.principal || op.field.renew;
        self.explicit |= op.is_explicit();
        self.ops.push(op.field_op(next.into_owned()));
        Ok(())
    }

    /// Removes `fields`, except those that the request itself sets.
    fn remove(&mut self, fields: &[&'static Field], ops: &[PendingOp], stored: &Fields) {
        let sets = |op: &&PendingOp| matches!(op.op, Op::Set(_) | Op::Add(_));
        for removal in removals(fields, stored) {
            let is_set = ops.iter().filter(sets).any(|op| op.name() == removal.name);
            if !is_set && !self.ops.iter().any(|op| op.name == removal.name) {
                self.ops.push(removal);
            }
        }
    }
}

/// Whether `op` changes what this request saw stored.
fn changes(name: &str, op: &Op, view: &View<'_>) -> bool {
    let stored = view.fields.get(name);
    match op {
        Op::Set(value) => {
            let same = |stored| same_value(stored, value);
            !stored.is_some_and(same) || view.is_stale(name)
        }
        Op::Remove | Op::RemoveIf(_) | Op::Take => stored.is_some(),
        Op::Add(add) => add.delta != 0,
    }
}

/// Fails if another version of the program has migrated the record since the handles saw it, and
/// changed this field: only fields that it left alone may still be changed.
fn migrated_meanwhile(
    situation: &Situation<'_>,
    record: &Record,
    view: &View<'_>,
    op: &PendingOp,
) -> Result<(), SessionError> {
    let Some(seen) = situation.seen else { return Ok(()) };
    let namespace = op.schema.namespace;
    let moved = seen.meta.versions.get(namespace) != record.meta.versions.get(namespace);
    if moved && !matches!(op.op, Op::Add(_)) {
        let then = View::of(seen, situation.schemas, situation.keys, situation.now);
        if then.fields.get(op.name()) != view.fields.get(op.name()) {
            return Err(SessionError::Conflict { field: Some(shown(op.name()).into_owned()) });
        }
    }
    Ok(())
}

/// Expects the versions under which the fields were read.
fn expect_versions(ops: &[PendingOp], record: &Record, expect: &mut Vec<Expect>) {
    for op in ops {
        let namespace = op.schema.namespace;
        let known =
            |it: &Expect| matches!(it, Expect::Version { namespace: it, .. } if *it == namespace);
        if !expect.iter().any(known) {
            let version = record.meta.versions.get(namespace);
            expect.reserve_exact(1);
            expect.push(Expect::Version { namespace: namespace.into(), version });
        }
    }
}

/// Stores the changes of the migration along with the others.
fn store_migration(
    situation: &Situation<'_>,
    record: &Record,
    view: &View<'_>,
    ops: &mut Vec<FieldOp>,
    meta: &mut MetaPatch,
) {
    for op in &view.ops {
        if !ops.iter().any(|later| later.name == op.name) {
            ops.push(op.clone());
        }
    }
    meta.versions.clone_from(&view.versions);
    if meta.principal.is_none() {
        // The same user under a new name.
        meta.principal = migrated_principal(record, view, situation.schemas).map(Some);
    }
}

/// Whether the token is due for rotation.
enum Due {
    No,
    /// Another request has begun the rotation; the next token is derived from the same nonce.
    Begun(SessionToken),
    Now(SessionToken, Box<Rotate>),
}

fn rotation(
    situation: &Situation<'_>,
    record: &Record,
    mint: Mint<'_>,
) -> Result<Due, SessionError> {
    let wanted = situation.pending.rotate && situation.head_open;
    let Some(token) = situation.token.filter(|_| wanted) else { return Ok(Due::No) };
    let realm = &record.meta.realm;
    if token.secret_hash(realm) != record.meta.secret {
        return Ok(Due::No);
    }
    if let Some(pending) = record.meta.renewal.pending() {
        return Ok(Due::Begun(token.next(pending.nonce)));
    }
    let nonce = RotationNonce(*mint(None)?.id().as_bytes());
    let next = token.next(nonce);
    let rotation = Rotation { nonce, next: next.secret_hash(realm) };
    Ok(Due::Now(next, Box::new(Rotate { from: record.meta.secret, rotation })))
}
