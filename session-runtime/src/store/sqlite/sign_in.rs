//! Sign-ins with conditions: on how many sessions the principal has, and on what
//! was revoked since the login began.

use rusqlite::params;

use super::db::Db;
use super::end;
use super::failure::Failure;
use super::read;
use super::value::{self, Id, Place};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::patch::{Cap, Denied, SignIn};
use crate::record::{EndedBy, Principal, Record};
use crate::store::engine::index::{Admission, STEP, Verdict};

/// Whether a sign-in may be stored.
pub(super) enum Admitted {
    /// After these were evicted.
    After(Vec<SessionId>),
    Denied(Denied),
    /// So many sessions of the principal have expired and were not swept yet that only
    /// some were looked at. Those have left the index: ask again.
    Later,
}

/// Entries of the index that are looked at in one transaction, unless all of them
/// are live: then no more than one step above the cap are.
const LOOKS: usize = 2 * STEP;

/// Whether the sign-in into `record` may be stored. Ends the sessions that make
/// room for it.
///
/// Below the cap it counts, and looks at no session. At the cap [`Admission`] says
/// how many of the oldest have to be looked at. It is all in the index.
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

/// The other sessions of the principal of a sign-in.
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
        // More than are looked at here, so that those beyond them are not forgotten.
        let mut admission = Admission::new(cap, self.count(max + STEP + LOOKS)?);
        let (mut place, mut looked, mut expired) = (Place::START, 0, false);
        loop {
            let most = match admission.verdict() {
                Verdict::Admitted(evicted) => {
                    let evicted: Vec<_> = evicted.into_iter().map(|(_, id)| id).collect();
                    for id in &evicted {
                        end::delete(self.db, *id, EndedBy::Elsewhere, self.now)?;
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

    /// How many there are, up to `limit`, expired ones included.
    fn count(&self, limit: usize) -> Result<usize, Failure> {
        let parameters = params![self.principal.as_str(), Id::from(self.id), limit as i64];
        let mut statement = self.db.prepare(&self.db.sql.count_others)?;
        let count: i64 = statement.query_row(parameters, |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Where the `limit` oldest after that place stand.
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
