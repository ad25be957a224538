//! Sign-ins where session and index are on different servers.
//!
//! 1. *Reserve* in the index. From then on every later sign-in of the
//!    principal counts this one, and the index knows the session.
//! 2. Look at the others, if the cap could be exceeded.
//! 3. Write the session.
//! 4. End those that make room.
//! 5. *Confirm* in the index, and only then answer. Whoever revoked or evicted
//!    meanwhile took the reservation away: then the session ends here.
//!
//! What stops half-way leaves a reservation that ends by itself, before which
//! no write under it is accepted any more.

use redis::Value;
use tokio::time::Instant;

use super::ask::{self, bytes, int, text};
use super::failure::Failure;
use super::principals::{Member, members};
use super::script::RESERVATION;
use super::server::Server;
use crate::clock::{Timestamp, millis};
use crate::id::SessionId;
use crate::patch::{AtLimit, Denied, Lifetime, SignIn};
use crate::record::{COMMIT_LEEWAY, EndedBy, MAX_LIFETIME, Meta, Principal};

/// A sign-in under way.
pub(super) struct Reservation<'s> {
    server: &'s Server,
    index: String,
    principal: Principal,
    id: String,
    /// How the index calls it: the session, a number, and how it orders by
    /// age: when it was authenticated (`n`: now) and created, where known.
    what: String,
    /// An earlier attempt at the same had come so far.
    before: Before,
    since: String,
    /// How long the index knows the session, in milliseconds since 1970.
    pub(super) bound: String,
    /// After this nothing may be written under it.
    pub(super) not_after: String,
    /// Why the sign-in is refused, if nothing else comes before.
    pub(super) denied: Option<Denied>,
    evicted: Vec<Member>,
    under_way: Vec<Member>,
}

/// How far an earlier attempt came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Reserved,
    Confirmed,
}

/// How the sign-in ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Concluded {
    Stands,
    /// All sessions were revoked meanwhile, before it was seen: it is not stored.
    Revoked,
}

/// By when a session of this lifetime has ended, as seen from the moment of the
/// reservation; generous, for it is applied a little later.
pub(super) fn bound_of_lifetime(lifetime: Option<&Lifetime>) -> String {
    let absolute = lifetime.and_then(|lifetime| lifetime.absolute);
    let longest = absolute.map_or(MAX_LIFETIME * 2, |it| it.min(MAX_LIFETIME));
    format!("+{}", millis(longest + COMMIT_LEEWAY * 3))
}

/// By when a new record has ended.
pub(super) fn bound_of_record(meta: &Meta) -> Timestamp {
    let longest = || meta.last_seen.after(MAX_LIFETIME * 2);
    meta.absolute.unwrap_or_else(longest).after(COMMIT_LEEWAY * 2)
}

pub(super) async fn reserve<'s>(
    server: &'s Server,
    principal: &Principal,
    id: SessionId,
    what: &str,
    sign_in: &SignIn,
    bound: &str,
    deadline: Instant,
) -> Result<Reservation<'s>, Failure> {
    let since = sign_in.not_revoked_since.map_or(String::new(), |at| at.as_millis().to_string());
    let mut reservation = Reservation {
        server,
        index: server.index(principal),
        principal: principal.clone(),
        id: id.to_string(),
        what: format!("{id} {what}"),
        before: Before::Nothing,
        since,
        bound: "0".to_owned(),
        not_after: String::new(),
        denied: None,
        evicted: Vec::new(),
        under_way: Vec::new(),
    };
    let others = if sign_in.cap.is_some() { "m" } else { "" };
    let Reservation { id, what, since, index, .. } = &reservation;
    let args = [&server.now(), id, what, bound, since, others];
    let answer = server.run(&server.scripts.reserve, &[index], &args, deadline).await?;
    let Value::Array(answer) = answer else {
        reservation.denied = ask::denial(Some(&answer));
        return Ok(reservation);
    };
    let number = |i: usize| answer.get(i).and_then(text).and_then(|it| it.parse::<u64>().ok());
    let (Some(bound), Some(until)) = (number(0), number(1)) else {
        return Err(Failure::corrupt("answer"));
    };
    reservation.bound = bound.to_string();
    reservation.not_after = (until - RESERVATION / 2).to_string();
    reservation.before = match answer.get(2).and_then(text) {
        Some("confirmed") => Before::Confirmed,
        Some("reserved") => Before::Reserved,
        _ => Before::Nothing,
    };
    let members = members(answer.get(3..).unwrap_or_default())?;
    reservation.count(sign_in, members, deadline).await?;
    Ok(reservation)
}

