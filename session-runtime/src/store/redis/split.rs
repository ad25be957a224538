//! Sign-ins where session and index are on different servers.
//!
//! 1. *Reserve* in the index. Every later sign-in of the principal then counts this one, and the
//!    index knows the session.
//! 2. Look at the other sessions if the cap could be exceeded.
//! 3. Write the session.
//! 4. End the sessions that make room.
//! 5. *Confirm* in the index, and only then answer. If a revocation or an eviction has removed the
//!    reservation meanwhile, the session is ended here.
//!
//! A sign-in that stops half-way leaves a reservation that expires by itself; from then on no write
//! under it is accepted.

use std::fmt::Write as _;

use futures_util::future::try_join_all;
use redis::Value;
use tokio::time::Instant;

use super::ask::{int, text};
use super::failure::Failure;
use super::layout::Key;
use super::principals::{Entry, Standing, entries};
use super::read::ABREAST;
use super::script::{CROWD, RESERVATION};
use super::server::Server;
use super::sign_in::Room;
use super::write::Put;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::EndReason;
use crate::record::form::{Form, Head};
use crate::record::patch::{AtLimit, Cap, Denied};
use crate::record::{COMMIT_LEEWAY, Principal};
use crate::store::engine::{self, Doubt, Inserted, Joins, Pause, Read, Step, Stepped, end_if};
use crate::token::PatchId;

/// A sign-in in progress.
struct Reservation<'s> {
    server: &'s Server,
    index: Key<'s>,
    principal: &'s Principal,
    id: SessionId,
    /// Its name in the index: the session, a number, and its future age.
    what: String,
    /// How far an earlier try of the same sign-in got.
    before: Before,
    since: String,
    /// The time after which nothing may be written under it.
    until: String,
    /// The sessions that have to end.
    surplus: Vec<SessionId>,
    /// The sessions that were ended.
    evicted: Vec<SessionId>,
    under_way: Vec<Entry>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Reserved,
    Confirmed,
}

/// The result of the sign-in.
enum Concluded {
    /// It is valid; these sessions were evicted.
    Stands(Vec<SessionId>),
    /// All sessions were revoked before it became visible: it is not stored.
    Revoked,
}

impl Server {
    pub(super) async fn step_split(
        &self,
        id: SessionId,
        step: &Step<'_>,
        joins: &Joins<'_>,
        deadline: Instant,
    ) -> Result<Stepped, engine::Failure> {
        let number = match step.patch {
            Some(patch) if joins.is_sign_in => patch,
            // The session already belongs to the principal; only its index entry has to last
            // longer.
            _ => {
                self.extend(id, joins, deadline).await?;
                return Ok(self.step_alone(id, step, None, deadline).await?.into_stepped()?);
            }
        };
        let reservation = match self.reserve(id, number, joins, deadline).await? {
            Ok(reservation) => reservation,
            Err(denied) => return self.denied(id, step, denied, deadline).await,
        };
        match self.step_alone(id, step, Some(&reservation.until), deadline).await? {
            Put::Stepped(Stepped::Refused(read, doubt)) => {
                // An earlier try may be the one that is stored.
                if doubt == Doubt::MaybeDone && has_patch(&read, number) {
                    return reservation.concluded(deadline).await;
                }
                reservation.cancel(deadline).await;
                Ok(Stepped::Refused(read, doubt))
            }
            Put::Late => Err(Failure::timeout("the sign-in took too long").into()),
            Put::Stepped(Stepped::Replaced(_)) => reservation.concluded(deadline).await,
            _ => Err(Failure::corrupt("answer").into()),
        }
    }

    /// Answers a denied sign-in. If the step is refused for another reason, that reason takes
    /// precedence.
    async fn denied(
        &self,
        id: SessionId,
        step: &Step<'_>,
        denied: Denied,
        deadline: Instant,
    ) -> Result<Stepped, engine::Failure> {
        let read = self.look_at(id, deadline).await?;
        let as_read = step.replace.as_ref().map(|replace| replace.as_read);
        let is_as_read = match (&read.value, as_read) {
            (Some(value), Some(as_read)) => value.starts_with(as_read),
            _ => false,
        };
        Ok(match is_as_read {
            true => Stepped::Denied(denied),
            false => Stepped::Refused(read, Doubt::None),
        })
    }

