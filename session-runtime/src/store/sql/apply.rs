//! Applying a patch.

use std::borrow::Cow;
use std::sync::Arc;

use super::line::Line;
use super::load::lock;
use super::place::Place;
use super::server::{Server, Work};
use super::sign_in::{self, Admitted};
use super::{Arg, Dialect, Fault};
use crate::id::SessionId;
use crate::record::form::{self, Base, Form};
use crate::record::patch::{Applied, Gone, Outcome, Patch};
use crate::record::{Applying, Principal, Record};
use crate::store::engine::{self, Doubt, Failure};

pub(super) async fn apply<D: Dialect>(
    server: &Server<D>,
    id: SessionId,
    epoch: u64,
    patch: &Patch,
    read: Option<&Arc<Record>>,
) -> Result<Outcome, Failure> {
    let read = read.filter(|it| it.id == id && it.meta.epoch == epoch && it.note.stamp != 0);
    let patch = Cow::Borrowed(patch);
    let mut apply = Apply { id, epoch, patch, read, is_refused: false, decided_on: None };
    match server.perform(&mut apply).await {
        Err(failure) if failure.doubt == Doubt::MaybeDone => {
            tracing::warn!(%failure, %id, "a patch may or may not have been stored");
            Ok(Outcome::Uncertain)
        }
        answer => answer,
    }
}

struct Apply<'c> {
    id: SessionId,
    epoch: u64,
    patch: Cow<'c, Patch>,
    /// The record as the caller has read it.
    read: Option<&'c Arc<Record>>,
    /// Whether that record is not what is stored, or it is unknown.
    is_refused: bool,
    /// The revision for which a patch was first sent.
    decided_on: Option<u64>,
}

impl<D: Dialect> Work<D> for Apply<'_> {
    type Answer = Outcome;

    async fn run(&mut self, line: &mut Line<'_, D>, doubt: Doubt) -> Result<Outcome, Fault> {
        if doubt == Doubt::MaybeDone && self.patch.again.is_none() {
            // The log may have forgotten the patch by now.
            self.patch.to_mut().again = self.decided_on;
        }
        if let Some(before) = self.read.filter(|_| !self.is_refused && self.patch.meta.is_plain()) {
            self.is_refused = true;
            if let Some(applied) = self.change(line, before).await? {
                return Ok(Outcome::Applied(applied));
            }
        }
        let is_conditional = !self.patch.meta.sign_in.is_unconditional();
        let mut held = if is_conditional { self.principals(line).await? } else { Vec::new() };
        loop {
            line.begin().await?;
            for principal in &held {
                sign_in::hold(line, principal).await?;
            }
            match self.decide(line, &held, doubt).await? {
                Step::Answer(outcome) => return Ok(outcome),
                Step::Hold(principals) => {
                    line.roll_back().await?;
                    held = principals;
                }
                Step::Again => line.commit().await?,
            }
        }
    }
}

/// The result of a transaction.
enum Step {
    Answer(Outcome),
    /// The session's principal has changed: these have to be held.
    Hold(Vec<Principal>),
    /// Part of the index was tidied; repeat for the rest.
    Again,
}

