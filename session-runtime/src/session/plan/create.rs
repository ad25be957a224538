//! Plans for a new record.

use std::borrow::Cow;
use std::sync::Arc;

use super::parts::{acts, cookie, lifetime, principal_op, sign_in};
use super::situation::{Create, Mint, Plan, Situation};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::record::patch::{FieldOp, Op, Refused, SignIn};
use crate::record::{Actor, External, Fields, Meta, Record, Versions};
use crate::session::op::{Made, PendingOp};
use crate::session::users::{
    Change, carried, carried_op, on_cleared, principal_of, stays_behind, without,
};
use crate::session::view::View;

/// What a new record starts from.
#[derive(Clone, Copy)]
pub(super) enum Beginning<'r> {
    Nothing,
    /// Everything this request saw in a session of the same user, or an anonymous one.
    Session(&'r Arc<Record>),
    /// The `carry_over` fields of another user's session.
    OfAnother(&'r Arc<Record>),
}

/// Plans a new record for a sign-in whose record is gone. If another sign-in superseded that one,
/// the new record starts from what this request saw.
pub(crate) fn fork(
    situation: &Situation<'_>,
    snapshot: Option<&Arc<Record>>,
    mint: Mint<'_>,
) -> Result<Plan, SessionError> {
    let ops = &situation.pending.ops;
    let beginning = snapshot.map_or(Beginning::Nothing, |record| {
        let view = View::of(record, situation.schemas, situation.keys, situation.now);
        match Change::of(record, &view, situation.schemas, ops.iter()) {
            Change::Another => Beginning::OfAnother(record),
            Change::None | Change::Leaves => Beginning::Session(record),
        }
    });
    create(situation, ops, beginning, mint)
}

/// Plans a session for another user than that of `record`, whose session ends.
pub(super) fn succeed(
    situation: &Situation<'_>,
    ops: &[PendingOp],
    record: &Arc<Record>,
    mint: Mint<'_>,
) -> Result<Plan, SessionError> {
    let mut plan = create(situation, ops, Beginning::OfAnother(record), mint)?;
    if let Plan::Create(Create { ends, .. }) = &mut plan {
        // Who acts as another user stays signed in.
        let stays = acts(ops) && !record.meta.is_acted();
        *ends = (!stays).then_some(record.id);
    }
    Ok(plan)
}

pub(super) fn create(
    situation: &Situation<'_>,
    ops: &[PendingOp],
    beginning: Beginning<'_>,
    mint: Mint<'_>,
) -> Result<Plan, SessionError> {
    let (pending, acts) = (situation.pending, acts(ops));
    let authenticated = situation.keep.everything() && pending.authenticated && !acts;
    let ops = if authenticated { on_cleared(ops, situation.now)? } else { Cow::Borrowed(ops) };
    let Below { mut fields, mut versions, mut ops } = below(situation, &ops, beginning)?;
    if authenticated {
        // An attacker may have planted these before the sign-in.
        fields = without(&fields, &situation.marked.planted);
    }
    // No field has its name, so the changes below do not matter to it.
    let external = match authenticated {
        true => External::change(&fields, pending.external.as_deref()),
        false => None,
    };
    let fields = loop {
        match fields.apply_all(ops.iter().map(|op| (op.name(), &op.op))) {
            Ok((fields, _)) => break fields,
            // Leave out only the addition to a value that is not an integer.
            Err(Refused::NotAnInteger { field }) => ops.to_mut().retain(|op| op.name() != field),
            Err(refused) => return Err(SessionError::Refused(refused)),
        }
    };
    let own = match beginning {
        Beginning::OfAnother(record) if acts => {
            let actor = Actor::from(record).ok_or(SessionError::Gone)?;
            Some(FieldOp::new(Actor::FIELD, Op::set(actor.to_json())))
        }
        _ if acts => return Err(SessionError::Gone),
        _ => external,
    };
    let fields = match own {
        Some(op) => fields.apply(&[op]).map_err(SessionError::Refused)?.0,
        None => fields,
    };
    // A record is created only when something is set.
    let sets = ops.iter().any(|op| matches!(op.op, Op::Set(_) | Op::Add(_)));
    let principal = principal_op(&*ops);
    let proves = authenticated && principal.is_none();
    if !sets && !proves {
        return Ok(Plan::Nothing);
    }
    let after = situation.after.filter(|_| !acts);
    let token = mint(after.map(|over| over.successor()))?;
    let lifetime = lifetime(situation, None);
    let mut meta = Meta::new(token.secret_hash(situation.realm), situation.now, lifetime);
    meta.realm = situation.realm.clone();
    meta.principal = principal.and_then(|op| principal_of(situation.realm, op));
    meta.authenticated =
        (authenticated && (meta.principal.is_some() || proves)).then_some(situation.now);
    for schema in ops.iter().map(|op| op.schema) {
        if versions.get(schema.namespace) < schema.version {
            versions.set(schema.namespace, schema.version);
        }
    }
    meta.versions = versions;
    let sign_in = match &meta.principal {
        Some(principal) if authenticated => sign_in(situation, principal)?,
        _ => SignIn::default(),
    };
    let record = Record::new(token.id(), meta, fields);
    let cookie = cookie(situation, token, lifetime);
    let from = match beginning {
        Beginning::Session(record) => Some(Arc::clone(record)),
        Beginning::Nothing | Beginning::OfAnother(_) => None,
    };
    let (record, follows) = (Arc::new(record), after.is_some());
    Ok(Plan::Create(Create { record, sign_in, cookie, from, ends: None, follows }))
}

/// The base below a request's changes, and those changes as they apply there.
struct Below<'p> {
    fields: Fields,
    versions: Versions,
    ops: Cow<'p, [PendingOp]>,
}

