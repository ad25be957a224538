//! Turns the changes of a handle into pending changes of its request.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use super::core::{Change, Core, How, KeyedChange, Publish};
use super::op::{Made, PendingOp};
use super::scope::{Backend, Origin, State};
use super::users::{self, without};
use super::value;
use super::view::View;
use crate::clock::Timestamp;
use crate::codec::same_value;
use crate::error::SessionError;
use crate::inline::FieldBytes;
use crate::record::patch::{Op, Refused};
use crate::record::{Fields, KEYED, Record, shown};
use crate::schema::{ConflictPolicy, Field, FieldKind};

impl Core {
    /// Publishes the changes to the request.
    pub(super) fn publish(&mut self, what: Publish) {
        if !self.dirty {
            return;
        }
        let events = std::mem::take(&mut self.events);
        let changes = self.take_changes();
        let keyed = std::mem::take(&mut self.keyed);
        // First, so that a panic in a value's `Serialize` does not leave the count too high.
        self.dirty = false;
        let backend = &*self.backend;
        let clock = OnceCell::new();
        // Read only when it is needed: few fields depend on the time.
        let now = || *clock.get_or_init(|| backend.now());
        let scope = backend.scope();
        scope.became_clean();
        let mut state = scope.state();
        let current = state.generation == self.generation;
        if !current {
            tracing::debug!(
                schema = self.schema.name,
                "changes of a session that this request destroyed meanwhile are dropped"
            );
        }
        let publication = scope.publishes(&mut state);
        let others_view = scope.is_shared();
        state.pending.ops.reserve_exact(changes.len());
        // A handle has at most one change per field.
        let others = state.pending.ops.len();
        let mut settled = Vec::new();
        for change in changes {
            if !current {
                break;
            }
            let field = self.field(usize::from(change.index));
            if !what.everything() && !field.principal && !field.renew {
                continue;
            }
            let in_place = change.how == How::Touched && field.conflict == ConflictPolicy::LastWins;
            let mut publish = || {
                self.ops_of(&change, now, |op| {
                    if what.everything() || op.takes_privileges() {
                        let unseen =
                            state.changes_unseen(field.name, change.seen, publication, others_view);
                        if unseen && in_place {
                            self.warn_of_two(field);
                        }
                        if let (Op::Set(stored), Some(audit)) = (&op.op, backend.audit()) {
                            audit.stored(self.schema, field, stored);
                        }
                        // Setting the principal counts as an authentication even if the value is
                        // unchanged.
                        state.pending.authenticated |=
                            op.field.principal && !op.clears() && op.made != Made::Acts;
                        state.pending.push_among(others, op, now);
                    }
                })
            };
            let published = match what {
                Publish::Everything | Publish::Last => publish(),
                // A second panic while the handler unwinds would abort the process.
                Publish::SignOutOnly => {
                    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(publish)) {
                        Ok(published) => published,
                        Err(_) => continue,
                    }
                }
            };
            match published {
                Ok(()) if what == Publish::Last => {}
                Ok(()) => settled.push(change),
                Err(error) => state.pending.fail(error),
            }
        }
        if current && what.everything() {
            for change in keyed {
                match self.ops_of_keyed(&change, now()) {
                    Ok(ops) => ops.into_iter().for_each(|op| {
                        if let (Op::Set(stored), Some(audit)) = (&op.op, backend.audit()) {
                            audit.stored(self.schema, op.field, stored);
                        }
                        state.pending.push(op, now());
                    }),
                    Err(error) => state.pending.fail(error),
                }
            }
            if self.schema.has_expiring_fields() && state.pending.has_changes() {
                self.expired(now()).for_each(|op| state.pending.push_if_free(op));
            }
            state.pending.authenticated |= events.authenticated;
            state.pending.renew |= events.renew;
            state.pending.remember = events.remember.or(state.pending.remember);
            if events.ticket.is_some() {
                state.pending.ticket = events.ticket;
            }
            if events.external.is_some() {
                state.pending.external = events.external;
            }
        }
        drop(state);
        settled.into_iter().for_each(|change| self.settle(change));
    }

    /// Two handles changed `field` from the same value, so one change is lost.
    #[cold]
    fn warn_of_two(&self, field: &Field) {
        tracing::warn!(
            schema = self.schema.name,
            field = field.name,
            "two handles of one request changed a field that one of them borrowed before the other had published: only the later change is kept; call `publish()` on the first handle before the second one borrows, use one handle, or declare a `merge`"
        );
    }

    /// Passes the operations of a change to `push`; none if nothing changed.
    pub(super) fn ops_of(
        &self,
        change: &Change,
        now: impl Fn() -> Timestamp,
        mut push: impl FnMut(PendingOp),
    ) -> Result<(), SessionError> {
        let field = self.field(usize::from(change.index));
        let seq = change.seq;
        let made = self.made(change);
        let make =
            |op, under, base| PendingOp { field, schema: self.schema, seq, op, under, base, made };
        let op = match &change.how {
            How::Set | How::Acts => {
                value::set_or_remove(field, value::encode(field, &change.value, now)?)
            }
            How::Reset => Op::Remove,
            How::Added(add) if add.delta == 0 => return Ok(()),
            How::Added(add) => Op::Add(*add),
            How::Touched => match self.touched(field, change, now)? {
                Some(value) => value::set_or_remove(field, value),
                None => return Ok(()),
            },
            How::Taken => {
                // A value that does not decode was not handed out, and one for a response without a
                // body was not shown: both stay.
                if self.backend.is_head() || matches!(self.decode(field), Some(Err(_))) {
                    return Ok(());
                }
                for name in field.names() {
                    if let Some(bytes) = self.fields().get(name) {
                        let alias = (name != field.name).then(|| name.into());
                        push(make(Op::remove_if(bytes), alias, None));
                    }
                }
                return Ok(());
            }
        };
        if let (true, Op::Set(stored)) = (field.principal, &op)
            && !value::has_one_text_by_type(&*change.value)
        {
            value::identifying(field, stored)?;
        }
        if op == Op::Remove || field.principal {
            // A removed field must not come back under an alias, nor may an alias keep another
            // principal signed in.
            for &alias in field.aliases {
                push(make(Op::Remove, Some(alias.into()), None));
            }
        }
        if op == Op::Remove && field.kind == (FieldKind::Nonce { keyed: true }) {
            for name in value::stored_names(field, self.fields()) {
                push(make(Op::Remove, Some(name), None));
            }
            return Ok(());
        }
        let base = match field.conflict {
            ConflictPolicy::LastWins => None,
            _ => self.stored(field).map(|(_, bytes)| bytes.to_vec()),
        };
        push(make(op, None, base));
        Ok(())
    }

    fn made(&self, change: &Change) -> Made {
        if change.how == How::Acts {
            return Made::Acts;
        }
        let (How::Touched, Some(record)) = (&change.how, &self.record) else {
            return Made::Anew;
        };
        let mut names = self.field(usize::from(change.index)).names();
        match names.any(|name| record.fields.get(name).is_some()) {
            true => Made::InPlace,
            false => Made::Anew,
        }
    }

    fn ops_of_keyed(
        &self,
        change: &KeyedChange,
        now: Timestamp,
    ) -> Result<Vec<PendingOp>, SessionError> {
        let (index, seq) = (usize::from(change.index), change.seq);
        let field = self.field(index);
        let make = |name, op| PendingOp {
            field,
            schema: self.schema,
            seq,
            op,
            under: Some(Cow::Owned(name)),
            base: None,
            made: Made::Anew,
        };
        let name = format!("{}{KEYED}{}", field.name, change.name);
        if let Some(limit) = value::is_too_long(&change.name) {
            let field = shown(&name).into_owned();
            return Err(SessionError::Refused(Refused::TooLarge { field, limit }));
        }
        let bytes = value::encode(field, &change.value, || now)?;
        let adding = usize::from(self.fields().get(&name).is_none());
        let crowded_out = self.crowded_out(index, adding, now).into_iter();
        let mut ops: Vec<_> = crowded_out
            .filter(|(other, _)| *other != name)
            .map(|(other, bytes)| make(other, Op::remove_if(bytes)))
            .collect();
        ops.push(make(name, Op::Set(bytes)));
        Ok(ops)
    }

    /// Removes expired values, along with a change.
    fn expired(&self, now: Timestamp) -> impl Iterator<Item = PendingOp> {
        let expiring = self.schema.fields.iter().filter(|field| field.ttl.is_some());
        let names = expiring.flat_map(|field| {
            let names = value::stored_names(field, self.fields()).into_iter();
            names.map(move |name| (field, name))
        });
        names.filter_map(move |(field, name)| {
            let bytes = self.fields().get(&name)?;
            value::live(field, bytes, now).is_none().then(|| PendingOp {
                field,
                schema: self.schema,
                seq: 0,
                op: Op::remove_if(bytes),
                under: Some(name.clone()),
                base: None,
                made: Made::Anew,
            })
        })
    }

    /// Returns the new bytes of a field that was borrowed mutably, if it changed.
    fn touched(
        &self,
        field: &'static Field,
        change: &Change,
        now: impl Fn() -> Timestamp,
    ) -> Result<Option<FieldBytes>, SessionError> {
        let value = value::encode(field, &change.value, &now)?;
        let live = |(_, bytes)| value::current(field, bytes, &now).map(|_| bytes);
        let unchanged = match (&change.before, self.stored(field).and_then(live)) {
            (Some(before), _) => same_value(before, value::bare(field, &value)),
            (None, Some(bytes)) => value::same(field, bytes, &value),
            (None, None) => {
                same_value(&value::json(field, &field.default_value())?, value::bare(field, &value))
            }
        };
        if unchanged {
            return Ok(None);
        }
        if matches!(self.decode(field), Some(Err(_))) {
            // The stored bytes do not decode, so the default was lent instead: storing it would
            // destroy them.
            return Err(SessionError::Undecodable { field: field.name });
        }
        Ok(Some(value))
    }
}