    pub(super) async fn insert_split(
        &self,
        id: SessionId,
        form: &Form,
        expires: Timestamp,
        joins: &Joins<'_>,
        deadline: Instant,
    ) -> Result<Inserted, engine::Failure> {
        let reservation = match self.reserve(id, PatchId::next(), joins, deadline).await? {
            Ok(reservation) => reservation,
            Err(denied) => {
                let Read { value, now, .. } = self.look_at(id, deadline).await?;
                let is_there = value.is_some_and(|value| !engine::is_over(&value, now));
                return Ok(match is_there {
                    true => Inserted::Exists(Doubt::None),
                    false => Inserted::Denied(denied),
                });
            }
        };
        let until = Some(&*reservation.until);
        let exists = match self.insert_alone(id, form, expires, until, deadline).await? {
            Put::Inserted(Inserted::Stored(_)) => None,
            Put::Inserted(Inserted::Exists(Doubt::MaybeDone)) => {
                // Only this program knows its secret, so nothing else has changed it.
                let read = self.look_at(id, deadline).await?;
                let is_ours = read.value.as_ref() == Some(&form.value);
                (!is_ours).then_some(Inserted::Exists(Doubt::MaybeDone))
            }
            Put::Inserted(other) => Some(other),
            Put::Late => return Err(Failure::timeout("the sign-in took too long").into()),
            Put::Stepped(_) => return Err(Failure::corrupt("answer").into()),
        };
        if let Some(exists) = exists {
            reservation.cancel(deadline).await;
            return Ok(exists);
        }
        // Leaves some time to undo it.
        let by = deadline.checked_sub(self.options.deadline / 8).unwrap_or(deadline);
        match reservation.conclude(by).await {
            Ok(Concluded::Stands(evicted)) => Ok(Inserted::Stored(evicted)),
            Ok(Concluded::Revoked) => Ok(Inserted::Denied(Denied::Revoked)),
            Err(failure) => {
                // Its token reaches no browser, so the session should not count.
                if self.end_theirs(id, joins.principal, deadline).await.is_err() {
                    tracing::debug!("an orphaned session stays until it expires");
                }
                Err(failure)
            }
        }
    }

    pub(super) async fn finish_split(
        &self,
        id: SessionId,
        patch: PatchId,
        joins: &Joins<'_>,
        deadline: Instant,
    ) -> Result<Option<Denied>, engine::Failure> {
        let reservation = match self.reserve(id, patch, joins, deadline).await? {
            Ok(reservation) => match reservation.before {
                Before::Confirmed => return Ok(None),
                Before::Reserved => reservation,
                // The earlier reservation was removed. The one just made does not count.
                Before::Nothing => {
                    reservation.cancel(deadline).await;
                    self.reservation(id, patch, joins)
                }
            },
            // The confirmation takes later events into account.
            Err(_) => self.reservation(id, patch, joins),
        };
        Ok(match reservation.conclude(deadline).await? {
            Concluded::Stands(_) => None,
            Concluded::Revoked => Some(Denied::Revoked),
        })
    }

