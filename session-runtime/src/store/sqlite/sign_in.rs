//! Sign-ins with conditions: on how many sessions the principal has, and on what
//! was revoked since the login began.

use rusqlite::params;

use super::db::Db;
use super::end::{self, STEP};
use super::failure::Failure;
use super::read;
use super::value::{self, Id};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::patch::{AtLimit, Cap, Denied, SignIn};
use crate::record::form::Raw;
use crate::record::{EndedBy, Fields, Principal, Record};

/// Whether a sign-in may be stored.
pub(super) enum Admitted {
    Yes,
    Denied(Denied),
    /// The principal has so many sessions that only some were looked at, and those
    /// that had to go are gone. Ask again.
    Later,
}

/// Whether the sign-in into `record` may be stored. Ends the sessions that make
/// room for it.
///
/// Below the cap it counts, and looks at no session. At the cap it looks at those
/// there are. Where they are more than a step beyond it, which is so once, after a
/// cap was turned on or lowered, it catches up in steps.
pub(super) fn admit(
    db: &Db,
    record: &Record,
    sign_in: SignIn,
    now: Timestamp,
) -> Result<Admitted, Failure> {
    let Some(principal) = record.meta.principal.as_ref() else { return Ok(Admitted::Yes) };
    if sign_in.is_unconditional() {
        return Ok(Admitted::Yes);
    }
    let revoked = read::revoked(db, principal)?;
    let others = match sign_in.cap {
        None => Vec::new(),
        Some(cap) => {
            let max = cap.max.get() as usize;
            let others = Others { db, principal, id: record.id, now };
            match others.count(max + STEP)? {
                few if few < max => Vec::new(),
                some if some < max + STEP => others.live(max + STEP)?,
                _ => return others.catch_up(sign_in, cap, revoked),
            }
        }
    };
    match sign_in.admit(&others, revoked) {
        Err(denied) => Ok(Admitted::Denied(denied)),
        Ok(evicted) => {
            for id in evicted {
                end::delete(db, id, EndedBy::Elsewhere, now)?;
            }
            Ok(Admitted::Yes)
        }
    }
}

/// The other sessions of the principal of a sign-in.
struct Others<'a> {
    db: &'a Db,
    principal: &'a Principal,
    id: SessionId,
    now: Timestamp,
}

impl Others<'_> {
    /// How many there are, up to `limit`, expired ones included.
    fn count(&self, limit: usize) -> Result<usize, Failure> {
        let parameters = params![self.principal.as_str(), Id::from(self.id), limit as i64];
        let mut statement = self.db.prepare(&self.db.sql.count_others)?;
        let count: i64 = statement.query_row(parameters, |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// The live ones of the first `limit`, without their fields.
    fn live(&self, limit: usize) -> Result<Vec<Record>, Failure> {
        let parameters = params![self.principal.as_str(), Id::from(self.id), limit as i64];
        let mut statement = self.db.prepare(&self.db.sql.oldest_others)?;
        let mut rows = statement.query(parameters)?;
        let mut live = Vec::new();
        while let Some(row) = rows.next()? {
            // No token opens a form that cannot be read, so it does not count.
            if let Ok(Raw::Record(raw)) = Raw::read(value::form(row, 1)?)
                && !raw.meta.is_expired(self.now)
            {
                live.push(Record::new(value::id(row, 0)?, raw.meta, Fields::new()));
            }
        }
        Ok(live)
    }

    /// Looks at as many of the newest as may stay, and at a step of the oldest.
    /// Expired ones leave the index. If all of them are live, the oldest are too
    /// many, whatever is between.
    fn catch_up(
        &self,
        sign_in: SignIn,
        cap: Cap,
        revoked: Option<Timestamp>,
    ) -> Result<Admitted, Failure> {
        if let Err(denied) = (SignIn { cap: None, ..sign_in }).admit([], revoked) {
            return Ok(Admitted::Denied(denied));
        }
        let newest = self.ids(&self.db.sql.newest_others, cap.max.get() as usize)?;
        let oldest = self.ids(&self.db.sql.oldest_others, STEP)?;
        let mut expired = newest.iter().chain(&oldest).filter(|(_, live)| !live).peekable();
        if expired.peek().is_some() {
            for (id, _) in expired {
                self.db.prepare(&self.db.sql.disown)?.execute([Id::from(*id)])?;
            }
            return Ok(Admitted::Later);
        }
        if cap.at_limit == AtLimit::Reject {
            return Ok(Admitted::Denied(Denied::AtLimit));
        }
        for (id, _) in oldest {
            end::delete(self.db, id, EndedBy::Elsewhere, self.now)?;
        }
        Ok(Admitted::Later)
    }

    /// The first `limit` of a statement, and whether they are live.
    fn ids(&self, sql: &str, limit: usize) -> Result<Vec<(SessionId, bool)>, Failure> {
        let parameters = params![self.principal.as_str(), Id::from(self.id), limit as i64];
        let mut statement = self.db.prepare(sql)?;
        let mut rows = statement.query(parameters)?;
        let mut ids = Vec::new();
        while let Some(row) = rows.next()? {
            let expires: i64 = row.get(2)?;
            ids.push((value::id(row, 0)?, expires > value::millis(self.now)));
        }
        Ok(ids)
    }
}