impl Reservation<'_> {
    /// Whether the cap lets one more in, and who has to go.
    async fn count(
        &mut self,
        sign_in: &SignIn,
        members: Vec<Member>,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let Some(cap) = sign_in.cap else { return Ok(()) };
        let (under_way, known): (Vec<_>, Vec<_>) =
            members.into_iter().partition(Member::is_under_way);
        // Those under way count, whatever becomes of them; each session once.
        let mut others: Vec<Other> = Vec::new();
        for member in &under_way {
            let new = |id: &SessionId| others.iter().all(|other| other.id != *id);
            if let Some(id) = member.id.filter(new) {
                others.push(self.under_way(member, id, deadline).await?);
            }
        }
        self.under_way = under_way;
        let max = cap.max.get() as usize;
        let (confirmed, known): (Vec<_>, Vec<_>) =
            known.into_iter().partition(Member::is_confirmed);
        let known: Vec<_> = known
            .into_iter()
            .filter(|it| it.id.is_some_and(|id| others.iter().all(|o| o.id != id)))
            .collect();
        if others.len() + known.len() >= max {
            for mut other in self.server.look(&known, &self.principal, deadline).await? {
                // As old as it was while under way: all who sign in at once must
                // agree on who is oldest, or they end different ones.
                let same = confirmed.iter().filter(|it| it.id == Some(other.id));
                if let Some(begun) = same.filter_map(begun).max() {
                    other.order.0 = Some(begun);
                }
                others.push(other);
            }
        } else {
            return Ok(());
        }
        let surplus = (others.len() + 1).saturating_sub(max);
        if surplus > 0 && cap.at_limit == AtLimit::Reject {
            self.denied = Some(Denied::AtLimit);
            return Ok(());
        }
        others.sort_unstable_by_key(|other| (other.order, other.id));
        let evicted = |id: SessionId| {
            known.iter().find(|it| it.id == Some(id)).cloned().unwrap_or_else(|| Member::of(id))
        };
        self.evicted = others.into_iter().take(surplus).map(|other| evicted(other.id)).collect();
        Ok(())
    }

    /// A session into which a sign-in is under way, ordered as it will be.
    async fn under_way(
        &self,
        member: &Member,
        id: SessionId,
        deadline: Instant,
    ) -> Result<Other, Failure> {
        let mut parts = member.name.split(' ').skip(2);
        let (authenticated, created) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let time = |text: &str| text.parse().ok().map(Timestamp::from_millis);
        let stored = match time(created) {
            Some(created) => Other { order: (time(authenticated), created), id },
            // A session that was there before; if it is gone, nobody signs in.
            None => {
                let (server, key) = (self.server, self.server.session(id));
                let args = [&*server.now(), ""];
                let value = server.run(&server.scripts.look, &[&key], &args, deadline).await?;
                match Other::read(id, &value) {
                    Some(other) => other,
                    None => Other { order: (None, Timestamp::default()), id },
                }
            }
        };
        let authenticated = begun(member).or(stored.order.0);
        Ok(Other { order: (authenticated, stored.order.1), id })
    }

    /// Whether an earlier attempt at the same may have stopped half-way.
    pub(super) fn is_to_be_finished(&self) -> bool {
        self.before == Before::Reserved
    }

    /// The session was not written.
    pub(super) async fn cancel(self, deadline: Instant) {
        let mine = format!("+{}", self.what);
        let (server, args) = (self.server, [mine.as_str(), ""]);
        if !self.not_after.is_empty()
            && self.before == Before::Nothing
            && server.run(&server.scripts.forget, &[&self.index], &args, deadline).await.is_err()
        {
            tracing::debug!("a sign-in that came to nothing counts for half a minute more");
        }
    }

    /// The session was written.
    pub(super) async fn conclude(self, deadline: Instant) -> Result<Concluded, Failure> {
        let server = self.server;
        for member in &self.evicted {
            let Some(id) = member.id else { continue };
            // First what would let a sign-in under way stand.
            let mut forgotten: Vec<&str> = Vec::new();
            for other in self.under_way.iter().filter(|other| other.id == Some(id)) {
                forgotten.extend([other.name.as_str(), ""]);
            }
            if !forgotten.is_empty() {
                server.run(&server.scripts.forget, &[&self.index], &forgotten, deadline).await?;
            }
            server.destroy(id, Some(&self.principal), EndedBy::Elsewhere, deadline).await?;
        }
        let args = [&server.now(), &self.what, &self.since];
        let stands = server.run(&server.scripts.confirm, &[&self.index], &args, deadline).await?;
        let evicted = match int(&stands) {
            Some(1) => return Ok(Concluded::Stands),
            answer => answer == Some(0),
        };
        let id = self.id.parse().map_err(|_| Failure::corrupt("session id"))?;
        let ended_here =
            server.destroy(id, Some(&self.principal), EndedBy::Elsewhere, deadline).await?;
        // What somebody else ended was stored before that, and so was what was
        // evicted; what only ends here never came to be.
        Ok(if ended_here && !evicted { Concluded::Revoked } else { Concluded::Stands })
    }
}

/// When a sign-in that authenticates began, by the clock of the index.
fn begun(member: &Member) -> Option<Timestamp> {
    let authenticates = member.name.split(' ').nth(2) == Some("n");
    let ends: u64 = member.score.parse().ok().filter(|_| authenticates)?;
    Some(Timestamp::from_millis(ends.saturating_sub(RESERVATION)))
}

/// A session that counts, and how old its sign-in is.
pub(super) struct Other {
    pub(super) order: (Option<Timestamp>, Timestamp),
    pub(super) id: SessionId,
}

impl Other {
    /// Reads what `look.lua` answers of a live session.
    pub(super) fn read(id: SessionId, value: &Value) -> Option<Self> {
        let Value::Array(pair) = value else { return None };
        let time = |i: usize| {
            let digits = pair.get(i).and_then(bytes)?;
            Some(Timestamp::from_millis(std::str::from_utf8(digits).ok()?.parse().ok()?))
        };
        Some(Self { order: (time(0), time(1)?), id })
    }
}