    /// Creates a reservation of which nothing is known yet.
    fn reservation<'s>(
        &'s self,
        id: SessionId,
        number: PatchId,
        joins: &Joins<'s>,
    ) -> Reservation<'s> {
        Reservation {
            server: self,
            index: self.index(joins.principal),
            principal: joins.principal,
            id,
            what: what(id, number, joins),
            before: Before::Nothing,
            since: self.since(&joins.sign_in),
            until: String::new(),
            surplus: Vec::new(),
            evicted: Vec::new(),
            under_way: Vec::new(),
        }
    }

    async fn extend(
        &self,
        id: SessionId,
        joins: &Joins<'_>,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let (id, bound) = (id.to_string(), bound(joins));
        let (script, index) = (&self.scripts.extend, self.index(joins.principal));
        self.run(script, &[index], &[id.as_bytes(), bound.as_bytes()], deadline).await?;
        Ok(())
    }

    /// Reserves an index entry, if the sign-in is allowed.
    async fn reserve<'s>(
        &'s self,
        id: SessionId,
        number: PatchId,
        joins: &Joins<'s>,
        deadline: Instant,
    ) -> Result<Result<Reservation<'s>, Denied>, engine::Failure> {
        let mut reservation = self.reservation(id, number, joins);
        let (name, bound) = (id.to_string(), bound(joins));
        // How many entries of the index are known not to count.
        let (mut expiring, mut evicted) = (0, Vec::new());
        let mut pause = Pause::until(deadline);
        let answer = loop {
            let Reservation { what, since, index, .. } = &reservation;
            let most = joins.sign_in.cap.map(|_| (CROWD + expiring).to_string());
            let args = [&name, what, &bound, since, most.as_deref().unwrap_or("")];
            let args = args.map(str::as_bytes);
            let answer = self.run(&self.scripts.reserve, &[*index], &args, deadline).await?;
            match answer {
                Value::Array(answer) => break answer,
                other if text(&other) == Some("revoked") => {
                    return Ok(Err(Denied::Revoked));
                }
                other if text(&other) == Some("crowded") => {}
                _ => return Err(Failure::corrupt("answer").into()),
            }
            // More entries than any cap: most have ended, or a cap was introduced.
            match self.make_room(id, joins, &mut evicted, deadline).await? {
                Room::None => return Ok(Err(Denied::AtLimit)),
                Room::After(others) => expiring = others.len(),
            }
            pause.again().await?;
        };
        let [until, before, Value::Array(members)] = answer.as_slice() else {
            return Err(Failure::corrupt("answer").into());
        };
        let until = int(until).and_then(|until| u64::try_from(until).ok());
        let until = until.ok_or_else(|| Failure::corrupt("answer"))?;
        reservation.evicted = evicted;
        reservation.until = (until - RESERVATION / 2).to_string();
        reservation.before = match text(before) {
            Some("confirmed") => Before::Confirmed,
            Some("reserved") => Before::Reserved,
            _ => Before::Nothing,
        };
        if let Some(cap) = joins.sign_in.cap
            && let Some(denied) = reservation.count(cap, entries(members)?, deadline).await?
        {
            reservation.cancel(deadline).await;
            return Ok(Err(denied));
        }
        Ok(Ok(reservation))
    }

    /// Ends a session from elsewhere if it belongs to `principal`; returns whether it was live.
    async fn end_theirs(
        &self,
        id: SessionId,
        principal: &Principal,
        deadline: Instant,
    ) -> Result<bool, engine::Failure> {
        let read = self.look_at(id, deadline).await?;
        let theirs = |it: &crate::record::Record| it.meta.principal.as_ref() == Some(principal);
        end_if(self, id, read, EndReason::Limit, theirs, deadline).await
    }
}

/// Returns a name by which a retry finds the entry, and by which all nodes agree on the order of
/// sessions: when it was authenticated (`-`: never) and created.
fn what(id: SessionId, number: PatchId, joins: &Joins<'_>) -> String {
    let (authenticated, created) = joins.order;
    let mut what = format!("{id} {} ", number.as_u64());
    // Writing to memory does not fail.
    let _ = match authenticated {
        Some(at) => write!(what, "{} {}", at.as_millis(), created.as_millis()),
        None => write!(what, "- {}", created.as_millis()),
    };
    what
}

/// Returns when it will have ended, as of the reservation: a little later, because it is written a
/// little later.
fn bound(joins: &Joins<'_>) -> String {
    joins.bound.after(COMMIT_LEEWAY * 3).as_millis().to_string()
}

fn has_patch(read: &Read, patch: PatchId) -> bool {
    let head = read.value.as_deref().map(Head::read);
    matches!(head, Some(Ok(head)) if head.patches.contains(patch))
}

/// A session that counts, and the age of its sign-in.
struct Other {
    order: (Option<Timestamp>, Timestamp),
    id: SessionId,
}

impl Other {
    /// Returns the session of a sign-in in progress, with its future age.
    fn signing_in(entry: &Entry) -> Option<Self> {
        let mut parts = entry.name.split(' ').skip(2);
        let mut time = || Some(Timestamp::from_millis(parts.next()?.parse().ok()?));
        let (authenticated, created) = (time(), time().unwrap_or_default());
        Some(Self { order: (authenticated, created), id: entry.id? })
    }
}

