//! The values of sessions: an engine whose step is the guard in Rust and a swap.

use tokio::time::Instant;

use super::contract::{CompareAndSwap, Put};
use super::map::{Found, Swapped, get, session_key, swap};
use super::sign_in::{Concluded, Reservation};
use super::store::CasStore;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::form::{Form, Head, Kind, Raw, RawRecord};
use crate::record::patch::Denied;
use crate::record::{COMMIT_LEEWAY, Principal, TOMBSTONE};
use crate::store::engine::index::Seen;
use crate::store::engine::{
    Decision, Doubt, End, Engine, Entombed, Failure, Inserted, Joins, Pause, Read, Step, Stepped,
    decide, entomb, is_over,
};
use crate::store::limits::Limits;
use crate::token::PatchId;

/// How much longer values are kept than they may matter, because clocks differ.
const MARGIN: std::time::Duration = COMMIT_LEEWAY;

impl<M: CompareAndSwap> Engine for CasStore<M> {
    fn keeps_apart(&self) -> bool {
        false
    }

    fn now(&self) -> Timestamp {
        self.map.clock().now()
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    async fn read(&self, id: SessionId, deadline: Instant) -> Result<Read, Failure> {
        let found = get(&*self.map, &session_key(id), deadline).await?;
        Ok(self.answer(found.value))
    }

    async fn step(
        &self,
        id: SessionId,
        step: &Step<'_>,
        deadline: Instant,
    ) -> Result<Stepped, Failure> {
        let mut write = Write::begin(self, id, deadline).await?;
        let mut reservation = None;
        let stepped = loop {
            let (value, stepped) = match decide(write.stored(), step, self.now())? {
                Decision::Refuse => {
                    cancel(reservation, deadline).await;
                    return Ok(Stepped::Refused(write.read(self), write.doubt));
                }
                Decision::Append { value, rev } => (value, Stepped::Appended { rev }),
                Decision::Replace => match &step.replace {
                    Some(replace) => (replace.form.value.clone(), Stepped::Replaced(Vec::new())),
                    None => return Err(Failure::corrupt("a step replaces a form by none")),
                },
            };
            if let (None, Some(joins)) = (&reservation, &step.joins) {
                let tag = step.patch.unwrap_or_else(PatchId::next);
                match Reservation::make(self, id, tag, joins, false, deadline).await? {
                    Ok(made) => reservation = Some(made),
                    Err(denied) => return Ok(Stepped::Denied(denied)),
                }
            }
            check(reservation.as_ref())?;
            let until = Head::read(&value)?.expires.after(COMMIT_LEEWAY + MARGIN);
            let is_ours = |stored: &[u8]| stored == value || contains(stored, step.patch);
            match write.put(self, &value, until, is_ours, deadline).await? {
                Wrote::Done => break stepped,
                Wrote::Again => {}
                Wrote::Moved => {
                    cancel(reservation, deadline).await;
                    return Ok(Stepped::Refused(write.read(self), write.doubt));
                }
            }
        };
        Ok(match conclude(reservation, deadline).await? {
            Concluded::Stands(evicted) => match stepped {
                Stepped::Replaced(_) => Stepped::Replaced(evicted),
                other => other,
            },
            Concluded::Denied(denied) => Stepped::Denied(denied),
        })
    }

    async fn finish(
        &self,
        id: SessionId,
        patch: PatchId,
        joins: &Joins<'_>,
        deadline: Instant,
    ) -> Result<Option<Denied>, Failure> {
        let reservation = Reservation::resume(self, id, patch, joins, deadline).await?;
        Ok(match conclude(reservation, deadline).await? {
            Concluded::Stands(_) => None,
            Concluded::Denied(denied) => Some(denied),
        })
    }

    async fn insert(
        &self,
        id: SessionId,
        form: &Form,
        expires: Timestamp,
        joins: Option<&Joins<'_>>,
        deadline: Instant,
    ) -> Result<Inserted, Failure> {
        let mut write = Write::begin(self, id, deadline).await?;
        let mut reservation = None;
        loop {
            if write.stored().is_some_and(|stored| !is_over(stored, self.now())) {
                cancel(reservation, deadline).await;
                return Ok(Inserted::Exists(write.doubt));
            }
            if let (None, Some(joins)) = (&reservation, joins) {
                match Reservation::make(self, id, PatchId::next(), joins, true, deadline).await? {
                    Ok(made) => reservation = Some(made),
                    Err(denied) => return Ok(Inserted::Denied(denied)),
                }
            }
            check(reservation.as_ref())?;
            let until = expires.after(COMMIT_LEEWAY + MARGIN);
            let is_ours = |stored: &[u8]| stored == form.value;
            match write.put(self, &form.value, until, is_ours, deadline).await? {
                Wrote::Done => break,
                // What is stored now tells whether the id is free.
                Wrote::Again | Wrote::Moved => {}
            }
        }
        Ok(match conclude(reservation, deadline).await? {
            Concluded::Stands(evicted) => Inserted::Stored(evicted),
            Concluded::Denied(denied) => Inserted::Denied(denied),
        })
    }

    async fn entomb(
        &self,
        id: SessionId,
        end: &End<'_>,
        deadline: Instant,
    ) -> Result<Entombed, Failure> {
        let mut write = Write::begin(self, id, deadline).await?;
        loop {
            let Some(stored) = write.stored() else { return Ok(Entombed::Absent) };
            let Some((tombstone, was_live)) = entomb(stored, end, self.now())? else {
                return Ok(Entombed::Absent);
            };
            if end.as_read.is_some_and(|as_read| !stored.starts_with(as_read)) {
                return Ok(Entombed::Refused(write.read(self)));
            }
            let until = end.ended.at.after(TOMBSTONE + MARGIN);
            let is_ours = |stored: &[u8]| contains(stored, Some(end.id));
            let principal = end.as_read.is_none().then(|| principal_of(stored)).flatten();
            match write.put(self, &tombstone, until, is_ours, deadline).await? {
                Wrote::Done => {
                    if let Some(principal) = principal {
                        self.leave_index(&principal, id, deadline).await;
                    }
                    return Ok(Entombed::Ended { was_live });
                }
                Wrote::Again | Wrote::Moved => {}
            }
        }
    }
}

impl<M: CompareAndSwap> CasStore<M> {
    fn answer(&self, value: Option<Vec<u8>>) -> Read {
        Read { value, base: None, now: self.now() }
    }
}

/// Returns what a look at a session shows to that principal.
pub(super) fn seen(read: &Read, principal: &Principal) -> Result<Seen, Failure> {
    let Some(value) = &read.value else { return Ok(Seen::Absent) };
    Ok(match Raw::read(value)? {
        Raw::Tombstone(_) => Seen::Ended,
        Raw::Record(RawRecord { meta, .. }) if meta.is_removable(read.now) => Seen::Absent,
        Raw::Record(RawRecord { meta, .. }) if meta.principal.as_ref() != Some(principal) => {
            Seen::Foreign
        }
        Raw::Record(RawRecord { meta, .. }) if meta.is_expired(read.now) => {
            Seen::Expired(meta.expires_at().after(COMMIT_LEEWAY))
        }
        Raw::Record(RawRecord { meta, .. }) => Seen::Live((meta.authenticated, meta.created)),
    })
}

pub(super) fn is_live(read: &Read) -> Result<bool, Failure> {
    let Some(value) = &read.value else { return Ok(false) };
    let head = Head::read(value)?;
    Ok(head.kind != Kind::Tombstone && read.now < head.expires)
}

fn contains(stored: &[u8], patch: Option<PatchId>) -> bool {
    let Some(patch) = patch else { return false };
    Head::read(stored).is_ok_and(|head| head.patches.contains(patch))
}

fn principal_of(stored: &[u8]) -> Option<Principal> {
    match Raw::read(stored) {
        Ok(Raw::Record(raw)) => raw.meta.principal,
        Ok(Raw::Tombstone(_)) | Err(_) => None,
    }
}

fn check<M: CompareAndSwap>(reservation: Option<&Reservation<'_, M>>) -> Result<(), Failure> {
    reservation.map_or(Ok(()), Reservation::check)
}

async fn cancel<M: CompareAndSwap>(reservation: Option<Reservation<'_, M>>, deadline: Instant) {
    if let Some(reservation) = reservation {
        reservation.cancel(deadline).await;
    }
}

async fn conclude<M: CompareAndSwap>(
    reservation: Option<Reservation<'_, M>>,
    deadline: Instant,
) -> Result<Concluded, Failure> {
    let Some(reservation) = reservation else { return Ok(Concluded::Stands(Vec::new())) };
    let concluded = reservation.conclude(deadline).await;
    concluded.map_err(|failure| failure.in_doubt(Doubt::MaybeDone))
}

/// A write of a session's value, possibly in several tries.
struct Write<V> {
    key: String,
    found: Found<V>,
    pause: Pause,
    /// Whether an earlier try may have been done.
    doubt: Doubt,
}

enum Wrote {
    Done,
    /// Another write was faster; `found` is what it stored.
    Again,
    /// The same, and it is unknown whether ours came before it.
    Moved,
}

impl<V: Send + Sync> Write<V> {
    async fn begin<M: CompareAndSwap<Version = V>>(
        inner: &CasStore<M>,
        id: SessionId,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let key = session_key(id);
        let found = get(&*inner.map, &key, deadline).await?;
        Ok(Self { key, found, pause: Pause::until(deadline), doubt: Doubt::None })
    }

