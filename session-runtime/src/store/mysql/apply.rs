//! Patches: a transaction of two round trips.

use std::sync::Arc;

use super::failure::Failure;
use super::layout::Tables;
use super::line::{Answers, Line};
use super::row::{self, FIELD, META};
use super::sign_in::{self, Held};
use super::sql::{Batch, Bytes, Id, Key, List, Now};
use super::work::Work;
use super::write;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::patch::{Conflict, Expect, FieldOp, Gone, MetaPatch, Op, Outcome, Patch, Refused};
use crate::record::{Applying, EndedBy, Meta, PatchLog, Principal, Record};
use crate::store::limits::{self, Growth, Limits};
use crate::store::packed;

/// A patch on its way.
pub(super) struct Apply<'c> {
    pub(super) tables: &'c Tables,
    pub(super) now: Now,
    pub(super) limits: &'c Limits,
    pub(super) id: SessionId,
    pub(super) epoch: u64,
    pub(super) patch: &'c Patch,
    /// The record's revision before a commit whose answer did not come.
    pub(super) doubt: Option<u64>,
}

/// Where the answers to the first round trip stand.
struct Asked {
    held: Option<Held>,
    own: usize,
    fields: Option<usize>,
    sizes: Option<usize>,
    clock: usize,
}

/// A stored field, as far as a write has to know it.
struct Stored {
    key: Vec<u8>,
    bytes: usize,
}

impl Work for Apply<'_> {
    type Answer = Outcome;

    async fn run(&mut self, line: &mut Line) -> Result<Outcome, Failure> {
        let who = self.principal(line).await?;
        let mut batch = line.begin();
        let asked = self.ask(&mut batch, who.as_ref());
        let answers = line.run(batch).await?;
        let now = answers.time(asked.clock)?;
        let Some(own) = answers.rows(asked.own).first() else {
            // Applied, and then destroyed? Nobody knows any more.
            return Ok(match self.doubt {
                Some(_) => Outcome::Uncertain,
                None => Outcome::Gone(Gone::Absent),
            });
        };
        let fields = asked.fields.map_or(&[][..], |fields| answers.rows(fields));
        let (meta, fields) = (row::meta(own)?, row::fields(fields)?);
        if let Some(outcome) = self.settle(&meta) {
            return Ok(outcome);
        }
        let before = Arc::new(Record::new(self.id, meta, fields));
        match before.apply(self.epoch, self.patch, now) {
            Applying::Answer(Outcome::Conflict(conflict)) => {
                let current = self.current(line, &before).await?;
                Ok(Outcome::Conflict(Conflict { current, ..conflict }))
            }
            Applying::Answer(answer) => Ok(answer),
            Applying::Stored(after, applied) => {
                let outcome = self.store(line, &asked, &answers, &before, &after, now).await?;
                Ok(outcome.unwrap_or(Outcome::Applied(applied)))
            }
        }
    }
}

