//! Sign-ins with conditions: on the number of the principal's sessions, and on revocations since
//! the login began.
//!
//! A transaction that counts the sessions of a principal holds the principal until its end. Locks
//! are always taken in the same order: principals, the session itself, then others of the
//! principal. A transaction that locks several sessions of a principal holds that principal; a
//! sign-in also holds the principal that the session had before.

use super::end::{self, End};
use super::line::Line;
use super::place::Place;
use super::{Arg, Dialect, Fault};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::form::Raw;
use crate::record::patch::{Cap, Denied, SignIn};
use crate::record::{EndReason, Ended, Principal, PrincipalHash, Record};
use crate::store::engine::index::{Admission, STEP, Verdict};
use crate::token::PatchId;

/// Holds the principal until the end of the transaction.
pub(super) async fn hold<D: Dialect>(
    line: &mut Line<'_, D>,
    principal: &Principal,
) -> Result<(), Fault> {
    line.run(&line.sql().hold, &[Arg::Bytes(principal.hash().as_bytes())]).await?;
    Ok(())
}

/// Returns the principal of a form; `None` if it cannot be read.
pub(super) fn principal_of(form: &[u8]) -> Option<Principal> {
    match Raw::read(form) {
        Ok(Raw::Record(raw)) => raw.meta.principal,
        Ok(Raw::Tombstone(_)) | Err(_) => None,
    }
}

/// Whether a sign-in may be stored.
pub(super) enum Admitted {
    /// Yes, and these sessions were evicted.
    After(Vec<SessionId>),
    Denied(Denied),
    /// Not yet: the principal has so many expired sessions that were not swept that only some were
    /// looked at. Those have left the index; commit, and decide again.
    Later,
}

/// How many index entries are looked at in one transaction if some of them have expired. If all are
/// live, at most one step more than the cap are.
const LOOKS: usize = 2 * STEP;

/// Decides whether the sign-in into `record` may be stored, while its principal is held, and ends
/// the sessions that make room for it.
///
/// Below the cap, it counts the index entries and looks at no session. At the cap, [`Admission`]
/// says how many of the oldest have to be looked at; the index alone is enough for that.
pub(super) async fn admit<D: Dialect>(
    line: &mut Line<'_, D>,
    record: &Record,
    sign_in: SignIn,
    now: Timestamp,
) -> Result<Admitted, Fault> {
    let Some(principal) = &record.meta.principal else { return Ok(Admitted::After(Vec::new())) };
    let principal = principal.hash();
    if let Some(since) = sign_in.not_revoked_since {
        // The node records when a login began, the server when it revoked.
        let not_revoked_since = Some(line.translated(since, now));
        let ticket = SignIn { cap: None, not_revoked_since };
        if let Err(denied) = ticket.admit([], revoked(line, principal).await?) {
            return Ok(Admitted::Denied(denied));
        }
    }
    let Some(cap) = sign_in.cap else { return Ok(Admitted::After(Vec::new())) };
    let id = record.id.to_string();
    Others { line, principal, id: &id, now }.admit(cap).await
}

/// Returns when all sessions of a principal were last revoked, if that is still remembered.
async fn revoked<D: Dialect>(
    line: &mut Line<'_, D>,
    principal: PrincipalHash,
) -> Result<Option<Timestamp>, Fault> {
    let answer = line.run(&line.sql().revoked, &[Arg::Bytes(principal.as_bytes())]).await?;
    let at = answer.into_first().map(|mut row| row.time(0)).transpose()?;
    // A row may exist only to be held, with a time of 0.
    Ok(at.filter(|at| *at > Timestamp::from_millis(0)))
}

/// The other sessions of the principal who signs in.
struct Others<'a, 's, D: Dialect> {
    line: &'a mut Line<'s, D>,
    principal: PrincipalHash,
    id: &'a str,
    now: Timestamp,
}

