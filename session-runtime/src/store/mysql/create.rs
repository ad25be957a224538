//! New records: two round trips, one more where somebody makes room.

use super::failure::{DUPLICATE, Failure};
use super::layout::Tables;
use super::line::Line;
use super::row::{self, META};
use super::sign_in;
use super::sql::{Batch, Id, Now};
use super::work::Work;
use super::write;
use crate::patch::SignIn;
use crate::record::{EndedBy, Record};
use crate::store::contract::Created;
use crate::store::limits::Limits;
use crate::token::SecretHash;

/// A record on its way.
pub(super) struct Create<'c> {
    pub(super) tables: &'c Tables,
    pub(super) now: Now,
    pub(super) limits: &'c Limits,
    pub(super) record: &'c Record,
    pub(super) sign_in: SignIn,
    /// A commit was sent whose answer did not come.
    pub(super) doubt: bool,
}

impl Work for Create<'_> {
    type Answer = Created;

    async fn run(&mut self, line: &mut Line) -> Result<Created, Failure> {
        let (tables, record) = (self.tables, self.record);
        let mut batch = line.begin();
        let principal = record.meta.principal.as_ref();
        let held = principal.map(|it| sign_in::hold(&mut batch, tables, it, self.sign_in));
        // Before the tombstones are read: it waits for whoever is ending a
        // record of this id.
        write::insert(&mut batch, tables, record);
        let dead = batch.push(format_args!(
            "SELECT kept_until, secret FROM {} WHERE id = {}",
            tables.tombstone,
            Id(record.id)
        ));
        let clock = batch.clock(&self.now);
        let answers = match line.run(batch).await {
            Err(failure) if failure.number == Some(DUPLICATE) => return self.exists(line).await,
            answers => answers?,
        };
        let now = answers.time(clock)?;
        for row in answers.rows(dead) {
            if row::time(row::number(row, 0)?) > now {
                let ours = row::array(row, 1)?.map(SecretHash::from_bytes);
                // It was stored, and has ended since: one under another id
                // would undo that.
                let stored = self.doubt && ours == Some(record.meta.secret);
                return Ok(if stored { Created::Created } else { Created::Exists });
            }
        }
        if let Err(refused) = self.limits.check_new(&record.fields) {
            return Ok(Created::Refused(refused));
        }
        let mut batch = Batch::default();
        if let Some(held) = held.filter(|_| !self.sign_in.is_unconditional()) {
            match held.admit(line, tables, &answers, record.id, self.sign_in, now).await? {
                Err(denied) => return Ok(Created::Denied(denied)),
                Ok(evicted) => {
                    write::destroy(&mut batch, tables, &evicted, EndedBy::Elsewhere, now);
                }
            }
        }
        let fields: Vec<_> = record.fields.iter().collect();
        write::add_fields(&mut batch, tables, record.id, &fields);
        match line.commit(batch).await {
            Ok(()) => Ok(Created::Created),
            Err(failure) => {
                self.doubt |= failure.unknown;
                Err(failure)
            }
        }
    }
}

impl Create<'_> {
    /// There is a record of this id: ours, if we lost the answer to its commit.
    async fn exists(&self, line: &mut Line) -> Result<Created, Failure> {
        if !self.doubt {
            return Ok(Created::Exists);
        }
        let mut batch = Batch::default();
        let id = Id(self.record.id);
        let session = &self.tables.session;
        let own = batch.push(format_args!("SELECT {META} FROM {session} s WHERE s.id = {id}"));
        let answers = line.run(batch).await?;
        let meta = answers.rows(own).first().map(row::meta).transpose()?;
        // Nobody else has an id and a secret of 128 random bits each.
        Ok(match meta.is_some_and(|meta| meta.secret == self.record.meta.secret) {
            true => Created::Created,
            false => Created::Exists,
        })
    }
}
