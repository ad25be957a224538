//! Reading several sessions. Each page is one statement, and so one consistent snapshot.

use super::line::Line;
use super::place::Place;
use super::server::Work;
use super::{Arg, Dialect, Fault};
use crate::id::SessionId;
use crate::record::Principal;
use crate::record::form::{self, Entry};
use crate::store::contract::{Cursor, Page};
use crate::store::engine::{Doubt, Failure};

/// A page of the live sessions of a principal, oldest first. At most `limit` rows are read.
pub(super) struct List<'c> {
    pub(super) principal: &'c Principal,
    pub(super) after: Option<Place>,
    pub(super) limit: usize,
}

impl<D: Dialect> Work<D> for List<'_> {
    type Answer = Page;

    async fn run(&mut self, line: &mut Line<'_, D>, _: Doubt) -> Result<Page, Fault> {
        let limit = self.limit.clamp(1, i32::MAX as usize);
        let principal = self.principal.hash();
        let args = [
            line.server().frozen(),
            Arg::Bytes(principal.as_bytes()),
            Arg::Bytes(self.after.as_ref().map_or(&[], Place::as_bytes)),
            Arg::Int(limit as i64),
        ];
        let rows = line.run(&line.sql().list, &args).await?.rows;
        let mut page = Page::default();
        let seen = rows.len();
        let mut last = None;
        for mut row in rows {
            let place = Place::read(&row.bytes(0)?)?;
            let (value, base, now) = (row.bytes(1)?, row.maybe_bytes(2)?, row.time(3)?);
            last = Some(place);
            if let Entry::Record(record) = form::decode(place.id(), &value, base.as_deref())?
                && record.meta.principal.as_ref() == Some(self.principal)
                && !record.meta.is_expired(now)
            {
                page.records.push(record);
            }
        }
        page.next = last.filter(|_| seen == limit).map(|place| place.cursor());
        Ok(page)
    }
}

/// A page of all live sessions, ordered by id.
pub(super) struct Scan {
    pub(super) after: Option<SessionId>,
    pub(super) limit: usize,
}

impl<D: Dialect> Work<D> for Scan {
    type Answer = Page;

    async fn run(&mut self, line: &mut Line<'_, D>, _: Doubt) -> Result<Page, Fault> {
        let limit = self.limit.clamp(1, i32::MAX as usize);
        let after = self.after.map_or_else(String::new, |id| id.to_string());
        let args = [Arg::Text(&after), line.server().frozen(), Arg::Int(limit as i64)];
        let rows = line.run(&line.sql().scan, &args).await?.rows;
        let mut page = Page::default();
        let seen = rows.len();
        let mut last = None;
        for mut row in rows {
            let id = row.text(0)?.parse();
            let id: SessionId =
                id.map_err(|_| Failure::corrupt("a stored session id is malformed"))?;
            let (value, base) = (row.bytes(1)?, row.maybe_bytes(2)?);
            last = Some(id);
            if let Entry::Record(record) = form::decode(id, &value, base.as_deref())? {
                page.records.push(record);
            }
        }
        page.next = last.filter(|_| seen == limit).map(Cursor::after);
        Ok(page)
    }
}

/// The number of live sessions.
pub(super) struct Count;

impl<D: Dialect> Work<D> for Count {
    type Answer = u64;

    async fn run(&mut self, line: &mut Line<'_, D>, _: Doubt) -> Result<u64, Fault> {
        let row = line.run(&line.sql().count, &[line.server().frozen()]).await?.into_first();
        let count = row.map(|mut row| row.int(0)).transpose()?;
        Ok(u64::try_from(count.unwrap_or(0)).unwrap_or(0))
    }
}