impl<D: Dialect> Others<'_, '_, D> {
    async fn admit(&mut self, cap: Cap) -> Result<Admitted, Fault> {
        let max = cap.max.get() as usize;
        if self.count(max).await? < max {
            return Ok(Admitted::After(Vec::new()));
        }
        // Counts more than are looked at here, so that the sessions beyond are not overlooked.
        let mut admission = Admission::new(cap, self.count(max + STEP + LOOKS).await?);
        let (mut last, mut looked, mut expired) = (None, 0, false);
        loop {
            let most = match admission.verdict() {
                Verdict::Admitted(evicted) => {
                    let evicted = evicted.into_iter().map(|(order, id)| Place::of(id, order));
                    let evicted = self.end(&evicted.collect::<Vec<_>>()).await?;
                    return Ok(Admitted::After(evicted));
                }
                Verdict::Denied => return Ok(Admitted::Denied(Denied::AtLimit)),
                Verdict::Look(_) if expired && looked >= LOOKS => return Ok(Admitted::Later),
                Verdict::Look(most) => most,
            };
            let oldest = self.oldest(last, most).await?;
            if oldest.len() < most {
                admission.fewer(usize::MAX);
            }
            looked += oldest.len();
            let before = expired;
            for (place, expires) in &oldest {
                let is_live = *expires > self.now;
                expired |= !is_live;
                admission.saw(place.id(), is_live.then(|| place.order()));
                last = Some(*place);
            }
            if let (Some(last), true) = (last, expired && !before) {
                self.disown_expired(last).await?;
            }
        }
    }

    /// Returns how many there are, at most `limit`, including expired ones.
    async fn count(&mut self, limit: usize) -> Result<usize, Fault> {
        let args = [
            Arg::Bytes(self.principal.as_bytes()),
            Arg::Text(self.id),
            Arg::Int(i64::try_from(limit).unwrap_or(i64::MAX)),
        ];
        let row = self.line.run(&self.line.sql().count_others, &args).await?.into_first();
        let count = row.map(|mut row| row.int(0)).transpose()?.unwrap_or(0);
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Returns the places and expiry times of the `limit` oldest after `after`.
    async fn oldest(
        &mut self,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<(Place, Timestamp)>, Fault> {
        let args = [
            Arg::Bytes(self.principal.as_bytes()),
            Arg::Bytes(after.as_ref().map_or(&[], Place::as_bytes)),
            Arg::Text(self.id),
            Arg::Int(limit as i64),
        ];
        let answer = self.line.run(&self.line.sql().oldest_others, &args).await?;
        let places =
            answer.rows.into_iter().map(|mut row| Ok((Place::read(&row.bytes(0)?)?, row.time(1)?)));
        places.collect()
    }

    /// Removes the expired ones up to `last` from the index.
    async fn disown_expired(&mut self, last: Place) -> Result<(), Fault> {
        let args =
            [Arg::Bytes(self.principal.as_bytes()), Arg::Bytes(last.as_bytes()), self.now.into()];
        self.line.run(&self.line.sql().disown_expired, &args).await?;
        Ok(())
    }

    /// Ends those that still belong to the principal, and returns them.
    async fn end(&mut self, evicted: &[Place]) -> Result<Vec<SessionId>, Fault> {
        let Some(last) = evicted.iter().max() else { return Ok(Vec::new()) };
        let ended = Ended::new(EndReason::Limit, self.now);
        let number = PatchId::next();
        let page = end::lock_page(self.line, self.principal, *last, usize::MAX).await?;
        let theirs = page.into_iter().filter(|(place, _)| evicted.contains(place));
        let ends = theirs.map(|(place, form)| (place.id(), End::of(&form, ended, number)));
        let ends: Vec<_> = ends.collect();
        let ids = ends.iter().map(|(id, _)| *id).collect();
        end::write(self.line, ends, ended).await?;
        Ok(ids)
    }
}