    fn stored(&self) -> Option<&[u8]> {
        self.found.value.as_deref()
    }

    fn read<M: CompareAndSwap>(&self, inner: &CasStore<M>) -> Read {
        inner.answer(self.found.value.clone())
    }

    /// Replaces what was found by `value`. `is_ours` returns whether a value shows that a try whose
    /// answer was lost was done.
    async fn put<M: CompareAndSwap<Version = V>>(
        &mut self,
        inner: &CasStore<M>,
        value: &[u8],
        keep_until: Timestamp,
        is_ours: impl Fn(&[u8]) -> bool,
        deadline: Instant,
    ) -> Result<Wrote, Failure> {
        let put = Some(Put { value, keep_until });
        let swapped = swap(&*inner.map, &self.key, self.found.version.as_ref(), put, deadline);
        match swapped.await.map_err(|failure| failure.in_doubt(self.doubt))? {
            Swapped::Done => return Ok(Wrote::Done),
            Swapped::Moved => {}
            Swapped::Unknown => self.doubt = Doubt::MaybeDone,
        }
        let before = self.found.value.take();
        self.read_again(inner, deadline).await.map_err(|failure| failure.in_doubt(self.doubt))?;
        if self.doubt == Doubt::None || self.found.value == before {
            return Ok(Wrote::Again);
        }
        Ok(match self.found.value.as_deref().is_some_and(is_ours) {
            true => Wrote::Done,
            false => Wrote::Moved,
        })
    }

    /// Reads again, with retries: after one lost answer, others may be lost too.
    async fn read_again<M: CompareAndSwap<Version = V>>(
        &mut self,
        inner: &CasStore<M>,
        deadline: Instant,
    ) -> Result<(), Failure> {
        self.pause.again().await?;
        loop {
            match get(&*inner.map, &self.key, deadline).await {
                Ok(found) => {
                    self.found = found;
                    return Ok(());
                }
                Err(failure) if self.doubt == Doubt::None => return Err(failure),
                Err(failure) => self.pause.again().await.map_err(|_| failure)?,
            }
        }
    }
}