impl Apply<'_> {
    /// Who signs in, if anybody does.
    async fn principal(&self, line: &mut Line) -> Result<Option<Principal>, Failure> {
        match &self.patch.meta.principal {
            Some(principal) => Ok(principal.clone()),
            None if self.patch.meta.sign_in.is_unconditional() => Ok(None),
            // Whose row has to be held stands in the record, and is locked first.
            None => sign_in::principal_of(line, self.tables, self.id).await,
        }
    }

    fn ask(&self, batch: &mut Batch, who: Option<&Principal>) -> Asked {
        let (tables, id) = (self.tables, Id(self.id));
        let Tables { session, field, .. } = tables;
        let held = who.map(|who| sign_in::hold(batch, tables, who, self.patch.meta.sign_in));
        let own =
            batch.push(format_args!("SELECT {META} FROM {session} s WHERE s.id = {id} FOR UPDATE"));
        let looked_at = self.looked_at();
        let fields = (!looked_at.is_empty()).then(|| {
            let keys = List(looked_at.iter().map(|name| Key(name)));
            batch.push(format_args!(
                "SELECT {FIELD} FROM {field} f WHERE f.session_id = {id} AND f.name_key IN ({keys})"
            ))
        });
        let sizes = limits::may_grow(&self.patch.ops).then(|| {
            batch.push(format_args!(
                "SELECT name_key, OCTET_LENGTH(name) + OCTET_LENGTH(COALESCE(raw, value)) \
                 FROM {field} WHERE session_id = {id}"
            ))
        });
        Asked { held, own, fields, sizes, clock: batch.clock(&self.now) }
    }

    /// The fields whose stored value decides something.
    fn looked_at(&self) -> Vec<&str> {
        let expected = self.patch.expect.iter().filter_map(|expect| match expect {
            Expect::Rev(_) | Expect::Version { .. } => None,
            Expect::Field { name, .. } => Some(&**name),
        });
        let reads = |op: &&FieldOp| matches!(op.op, Op::RemoveIf(_) | Op::Add(_) | Op::Take);
        expected.chain(self.patch.ops.iter().filter(reads).map(|op| &*op.name)).collect()
    }

    /// What is known now of a commit whose answer did not come. The row is
    /// locked, so it has happened or never will.
    fn settle(&mut self, meta: &Meta) -> Option<Outcome> {
        let before = self.doubt?;
        if !meta.patches.contains(self.patch.id) {
            // So many came since that ours would be forgotten.
            if meta.rev > before.saturating_add(PatchLog::LEN as u64) {
                return Some(Outcome::Uncertain);
            }
            self.doubt = None;
        }
        None
    }

    /// The whole record, for a caller who tries again on it.
    async fn current(&self, line: &mut Line, known: &Arc<Record>) -> Result<Arc<Record>, Failure> {
        let mut batch = Batch::default();
        let (field, id) = (&self.tables.field, Id(self.id));
        let all =
            batch.push(format_args!("SELECT {FIELD} FROM {field} f WHERE f.session_id = {id}"));
        let answers = line.run(batch).await?;
        let fields = row::fields(answers.rows(all))?;
        Ok(Arc::new(Record::new(self.id, known.meta.clone(), fields)))
    }

    /// Writes `after` and commits; or says why not.
    async fn store(
        &mut self,
        line: &mut Line,
        asked: &Asked,
        answers: &Answers,
        before: &Record,
        after: &Record,
        now: Timestamp,
    ) -> Result<Option<Outcome>, Failure> {
        let tables = self.tables;
        let sizes = asked.sizes.map_or(&[][..], |sizes| answers.rows(sizes));
        let stored = sizes.iter().map(|row| -> Result<_, Failure> {
            let key = row::bytes(row, 0)?.unwrap_or_default().to_vec();
            Ok(Stored { key, bytes: usize::try_from(row::number(row, 1)?).unwrap_or(0) })
        });
        let stored = stored.collect::<Result<Vec<_>, _>>()?;
        if let Err(refused) = self.fits(&stored, after) {
            return Ok(Some(Outcome::Refused(refused)));
        }
        let mut batch = Batch::default();
        let sign_in = self.patch.meta.sign_in;
        if let Some(principal) =
            after.meta.principal.as_ref().filter(|_| !sign_in.is_unconditional())
        {
            // Somebody else's by now: another row has to be held.
            let held = asked.held.as_ref().ok_or_else(Failure::moved)?;
            if held.principal != *principal {
                return Err(Failure::moved());
            }
            match held.admit(line, tables, answers, self.id, sign_in, now).await? {
                Err(denied) => return Ok(Some(Outcome::Denied(denied))),
                Ok(evicted) => {
                    write::destroy(&mut batch, tables, &evicted, EndedBy::Elsewhere, now);
                }
            }
        }
        self.write_fields(&mut batch, &stored, before, after);
        if self.patch.meta == MetaPatch::default() {
            // Naming no indexed column keeps the indexes out of it.
            batch.push(format_args!(
                "UPDATE {} SET rev = {}, patches = {} WHERE id = {}",
                tables.session,
                after.meta.rev.cast_signed(),
                Bytes(packed::patches_bytes(&after.meta.patches)),
                Id(self.id)
            ));
        } else {
            write::update(&mut batch, tables, self.id, &after.meta);
        }
        // Whatever ends this from here on, the deadline too, leaves a doubt.
        self.doubt = Some(before.meta.rev);
        match line.commit(batch).await {
            Ok(()) => Ok(None),
            Err(failure) => {
                if !failure.unknown {
                    self.doubt = None;
                }
                Err(failure)
            }
        }
    }

    /// Whether the record may become as large as `after`, which holds only some
    /// of its fields.
    fn fits(&self, stored: &[Stored], after: &Record) -> Result<(), Refused> {
        let ops = &self.patch.ops;
        if !limits::may_grow(ops) || *self.limits == Limits::NONE {
            return Ok(());
        }
        let changes = ops.iter().map(|op| {
            let size = after.fields.get(&op.name).map(<[u8]>::len);
            let mut growth = Growth::new(&op.name, None, size);
            let key = Key(&op.name).bytes();
            growth.before = stored.iter().find(|it| it.key == key).map_or(0, |it| it.bytes);
            growth
        });
        let changes: Vec<_> = changes.collect();
        self.limits.check(&changes, || stored.iter().map(|it| it.bytes).sum())
    }

    fn write_fields(&self, batch: &mut Batch, stored: &[Stored], before: &Record, after: &Record) {
        let (mut new, mut gone) = (Vec::new(), Vec::new());
        for op in &self.patch.ops {
            let name = &*op.name;
            match after.fields.get(name) {
                Some(value) if before.fields.get(name) == Some(value) => {}
                Some(value) => {
                    let key = Key(name).bytes();
                    match stored.iter().any(|it| it.key == key) {
                        true => write::set_field(batch, self.tables, self.id, name, value),
                        // A statement that would do either would lock gaps.
                        false => new.push((name, value)),
                    }
                }
                None => gone.push(name),
            }
        }
        // Of two operations on one name the later one counts: `after` has that.
        new.dedup_by_key(|(name, _)| *name);
        write::remove_fields(batch, self.tables, self.id, &gone);
        write::add_fields(batch, self.tables, self.id, &new);
    }
}