impl Apply<'_> {
    /// Changes the session if it is still the one that was read.
    async fn change<D: Dialect>(
        &mut self,
        line: &mut Line<'_, D>,
        before: &Arc<Record>,
    ) -> Result<Option<Applied>, Fault> {
        let server = line.server();
        // A refusal is not final: the stored record may differ.
        let stored = before.apply(self.epoch, &self.patch, server.clock.now());
        let Applying::Stored(after, applied) = stored else { return Ok(None) };
        let ops = &self.patch.ops;
        if server.limits.check_change(&before.fields, &after.fields, ops).is_err() {
            return Ok(None);
        }
        let Some(as_read) = form::as_read(before) else { return Ok(None) };
        let form = engine::replacement(before, &after)?;
        let id = self.id.to_string();
        let guard =
            [Arg::Text(&id), Arg::Int(as_read.len() as i64), Arg::Bytes(&as_read), server.frozen()];
        let change = &line.sql().change;
        let (sql, mut args) = match new_base(before, &form) {
            None => (&change.kept, vec![Arg::Bytes(&form.value)]),
            Some(base) => (&change.new, vec![Arg::Bytes(&form.value), base]),
        };
        args.extend(guard);
        self.decided_on.get_or_insert(before.meta.rev);
        let written = line.write(sql, &args).await?;
        Ok((written > 0).then_some(applied))
    }

    /// Returns the principals to hold, as far as they are known before the session is locked: the
    /// one that signs in, and that of the session.
    async fn principals<D: Dialect>(
        &self,
        line: &mut Line<'_, D>,
    ) -> Result<Vec<Principal>, Fault> {
        let before = match self.read {
            Some(read) => read.meta.principal.clone(),
            None => {
                let args = [line.server().frozen(), Arg::Text(&self.id.to_string())];
                let row = line.run(&line.sql().select, &args).await?.into_first();
                match row {
                    Some(mut row) => sign_in::principal_of(&row.bytes(0)?),
                    None => None,
                }
            }
        };
        Ok(self.holds(before.as_ref()))
    }

    /// Returns the principals that a sign-in holds if the session belonged to `before` until then.
    fn holds(&self, before: Option<&Principal>) -> Vec<Principal> {
        let after = match &self.patch.meta.principal {
            Some(after) => after.as_ref(),
            None => before,
        };
        // This is a sign-out.
        let Some(after) = after else { return Vec::new() };
        let mut holds: Vec<_> = before.into_iter().chain([after]).cloned().collect();
        // In the same order everywhere, to avoid deadlocks.
        holds.sort_unstable_by_key(|it| *it.hash().as_bytes());
        holds.dedup();
        holds
    }

    /// Decides by what is stored, while it is locked, and stores the result.
    async fn decide<D: Dialect>(
        &mut self,
        line: &mut Line<'_, D>,
        held: &[Principal],
        doubt: Doubt,
    ) -> Result<Step, Fault> {
        let stored = lock(line, self.id).await?;
        let now = stored.now;
        let answer = |outcome| Ok(Step::Answer(outcome));
        let Some(before) = engine::record_of(self.id, &stored)? else {
            return answer(match doubt {
                Doubt::None => Outcome::Gone(Gone::Absent),
                Doubt::MaybeDone => Outcome::Uncertain,
            });
        };
        let patch = &self.patch;
        let (after, applied) = match before.apply(self.epoch, patch, now) {
            Applying::Answer(outcome) => return answer(outcome),
            Applying::Stored(after, applied) => (after, applied),
        };
        let limits = line.server().limits;
        if let Err(refused) = limits.check_change(&before.fields, &after.fields, &patch.ops) {
            return answer(Outcome::Refused(refused));
        }
        let (sign_in, mut evicted) = (patch.meta.sign_in, Vec::new());
        if !sign_in.is_unconditional() {
            let holds = self.holds(before.meta.principal.as_ref());
            if holds != held {
                return Ok(Step::Hold(holds));
            }
            match sign_in::admit(line, &after, sign_in, now).await? {
                Admitted::After(some) => evicted = some,
                Admitted::Denied(denied) => return answer(Outcome::Denied(denied)),
                Admitted::Later => return Ok(Step::Again),
            }
        }
        // An expired session may have left the index.
        let all = before.meta.is_expired(now) || Index::of(&before) != Index::of(&after);
        replace(line, &before, &after, all).await?;
        self.decided_on.get_or_insert(before.meta.rev);
        line.commit().await?;
        answer(Outcome::Applied(Applied { evicted, ..applied }))
    }
}

/// Replaces the stored form under the lock; with `all`, the indexed columns too.
async fn replace<D: Dialect>(
    line: &mut Line<'_, D>,
    before: &Record,
    after: &Record,
    all: bool,
) -> Result<(), Fault> {
    let form = engine::replacement(before, after)?;
    let index = Index::of(after);
    let id = after.id.to_string();
    let sql = line.sql();
    let by_base = if all { &sql.replace_all } else { &sql.replace };
    let (sql, mut args) = match new_base(before, &form) {
        None => (&by_base.kept, vec![Arg::Bytes(&form.value)]),
        Some(base) => (&by_base.new, vec![Arg::Bytes(&form.value), base]),
    };
    if all {
        args.extend(index.args());
    }
    args.push(Arg::Text(&id));
    line.run(sql, &args).await?;
    Ok(())
}

/// Returns the new value of the base's column; `None` if it does not change.
fn new_base<'f>(before: &Record, form: &'f Form) -> Option<Arg<'f>> {
    match &form.base {
        Base::New(base) => Some(Arg::Bytes(base)),
        Base::Inside if before.note.is_apart() => Some(Arg::MaybeBytes(None)),
        Base::Inside | Base::Kept => None,
    }
}

/// The indexed columns of a session.
#[derive(PartialEq)]
pub(super) struct Index {
    expires: i64,
    theirs: Option<([u8; 16], Place)>,
}

impl Index {
    pub(super) fn of(record: &Record) -> Self {
        let meta = &record.meta;
        let principal = meta.principal.as_ref().map(|it| *it.hash().as_bytes());
        Self {
            expires: super::dialect::millis(meta.expires_at()),
            theirs: principal.map(|it| (it, Place::of_session(record.id, meta))),
        }
    }

    /// Returns expiry time, sweep time, principal and place.
    pub(super) fn args(&self) -> [Arg<'_>; 4] {
        let theirs = self.theirs.as_ref();
        [
            Arg::Int(self.expires),
            Arg::Int(self.expires),
            Arg::MaybeBytes(theirs.map(|(principal, _)| principal.as_slice())),
            Arg::MaybeBytes(theirs.map(|(_, place)| place.as_bytes())),
        ]
    }
}
