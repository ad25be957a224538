//! Ending sessions: one, or those of a principal.

use super::failure::Failure;
use super::layout::Tables;
use super::line::Line;
use super::row::{self, META};
use super::sign_in;
use super::sql::{Batch, Id, Key, Millis, Now};
use super::work::Work;
use super::write;
use crate::id::SessionId;
use crate::patch::SignIn;
use crate::record::{Meta, Principal};
use crate::store::contract::Revoke;

/// The end of one record, whoever it belongs to or only if it is theirs.
pub(super) struct End<'c> {
    pub(super) tables: &'c Tables,
    pub(super) now: Now,
    pub(super) id: SessionId,
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
        write::destroy(&mut batch, self.tables, &[(self.id, meta)], now);
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

/// The end of all sessions of a principal, or all but one.
pub(super) struct EndAll<'c> {
    pub(super) tables: &'c Tables,
    pub(super) now: Now,
    pub(super) principal: &'c Principal,
    pub(super) which: Revoke,
    /// How many live ones ended in commits whose answers did not come.
    pub(super) doubt: u64,
}

impl Work for EndAll<'_> {
    type Answer = u64;

    async fn run(&mut self, line: &mut Line) -> Result<u64, Failure> {
        let tables = self.tables;
        let key = Key(self.principal.as_str());
        let mut batch = line.begin();
        sign_in::hold(&mut batch, tables, self.principal, SignIn::default());
        let theirs = batch
            .push(format_args!("SELECT id FROM {} WHERE principal_key = {key}", tables.session));
        let mut clock = batch.clock(&self.now);
        let mut answers = line.run(batch).await?;
        let ids = answers.rows(theirs).iter().map(row::id).collect::<Result<Vec<_>, _>>()?;
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
        write::destroy(&mut batch, tables, &ended, now);
        if self.which == Revoke::All {
            batch.push(format_args!(
                "UPDATE {} SET revoked_at = GREATEST(revoked_at, {}) WHERE principal_key = {key}",
                tables.revocation,
                Millis(now)
            ));
        }
        match line.commit(batch).await {
            Ok(()) => Ok(live.max(self.doubt)),
            Err(failure) => {
                if failure.unknown {
                    self.doubt = self.doubt.max(live);
                }
                Err(failure)
            }
        }
    }
}
