//! A load by a pending secret: it becomes the current one.

use std::sync::Arc;

use super::failure::Failure;
use super::line::Line;
use super::read::{Load, Loaded};
use super::row::{self, FIELD, META};
use super::sql::{Batch, Id};
use super::work::Work;
use super::write;
use crate::record::{Judgement, Record};
use crate::store::contract::Lookup;

/// The load, once more, with the row locked.
pub(super) struct Confirm<'c>(pub(super) Load<'c>);

impl Work for Confirm<'_> {
    type Answer = Lookup;

    async fn run(&mut self, line: &mut Line) -> Result<Lookup, Failure> {
        let load = &self.0;
        let (session, field) = (&load.tables.session, &load.tables.field);
        let id = Id(load.id);
        let mut batch = line.begin();
        let own =
            batch.push(format_args!("SELECT {META} FROM {session} s WHERE s.id = {id} FOR UPDATE"));
        let all =
            batch.push(format_args!("SELECT {FIELD} FROM {field} f WHERE f.session_id = {id}"));
        let asked = load.ask(&mut batch);
        let answers = line.run(batch).await?;
        // Somebody else confirmed it meanwhile, or the session ended.
        let (loaded, now) = load.read(&answers, asked)?;
        match loaded {
            Loaded::Answer(answer) => return Ok(answer),
            Loaded::Due(record, _) => return Ok(Lookup::Found(Arc::from(record))),
            Loaded::Pending => {}
        }
        let Some(own) = answers.rows(own).first() else { return Ok(Lookup::Absent) };
        let mut record = Record::new(load.id, row::meta(own)?, row::fields(answers.rows(all))?);
        let Judgement::Opens(due) = record.meta.judge(load.secrets, load.visit, now) else {
            return Err(Failure::moved());
        };
        record.meta.settle(due, now);
        let mut batch = Batch::default();
        write::update(&mut batch, load.tables, load.id, &record.meta);
        line.commit(batch).await?;
        Ok(Lookup::Found(Arc::new(record)))
    }
}
