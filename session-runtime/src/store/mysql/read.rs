//! What is read without a lock: each a single round trip, and each record in
//! one statement, so that it is one snapshot.

use std::sync::Arc;

use sqlx::mysql::MySqlRow;

use super::failure::Failure;
use super::layout::Tables;
use super::line::{Answers, Line};
use super::row::{self, FIELD, META};
use super::sql::{Batch, Id, Key, Maybe, Millis, Now, saturating};
use super::work::Work;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::{Meta, Presented, Principal, Record};
use crate::store::contract::{Cursor, Lookup, Page, Touch, Visit};
use crate::token::SecretHash;

/// A load.
pub(super) struct Load<'c> {
    pub(super) tables: &'c Tables,
    pub(super) now: Now,
    pub(super) id: SessionId,
    pub(super) secret: &'c SecretHash,
    pub(super) visit: Visit,
}

/// What a load found without writing.
pub(super) enum Loaded {
    Answer(Lookup),
    /// The live record, whose activity is to be written as of this time.
    Due(Box<Record>, Timestamp),
    /// The record's pending secret was presented: that has to be confirmed.
    Pending,
}

impl Load<'_> {
    /// What is asked for; [`read`](Self::read) reads it.
    pub(super) fn ask(&self, batch: &mut Batch) -> [usize; 3] {
        let Tables { session, field, tombstone, .. } = self.tables;
        let id = Id(self.id);
        let record = batch.push(format_args!(
            "SELECT {META}, {FIELD} FROM {session} s LEFT JOIN {field} f ON f.session_id = s.id \
             WHERE s.id = {id}"
        ));
        // After the record: it is entombed in the transaction that removes it.
        let dead =
            batch.push(format_args!("SELECT secret, kept_until FROM {tombstone} WHERE id = {id}"));
        [record, dead, batch.clock(&self.now)]
    }

    pub(super) fn read(
        &self,
        answers: &Answers,
        [record, dead, clock]: [usize; 3],
    ) -> Result<(Loaded, Timestamp), Failure> {
        let now = answers.time(clock)?;
        Ok((self.judge(answers.rows(record), answers.rows(dead), now)?, now))
    }

    fn judge(
        &self,
        rows: &[MySqlRow],
        dead: &[MySqlRow],
        now: Timestamp,
    ) -> Result<Loaded, Failure> {
        let Some(first) = rows.first() else {
            let retired = is_entombed(dead, self.secret, now)?;
            return Ok(Loaded::Answer(if retired { Lookup::Retired } else { Lookup::Absent }));
        };
        let meta = row::meta(first)?;
        if meta.is_expired(now) {
            return Ok(Loaded::Answer(Lookup::Absent));
        }
        let arrived = self.visit.arrived.unwrap_or(now);
        let lookup = match meta.presented(self.secret, arrived, now) {
            Presented::Current | Presented::Previous => {
                let due = self.visit.touch == Touch::IfDue && meta.touch_is_due(now);
                let Some(record) = row::records(rows)?.pop() else {
                    return Err(Failure::corrupt("record"));
                };
                if due {
                    return Ok(Loaded::Due(Box::new(record), now));
                }
                Lookup::Found(Arc::new(record))
            }
            Presented::Next => return Ok(Loaded::Pending),
            Presented::Replayed => Lookup::Replayed,
            Presented::Retired => Lookup::Retired,
            Presented::Unknown => Lookup::Absent,
        };
        Ok(Loaded::Answer(lookup))
    }
}

impl Work for Load<'_> {
    type Answer = Loaded;

    async fn run(&mut self, line: &mut Line) -> Result<Loaded, Failure> {
        let mut batch = Batch::default();
        let asked = self.ask(&mut batch);
        let answers = line.alone(batch).await?;
        Ok(self.read(&answers, asked)?.0)
    }
}

fn is_entombed(dead: &[MySqlRow], secret: &SecretHash, now: Timestamp) -> Result<bool, Failure> {
    for row in dead {
        // Compared here, not in SQL: in constant time.
        let theirs = row::array(row, 0)?.map(SecretHash::from_bytes);
        if row::time(row::number(row, 1)?) > now && theirs.is_some_and(|it| it == *secret) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The activity of a record as it was loaded, unless it changed since.
pub(super) struct Touching<'c> {
    pub(super) tables: &'c Tables,
    pub(super) id: SessionId,
    pub(super) meta: &'c Meta,
    pub(super) at: Timestamp,
}

impl Work for Touching<'_> {
    type Answer = ();

    async fn run(&mut self, line: &mut Line) -> Result<(), Failure> {
        let before = self.meta;
        let after = Meta { last_seen: self.at, ..before.clone() };
        let mut batch = Batch::default();
        batch.push(format_args!("SET autocommit = 1"));
        batch.push(format_args!(
            "UPDATE {} SET last_seen = {}, expires = {} WHERE id = {} AND epoch = {} \
             AND last_seen = {} AND idle <=> {} AND absolute <=> {}",
            self.tables.session,
            Millis(after.last_seen),
            Millis(after.expires_at()),
            Id(self.id),
            before.epoch.cast_signed(),
            Millis(before.last_seen),
            Maybe(before.idle.map(saturating)),
            Maybe(before.absolute.map(Millis)),
        ));
        line.alone(batch).await.map(drop)
    }
}