impl Reservation<'_> {
    /// Decides whether the cap allows another session, and which ones have to end.
    async fn count(
        &mut self,
        cap: Cap,
        members: Vec<Entry>,
        deadline: Instant,
    ) -> Result<Option<Denied>, Failure> {
        let own = self.id;
        let members = members.into_iter().filter(|it| it.id.is_some_and(|id| id != own));
        let (under_way, known): (Vec<_>, Vec<_>) = members.partition(Entry::is_under_way);
        // Sign-ins in progress count whatever their result; each session counts once.
        let mut others: Vec<Other> = Vec::new();
        for other in under_way.iter().filter_map(Other::signing_in) {
            match others.iter_mut().find(|it| it.id == other.id) {
                Some(same) => same.order = same.order.max(other.order),
                None => others.push(other),
            }
        }
        self.under_way = under_way;
        let is_new = |entry: &Entry| {
            !entry.is_confirmed() && others.iter().all(|it| Some(it.id) != entry.id)
        };
        let known: Vec<_> = known.into_iter().filter(is_new).collect();
        let max = cap.max.get() as usize;
        if others.len() + known.len() < max {
            return Ok(None);
        }
        let looked = self.server.look_at_entries(self.principal, known, deadline).await?;
        for (entry, standing) in looked.theirs {
            if let (Some(id), Standing { meta, is_live: true, .. }) = (entry.id, standing) {
                let order = (meta.authenticated, meta.created);
                others.push(Other { order, id });
            }
        }
        self.server.forget_all(self.index, &looked.stale, deadline).await;
        let surplus = (others.len() + 1).saturating_sub(max);
        if surplus > 0 && cap.at_limit == AtLimit::Reject {
            return Ok(Some(Denied::AtLimit));
        }
        others.sort_unstable_by_key(|other| (other.order, other.id));
        self.surplus = others.into_iter().take(surplus).map(|other| other.id).collect();
        Ok(None)
    }

    /// Removes the reservation: the session was not written.
    async fn cancel(self, deadline: Instant) {
        let mine = format!("+{}", self.what);
        let (server, args) = (self.server, [mine.as_bytes(), b""]);
        if self.before == Before::Nothing
            && server.run(&server.scripts.forget, &[self.index], &args, deadline).await.is_err()
        {
            tracing::debug!("a failed sign-in counts towards the cap for another half minute");
        }
    }

    /// Returns the result after the patch was written.
    async fn concluded(self, deadline: Instant) -> Result<Stepped, engine::Failure> {
        match self.conclude(deadline).await {
            Ok(Concluded::Stands(evicted)) => Ok(Stepped::Replaced(evicted)),
            Ok(Concluded::Revoked) => Ok(Stepped::Denied(Denied::Revoked)),
            // It is stored, and it is unknown whether it is valid.
            Err(failure) => Err(failure.in_doubt(Doubt::MaybeDone)),
        }
    }

    /// Ends the sessions that make room, and confirms: the session is written.
    async fn conclude(mut self, deadline: Instant) -> Result<Concluded, engine::Failure> {
        let (server, id) = (self.server, self.id);
        // First removes the reservations of sign-ins in progress, so that they cannot be confirmed.
        let makes_room = |other: &&Entry| other.id.is_some_and(|id| self.surplus.contains(&id));
        let theirs = self.under_way.iter().filter(makes_room);
        let args: Vec<&[u8]> =
            theirs.flat_map(|other| [other.name.as_bytes(), b"".as_slice()]).collect();
        if !args.is_empty() {
            server.run(&server.scripts.forget, &[self.index], &args, deadline).await?;
        }
        for some in self.surplus.chunks(ABREAST) {
            let end = |id: &SessionId| server.end_theirs(*id, self.principal, deadline);
            let ended = try_join_all(some.iter().map(end)).await?;
            let ended = some.iter().zip(ended).filter(|(_, ended)| *ended);
            self.evicted.extend(ended.map(|(id, _)| *id));
        }
        let name = id.to_string();
        let args = [name.as_bytes(), self.what.as_bytes(), self.since.as_bytes()];
        let stands = server.run(&server.scripts.confirm, &[self.index], &args, deadline).await?;
        let is_evicted = match int(&stands) {
            Some(1) => return Ok(Concluded::Stands(self.evicted)),
            answer => answer == Some(0),
        };
        let ended_here = server.end_theirs(id, self.principal, deadline).await?;
        // If another call ended it, it had been stored before that, and so had one that was
        // evicted. If it only ends here, it never became visible.
        if ended_here && !is_evicted {
            return Ok(Concluded::Revoked);
        }
        // The call that made it end did not find it yet.
        self.evicted.extend(ended_here.then_some(id));
        Ok(Concluded::Stands(self.evicted))
    }
}
