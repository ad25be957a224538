//! Sign-ins with conditions: on the number of the principal's sessions, and on revocations since
//! the login began.

use rusqlite::params;

use super::db::Db;
use super::end;
use super::failure::Failure;
use super::read;
use super::value::{self, Id, Place};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::patch::{Cap, Denied, SignIn};
use crate::record::{EndReason, Principal, Record};
use crate::store::engine::index::{Admission, STEP, Verdict};

/// Whether a sign-in may be stored.
pub(super) enum Admitted {
    /// Yes, and these sessions were evicted.
    After(Vec<SessionId>),
    Denied(Denied),
    /// Not yet: the principal has so many expired sessions that were not swept that only some were
    /// looked at. Those have left the index; the sign-in has to be decided again.
    Later,
}

/// How many index entries are looked at in one transaction if some of them have expired. If all are
/// live, at most one step more than the cap are.
const LOOKS: usize = 2 * STEP;

/// Decides whether the sign-in into `record` may be stored, and ends the sessions that make room
/// for it.
///
/// Below the cap, it counts the index entries and looks at no session. At the cap, [`Admission`]
/// says how many of the oldest have to be looked at; the index alone is enough for that.
pub(super) fn admit(
    db: &Db,
    record: &Record,
    sign_in: SignIn,
    now: Timestamp,
) -> Result<Admitted, Failure> {
    let Some(principal) = record.meta.principal.as_ref() else {
        return Ok(Admitted::After(Vec::new()));
    };
    if sign_in.not_revoked_since.is_some() {
        let ticket = SignIn { cap: None, ..sign_in };
        if let Err(denied) = ticket.admit([], read::revoked(db, principal)?) {
            return Ok(Admitted::Denied(denied));
        }
    }
    match sign_in.cap {
        Some(cap) => Others { db, principal, id: record.id, now }.admit(cap),
        None => Ok(Admitted::After(Vec::new())),
    }
}

/// The other sessions of the principal who signs in.
struct Others<'a> {
    db: &'a Db,
    principal: &'a Principal,
    id: SessionId,
    now: Timestamp,
}

impl Others<'_> {
    fn admit(&self, cap: Cap) -> Result<Admitted, Failure> {
        let max = cap.max.get() as usize;
        if self.count(max)? < max {
            return Ok(Admitted::After(Vec::new()));
        }
        // Counts more than are looked at here, so that the sessions beyond are not overlooked.
        let mut admission = Admission::new(cap, self.count(max + STEP + LOOKS)?);
        let (mut place, mut looked, mut expired) = (Place::START, 0, false);
        loop {
            let most = match admission.verdict() {
                Verdict::Admitted(evicted) => {
                    let evicted: Vec<_> = evicted.into_iter().map(|(_, id)| id).collect();
                    for id in &evicted {
                        end::delete(self.db, *id, EndReason::Limit, self.now)?;
                    }
                    return Ok(Admitted::After(evicted));
                }
                Verdict::Denied => return Ok(Admitted::Denied(Denied::AtLimit)),
                Verdict::Look(_) if expired && looked >= LOOKS => return Ok(Admitted::Later),
                Verdict::Look(most) => most,
            };
            let oldest = self.oldest(&place, most)?;
            if oldest.len() < most {
                admission.fewer(usize::MAX);
            }
            looked += oldest.len();
            for other in oldest {
                let live = other.expires() > value::millis(self.now);
                admission.saw(other.id()?, live.then(|| other.age().order()));
                if !live {
                    self.db.prepare(&self.db.sql.disown)?.execute([Id::from(other.id()?)])?;
                    expired = true;
                }
                place = other;
            }
        }
    }

    /// Returns how many there are, at most `limit`, including expired ones.
    fn count(&self, limit: usize) -> Result<usize, Failure> {
        let parameters = params![self.principal.as_str(), Id::from(self.id), limit as i64];
        let mut statement = self.db.prepare(&self.db.sql.count_others)?;
        let count: i64 = statement.query_row(parameters, |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Returns the places of the `limit` oldest after `after`.
    fn oldest(&self, after: &Place, limit: usize) -> Result<Vec<Place>, Failure> {
        let mut statement = self.db.prepare(&self.db.sql.places_of_others)?;
        let mut rows = statement.query(params![
            self.principal.as_str(),
            after.age().authenticated(),
            after.age().created(),
            after.expires(),
            after.text(),
            limit as i64,
            Id::from(self.id),
        ])?;
        let mut places = Vec::new();
        while let Some(row) = rows.next()? {
            places.push(Place::read(row, 0)?);
        }
        Ok(places)
    }
}