/// The live record of this epoch.
pub(super) struct Reload<'c> {
    pub(super) tables: &'c Tables,
    pub(super) now: Now,
    pub(super) id: SessionId,
    pub(super) epoch: u64,
}

impl Work for Reload<'_> {
    type Answer = Option<Arc<Record>>;

    async fn run(&mut self, line: &mut Line) -> Result<Self::Answer, Failure> {
        let Tables { session, field, .. } = self.tables;
        let mut batch = Batch::default();
        let record = batch.push(format_args!(
            "SELECT {META}, {FIELD} FROM {session} s LEFT JOIN {field} f ON f.session_id = s.id \
             WHERE s.id = {}",
            Id(self.id)
        ));
        let clock = batch.clock(&self.now);
        let answers = line.alone(batch).await?;
        let now = answers.time(clock)?;
        let record = row::records(answers.rows(record))?.pop();
        Ok(record
            .filter(|it| it.meta.epoch == self.epoch && !it.meta.is_expired(now))
            .map(Arc::new))
    }
}

/// The live sessions of a principal.
pub(super) struct List<'c> {
    pub(super) tables: &'c Tables,
    pub(super) now: Now,
    pub(super) principal: &'c Principal,
}

impl Work for List<'_> {
    type Answer = Vec<Arc<Record>>;

    async fn run(&mut self, line: &mut Line) -> Result<Self::Answer, Failure> {
        let Tables { session, field, .. } = self.tables;
        let mut batch = Batch::default();
        let all = batch.push(format_args!(
            "SELECT {META}, {FIELD} FROM {session} s LEFT JOIN {field} f ON f.session_id = s.id \
             WHERE s.principal_key = {} AND s.expires > {} ORDER BY s.id",
            Key(self.principal.as_str()),
            self.now
        ));
        let answers = line.alone(batch).await?;
        Ok(row::records(answers.rows(all))?.into_iter().map(Arc::new).collect())
    }
}

/// A page of all live sessions, in the order of their ids as text.
pub(super) struct Scan<'c> {
    pub(super) tables: &'c Tables,
    pub(super) now: Now,
    pub(super) after: Option<SessionId>,
    pub(super) limit: usize,
}

impl Work for Scan<'_> {
    type Answer = Page;

    async fn run(&mut self, line: &mut Line) -> Result<Page, Failure> {
        let Tables { session, field, .. } = self.tables;
        let (now, limit) = (self.now, self.limit.max(1));
        let after = self.after.map_or_else(|| "''".to_owned(), |id| Id(id).to_string());
        let mut batch = Batch::default();
        let all = batch.push(format_args!(
            "SELECT {META}, {FIELD} FROM (SELECT * FROM {session} FORCE INDEX (PRIMARY) \
             WHERE id > {after} AND expires > {now} ORDER BY id LIMIT {limit}) s \
             LEFT JOIN {field} f ON f.session_id = s.id ORDER BY s.id"
        ));
        let answers = line.alone(batch).await?;
        let records = row::records(answers.rows(all))?;
        let last = records.last().filter(|_| records.len() >= limit);
        let next = last.map(|record| Cursor::after(record.id));
        Ok(Page { records: records.into_iter().map(Arc::new).collect(), next })
    }
}

/// How many sessions are live.
pub(super) struct Count<'c> {
    pub(super) tables: &'c Tables,
    pub(super) now: Now,
}

impl Work for Count<'_> {
    type Answer = u64;

    async fn run(&mut self, line: &mut Line) -> Result<u64, Failure> {
        let session = &self.tables.session;
        let mut batch = Batch::default();
        let sql =
            batch.push(format_args!("SELECT COUNT(*) FROM {session} WHERE expires > {}", self.now));
        let answers = line.alone(batch).await?;
        let row = answers.rows(sql).first().ok_or_else(|| Failure::corrupt("count"))?;
        Ok(row::number(row, 0)?.cast_unsigned())
    }
}