impl State {
    /// Returns the session as the next handle of this request sees it: the stored record, if any,
    /// and its fields with the published changes.
    pub(super) fn projected(&self, backend: &dyn Backend) -> (Option<Arc<Record>>, Fields) {
        let pending = &self.pending.ops;
        let Origin::Stored(record) = &self.origin else {
            return (None, project(Fields::new(), pending, |op| Some(Cow::Borrowed(&op.op))));
        };
        let now = backend.now();
        let view = View::of(record, &self.schemas, backend.keys(), now);
        let whole = |fields| {
            let fields = project(fields, pending, |op| Some(Cow::Borrowed(&op.op)));
            (Some(Arc::clone(record)), fields)
        };
        match users::Change::of(record, &view, &self.schemas, pending.iter()) {
            users::Change::None => whole(view.fields.into_owned()),
            users::Change::Leaves => whole(without(&view.fields, &backend.marked().private)),
            // The new session is not stored yet, and takes only the `carry_over` fields.
            users::Change::Another => {
                let carried = users::carried(&view, backend.marked(), now);
                let op = |op| users::carried_op(op, &carried, now).ok().flatten();
                (None, project(carried.clone(), pending, op))
            }
        }
    }
}

fn project<'p>(
    mut fields: Fields,
    pending: &'p [PendingOp],
    meaning: impl Fn(&'p PendingOp) -> Option<Cow<'p, Op>>,
) -> Fields {
    for op in pending {
        let Some(meant) = meaning(op) else { continue };
        // An addition to bytes that are not an integer is skipped here; the commit reports it.
        if let Ok((next, _)) = fields.apply_all(std::iter::once((op.name(), &*meant))) {
            fields = next;
        }
    }
    fields
}