fn below<'p>(
    situation: &Situation<'_>,
    ops: &'p [PendingOp],
    beginning: Beginning<'_>,
) -> Result<Below<'p>, SessionError> {
    let view = |record| View::of(record, situation.schemas, situation.keys, situation.now);
    Ok(match beginning {
        Beginning::Nothing => {
            let fields = Fields::new();
            let ops = on_carried(ops, &fields, situation.now)?;
            Below { fields, versions: Versions::default(), ops }
        }
        Beginning::Session(record) => {
            let view = view(record);
            let versions = with_migrated(record.meta.versions.clone(), &view);
            Below { fields: view.fields.into_owned(), versions, ops: Cow::Borrowed(ops) }
        }
        Beginning::OfAnother(record) => {
            let view = view(record);
            let fields = carried(&view, situation.marked, situation.now);
            let mut versions = Versions::default();
            for (name, _) in fields.iter() {
                let namespace = name.split_once(':').map_or("", |(namespace, _)| namespace);
                versions.set(namespace, record.meta.versions.get(namespace));
            }
            let ops = on_carried(ops, &fields, situation.now)?;
            Below { fields, versions: with_migrated(versions, &view), ops }
        }
    })
}

/// Translates `ops`, made on another session, to one that begins with `carried`.
fn on_carried<'p>(
    ops: &'p [PendingOp],
    carried: &Fields,
    now: Timestamp,
) -> Result<Cow<'p, [PendingOp]>, SessionError> {
    // What was set from scratch means the same anywhere.
    let anew = |op: &PendingOp| {
        matches!(op.op, Op::Set(_) | Op::Remove) && op.made == Made::Anew && !op.minds_conflicts()
    };
    if ops.iter().all(anew) {
        return Ok(Cow::Borrowed(ops));
    }
    let mut meant = Vec::with_capacity(ops.len());
    for op in ops {
        match carried_op(op, carried, now)? {
            Some(here) => meant.push(PendingOp { op: here.into_owned(), ..op.clone() }),
            None if op.made == Made::InPlace && !op.minds_conflicts() => stays_behind(op),
            None => {}
        }
    }
    Ok(Cow::Owned(meant))
}

fn with_migrated(mut versions: Versions, view: &View<'_>) -> Versions {
    for (namespace, version) in &view.versions {
        versions.set(namespace, *version);
    }
    versions
}
