//! What is read without a lock: each a single round trip, and each record in
//! one statement, so that it is one snapshot.

use std::sync::Arc;

use sqlx::mysql::MySqlRow;

use super::failure::Failure;
use super::layout::Tables;
use super::line::{Answers, Line};
use super::row::{self, FIELD, META};
use super::sql::{After, Batch, Id, Key, Maybe, Millis, Now, saturating};
use super::work::Work;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::{Due, Ended, EndedBy, Judgement, Meta, Principal, Record};
use crate::store::contract::{Cursor, Lookup, Page, Visit};
use crate::token::SecretHash;

/// A load.
pub(super) struct Load<'c> {
    pub(super) tables: &'c Tables,
    pub(super) now: Now,
    pub(super) id: SessionId,
    pub(super) secrets: &'c [SecretHash],
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
        let dead = batch.push(format_args!(
            "SELECT secret, kept_until, elsewhere, ended_at FROM {tombstone} WHERE id = {id}"
        ));
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
            let ended = self.ended(dead, now)?;
            return Ok(Loaded::Answer(ended.map_or(Lookup::Absent, Lookup::Ended)));
        };
        let due = match row::meta(first)?.judge(self.secrets, self.visit, now) {
            Judgement::Opens(due) => due,
            Judgement::Ended(ended) => return Ok(Loaded::Answer(Lookup::Ended(ended))),
            Judgement::Replayed => return Ok(Loaded::Answer(Lookup::Replayed)),
            Judgement::Absent => return Ok(Loaded::Answer(Lookup::Absent)),
        };
        if let Due::Confirmation { .. } = due {
            return Ok(Loaded::Pending);
        }
        let record = row::records(rows)?.pop().ok_or_else(|| Failure::corrupt("record"))?;
        Ok(match due {
            Due::Touch => Loaded::Due(Box::new(record), now),
            _ => Loaded::Answer(Lookup::Found(Arc::new(record))),
        })
    }

    fn ended(&self, dead: &[MySqlRow], now: Timestamp) -> Result<Option<Ended>, Failure> {
        for row in dead {
            // Compared here, not in SQL: in constant time.
            let theirs = row::array(row, 0)?.map(SecretHash::from_bytes);
            let is_ours = theirs.is_some_and(|it| self.secrets.contains(&it));
            if is_ours && row::time(row::number(row, 1)?) > now {
                let by = match row::number(row, 2)? {
                    0 => EndedBy::Browser,
                    _ => EndedBy::Elsewhere,
                };
                return Ok(Some(Ended::new(by, row::time(row::number(row, 3)?))));
            }
        }
        Ok(None)
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

/// A page of the live sessions of a principal, in the order of their ids as text.
pub(super) struct List<'c> {
    pub(super) tables: &'c Tables,
    pub(super) now: Now,
    pub(super) principal: &'c Principal,
    pub(super) after: Option<SessionId>,
    pub(super) limit: usize,
}

impl Work for List<'_> {
    type Answer = Page;

    async fn run(&mut self, line: &mut Line) -> Result<Page, Failure> {
        let (session, key) = (&self.tables.session, Key(self.principal.as_str()));
        let (now, after, limit) = (self.now, After(self.after), self.limit.max(1));
        let ids = format!(
            "SELECT * FROM {session} WHERE principal_key = {key} AND id > {after} \
             AND expires > {now} ORDER BY id LIMIT {limit}"
        );
        page(line, self.tables, &ids, limit).await
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
        let session = &self.tables.session;
        let (now, after, limit) = (self.now, After(self.after), self.limit.max(1));
        let ids = format!(
            "SELECT * FROM {session} FORCE INDEX (PRIMARY) \
             WHERE id > {after} AND expires > {now} ORDER BY id LIMIT {limit}"
        );
        page(line, self.tables, &ids, limit).await
    }
}

/// The records of the rows that `rows` selects, at most `limit`.
async fn page(line: &mut Line, tables: &Tables, rows: &str, limit: usize) -> Result<Page, Failure> {
    let field = &tables.field;
    let mut batch = Batch::default();
    let all = batch.push(format_args!(
        "SELECT {META}, {FIELD} FROM ({rows}) s LEFT JOIN {field} f ON f.session_id = s.id \
         ORDER BY s.id"
    ));
    let answers = line.alone(batch).await?;
    let records = row::records(answers.rows(all))?;
    let last = records.last().filter(|_| records.len() >= limit);
    let next = last.map(|record| Cursor::after(record.id));
    Ok(Page { records: records.into_iter().map(Arc::new).collect(), next })
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
