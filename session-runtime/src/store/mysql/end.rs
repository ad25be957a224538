//! Ending sessions: one, or those of a principal.

use super::failure::Failure;
use super::layout::Tables;
use super::line::Line;
use super::row::{self, META};
use super::sign_in;
use super::sql::{After, Batch, Id, Key, Millis, Now};
use super::work::Work;
use super::write;
use crate::id::SessionId;
use crate::patch::SignIn;
use crate::record::{Meta, Principal};
use crate::store::contract::{Cursor, EndedBy, Revoke, Revoked};

/// The end of one record, whoever it belongs to or only if it is theirs.
pub(super) struct End<'c> {
    pub(super) tables: &'c Tables,
    pub(super) now: Now,
    pub(super) id: SessionId,
    pub(super) by: EndedBy,
    pub(super) only_of: Option<&'c Principal>,
    /// Whether it was live when a commit was sent whose answer did not come.
    pub(super) doubt: Option<bool>,
}

impl Work for End<'_> {
    type Answer = bool;

    async fn run(&mut self, line: &mut Line) -> Result<bool, Failure> {
        let mut batch = line.begin();
        let session = &self.tables.session;
        let own = batch.push(format_args!(
            "SELECT {META} FROM {session} s WHERE s.id = {} FOR UPDATE",
            Id(self.id)
        ));
        let clock = batch.clock(&self.now);
        let answers = line.run(batch).await?;
        let Some(meta) = answers.rows(own).first().map(row::meta).transpose()? else {
            return Ok(self.doubt.unwrap_or(false));
        };
        if self.only_of.is_some() && self.only_of != meta.principal.as_ref() {
            return Ok(false);
        }
        let now = answers.time(clock)?;
        let live = !meta.is_expired(now);
        let mut batch = Batch::default();
        write::destroy(&mut batch, self.tables, &[(self.id, meta)], self.by, now);
        match line.commit(batch).await {
            Ok(()) => Ok(live),
            Err(failure) => {
                if failure.unknown {
                    self.doubt = Some(live);
                }
                Err(failure)
            }
        }
    }
}

/// How many sessions one step of a revocation ends.
const STEP: usize = 500;

/// A step of the end of all sessions of a principal, or all but one.
pub(super) struct EndAll<'c> {
    pub(super) tables: &'c Tables,
    pub(super) now: Now,
    pub(super) principal: &'c Principal,
    pub(super) which: Revoke,
    /// Where it goes on; `None` at the beginning.
    pub(super) after: Option<SessionId>,
    pub(super) doubt: Doubt,
}

/// What commits did whose answers did not come.
#[derive(Default)]
pub(super) struct Doubt {
    /// How many live ones they ended.
    live: u64,
    /// The last session of their step, if it was not the last step: the step that
    /// is tried again is the same.
    last: Option<SessionId>,
}

impl Work for EndAll<'_> {
    type Answer = Revoked;

    async fn run(&mut self, line: &mut Line) -> Result<Revoked, Failure> {
        let tables = self.tables;
        let key = Key(self.principal.as_str());
        let mut batch = line.begin();
        sign_in::hold(&mut batch, tables, self.principal, SignIn::default());
        let theirs = batch.push(format_args!(
            "SELECT id FROM {} WHERE principal_key = {key} AND id > {} {} ORDER BY id LIMIT {STEP}",
            tables.session,
            After(self.after),
            self.doubt.last.map_or_else(String::new, |last| format!("AND id <= {}", Id(last)))
        ));
        let mut clock = batch.clock(&self.now);
        let mut answers = line.run(batch).await?;
        let ids = answers.rows(theirs).iter().map(row::id).collect::<Result<Vec<_>, _>>()?;
        let last = ids.last().filter(|_| ids.len() == STEP).copied().or(self.doubt.last);
        let ids: Vec<_> = ids.into_iter().filter(|id| self.which.ends(*id)).collect();
        let mut ended: Vec<(SessionId, Meta)> = Vec::new();
        if !ids.is_empty() {
            let mut batch = Batch::default();
            let locked = sign_in::lock(&mut batch, tables, &ids);
            clock = batch.clock(&self.now);
            answers = line.run(batch).await?;
            ended = sign_in::metas(answers.rows(locked))?;
            // Somebody may have signed out meanwhile.
            ended.retain(|(_, meta)| meta.principal.as_ref() == Some(self.principal));
        }
        let now = answers.time(clock)?;
        let live = ended.iter().filter(|(_, meta)| !meta.is_expired(now)).count() as u64;
        let mut batch = Batch::default();
        write::destroy(&mut batch, tables, &ended, EndedBy::Elsewhere, now);
        if self.which == Revoke::All && self.after.is_none() {
            batch.push(format_args!(
                "UPDATE {} SET revoked_at = GREATEST(revoked_at, {}) WHERE principal_key = {key}",
                tables.revocation,
                Millis(now)
            ));
        }
        match line.commit(batch).await {
            Ok(()) => {
                let ended = Revoked::done(live.max(self.doubt.live));
                Ok(ended.and_then(last.map(Cursor::after)))
            }
            Err(failure) => {
                if failure.unknown {
                    self.doubt = Doubt { live: live.max(self.doubt.live), last };
                }
                Err(failure)
            }
        }
    }
}
