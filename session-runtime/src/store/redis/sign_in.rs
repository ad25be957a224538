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
use crate::record::{COMMIT_LEEWAY, MAX_LIFETIME, Meta, Principal};
use crate::token::PatchId;

/// A sign-in under way.
pub(super) struct Reservation<'s> {
    server: &'s Server,
    index: String,
    principal: Principal,
    id: String,
    number: String,
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

/// How the sign-in ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Concluded {
    Stands,
    /// All sessions were revoked meanwhile: this one too.
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
        number: PatchId::next().as_u64().to_string(),
        since,
        bound: "0".to_owned(),
        not_after: String::new(),
        denied: None,
        evicted: Vec::new(),
        under_way: Vec::new(),
    };
    let others = if sign_in.cap.is_some() { "m" } else { "" };
    let Reservation { id, number, since, index, .. } = &reservation;
    let args = [&server.now(), id, number, bound, since, others];
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
    reservation.count(sign_in, members(&answer[2..])?, deadline).await?;
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
            if let Some(id) = member.id.filter(|id| others.iter().all(|other| other.id != *id)) {
                others.push(Other {
                    order: (Some(Timestamp::from_millis(u64::MAX)), Timestamp::default()),
                    id,
                });
            }
        }
        self.under_way = under_way;
        let max = cap.max.get() as usize;
        let known: Vec<_> = known
            .into_iter()
            .filter(|it| it.id.is_some_and(|id| others.iter().all(|o| o.id != id)))
            .collect();
        if others.len() + known.len() >= max {
            for other in self.server.look(&known, &self.principal, deadline).await? {
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

    /// The session was not written.
    pub(super) async fn cancel(self, deadline: Instant) {
        let mine = format!("+{} {}", self.id, self.number);
        let (server, args) = (self.server, [mine.as_str(), ""]);
        if !self.not_after.is_empty()
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
            server.destroy(id, Some(&self.principal), deadline).await?;
        }
        let args = [&server.now(), &self.id, &self.number, &self.since];
        let stands = server.run(&server.scripts.confirm, &[&self.index], &args, deadline).await?;
        let concluded = match int(&stands) {
            Some(1) => return Ok(Concluded::Stands),
            Some(0) => Concluded::Stands,
            _ => Concluded::Revoked,
        };
        // As if it had been ended right after it was stored.
        let id = self.id.parse().map_err(|_| Failure::corrupt("session id"))?;
        server.destroy(id, Some(&self.principal), deadline).await?;
        Ok(concluded)
    }
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
