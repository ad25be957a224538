//! How sessions end. Ending a session never reads its fields.

use super::line::Line;
use super::load::lock;
use super::place::Place;
use super::server::{Server, Work};
use super::sign_in;
use super::statements::BATCH;
use super::{Arg, Dialect, Fault};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::form::{InvalidForm, Raw};
use crate::record::{COMMIT_LEEWAY, EndReason, Ended, Principal, PrincipalHash, TOMBSTONE};
use crate::store::contract::{Cursor, Revoke, Revoked};
use crate::store::engine::index::STEP;
use crate::store::engine::{self, Doubt, Failure};
use crate::store::error::StoreErrorKind;
use crate::token::PatchId;

/// Destroys a session; returns whether it was live.
pub(super) async fn delete<D: Dialect>(
    server: &Server<D>,
    id: SessionId,
    because: EndReason,
) -> Result<bool, Failure> {
    end_one(server, id, because, None).await
}

/// Destroys sessions of `principal`; returns how many were live.
pub(super) async fn revoke<D: Dialect>(
    server: &Server<D>,
    principal: &Principal,
    which: Revoke,
    because: EndReason,
    from: Option<&Cursor>,
) -> Result<Revoked, Failure> {
    let from = from.map(Place::of_cursor).transpose()?;
    if let Revoke::One(id) = which {
        let ended = end_one(server, id, because, Some(principal)).await?;
        return Ok(Revoked::done(u64::from(ended)));
    }
    let marks = which == Revoke::All && from.is_none();
    let number = PatchId::next();
    let mut step = Step { principal, which, because, marks, number, sent: None };
    server.perform(&mut step).await
}

async fn end_one<D: Dialect>(
    server: &Server<D>,
    id: SessionId,
    because: EndReason,
    only_of: Option<&Principal>,
) -> Result<bool, Failure> {
    let mut one = One { id, because, only_of, number: PatchId::next() };
    match server.perform(&mut one).await {
        // A logout must succeed even if the server is full.
        Err(failure) if failure.kind == StoreErrorKind::Full => {
            tracing::warn!(%id, "there is no room to remember that a session has ended");
            server.perform(&mut Removal(one)).await
        }
        answer => answer,
    }
}

/// The end of one session, of any principal or only of the given one.
struct One<'c> {
    id: SessionId,
    because: EndReason,
    only_of: Option<&'c Principal>,
    /// The id of this end, by which a retry recognises it.
    number: PatchId,
}

impl One<'_> {
    /// Locks the form that is to end; returns it with the time.
    async fn lock<D: Dialect>(
        &self,
        line: &mut Line<'_, D>,
    ) -> Result<Option<(Vec<u8>, Timestamp)>, Fault> {
        line.begin().await?;
        let stored = lock(line, self.id).await?;
        let Some(form) = stored.value else { return Ok(None) };
        let may = match self.only_of {
            Some(principal) => is_of(&form, principal),
            None => true,
        };
        Ok(may.then_some((form, stored.now)))
    }
}

impl<D: Dialect> Work<D> for One<'_> {
    type Answer = bool;

    async fn run(&mut self, line: &mut Line<'_, D>, doubt: Doubt) -> Result<bool, Fault> {
        let Some((form, now)) = self.lock(line).await? else { return Ok(false) };
        if doubt == Doubt::MaybeDone
            && let Some(was_live) = ended_by(&form, self.number)
        {
            return Ok(was_live);
        }
        let ended = Ended::new(self.because, now);
        let end = End::of(&form, ended, self.number);
        let live = write(line, vec![(self.id, end)], ended).await?;
        line.commit().await?;
        Ok(live > 0)
    }
}

/// The same without a tombstone.
struct Removal<'c>(One<'c>);

impl<D: Dialect> Work<D> for Removal<'_> {
    type Answer = bool;

    async fn run(&mut self, line: &mut Line<'_, D>, _: Doubt) -> Result<bool, Fault> {
        let Some((form, now)) = self.0.lock(line).await? else { return Ok(false) };
        let end = End::of(&form, Ended::new(self.0.because, now), self.0.number);
        line.run(&line.sql().delete, &[Arg::Text(&self.0.id.to_string())]).await?;
        line.commit().await?;
        Ok(matches!(end, End::Tombstone { was_live: true, .. }))
    }
}

/// Whether the form is a session of `principal`, or the tombstone of one.
fn is_of(form: &[u8], principal: &Principal) -> bool {
    let meta = match Raw::read(form) {
        Ok(Raw::Record(raw)) => raw.meta,
        Ok(Raw::Tombstone(tombstone)) => tombstone.meta,
        Err(_) => return false,
    };
    meta.principal.as_ref() == Some(principal)
}

/// Returns whether the session was live, if the form is the result of the end `number`.
fn ended_by(form: &[u8], number: PatchId) -> Option<bool> {
    match Raw::read(form) {
        Ok(Raw::Tombstone(it)) if it.meta.patches.contains(number) => {
            Some(!it.meta.is_expired(it.ended.at))
        }
        _ => None,
    }
}

/// One step of ending all sessions of a principal, or all but one.
struct Step<'c> {
    principal: &'c Principal,
    which: Revoke,
    because: EndReason,
    /// Whether the revocation is recorded.
    marks: bool,
    number: PatchId,
    /// What was sent and may have been done.
    sent: Option<Sent>,
}

#[derive(Clone)]
struct Sent {
    /// One of the sessions that it ends.
    one: Option<SessionId>,
    revoked: Revoked,
}

impl<D: Dialect> Work<D> for Step<'_> {
    type Answer = Revoked;

    async fn run(&mut self, line: &mut Line<'_, D>, doubt: Doubt) -> Result<Revoked, Fault> {
        let principal = self.principal.hash();
        line.begin().await?;
        sign_in::hold(line, self.principal).await?;
        if doubt == Doubt::MaybeDone
            && let Some(Sent { one: Some(one), revoked }) = self.sent.clone()
            && let Some(form) = lock(line, one).await?.value
            && ended_by(&form, self.number).is_some()
        {
            return Ok(revoked);
        }
        let now = line.time().await?;
        if self.marks {
            let args = [Arg::Bytes(principal.as_bytes()), now.into()];
            line.run(&line.sql().mark, &args).await?;
        }
        // Ended sessions have left the index, so each step begins at the oldest.
        let page = lock_page(line, principal, Place::END, STEP).await?;
        let next = page.last().filter(|_| page.len() == STEP).map(|(place, _)| place.cursor());
        let ended = Ended::new(self.because, now);
        let theirs = page.into_iter().filter(|(place, _)| self.which.ends(place.id()));
        let ends = theirs.map(|(place, form)| (place.id(), End::of(&form, ended, self.number)));
        let ends: Vec<_> = ends.collect();
        let one = ends.iter().find(|(_, end)| matches!(end, End::Tombstone { .. }));
        let one = one.map(|(id, _)| *id);
        let revoked = Revoked::done(write(line, ends, ended).await?).and_then(next);
        self.sent = Some(Sent { one, revoked: revoked.clone() });
        line.commit().await?;
        Ok(revoked)
    }
}

/// Locks the oldest sessions of a principal up to `last`; returns their places and forms.
pub(super) async fn lock_page<D: Dialect>(
    line: &mut Line<'_, D>,
    principal: PrincipalHash,
    last: Place,
    limit: usize,
) -> Result<Vec<(Place, Vec<u8>)>, Fault> {
    let args = [
        Arg::Bytes(principal.as_bytes()),
        Arg::Bytes(last.as_bytes()),
        Arg::Int(i64::try_from(limit).unwrap_or(i64::MAX)),
    ];
    let rows = line.run(&line.sql().lock_page, &args).await?.rows;
    rows.into_iter().map(|mut row| Ok((Place::read(&row.bytes(0)?)?, row.bytes(1)?))).collect()
}

/// What replaces a stored form when the session ends.
pub(super) enum End {
    Tombstone {
        form: Vec<u8>,
        was_live: bool,
    },
    /// Nothing: the session has already ended.
    Nothing,
    /// Nothing, and the row is removed: the form cannot be read, so no secret opens it.
    Removal(InvalidForm),
}

impl End {
    pub(super) fn of(form: &[u8], ended: Ended, number: PatchId) -> Self {
        let end = engine::End { ended, id: number, as_read: None };
        match engine::entomb(form, &end, ended.at) {
            Ok(Some((form, was_live))) => Self::Tombstone { form, was_live },
            Ok(None) => Self::Nothing,
            Err(invalid) => Self::Removal(invalid),
        }
    }
}

/// Ends the locked sessions; returns how many of them were live.
pub(super) async fn write<D: Dialect>(
    line: &mut Line<'_, D>,
    ends: Vec<(SessionId, End)>,
    ended: Ended,
) -> Result<u64, Fault> {
    let mut live = 0;
    let mut tombstones = Vec::new();
    for (id, end) in ends {
        match end {
            End::Tombstone { form, was_live } => {
                live += u64::from(was_live);
                tombstones.push((id.to_string(), form));
            }
            // A tombstone has no principal. If one has, another program wrote it, and a revocation
            // would find it again forever.
            End::Nothing => {
                line.run(&line.sql().disown, &[Arg::Text(&id.to_string())]).await?;
            }
            End::Removal(invalid) => {
                tracing::warn!(%id, %invalid, "a session that cannot be read was removed");
                line.run(&line.sql().delete, &[Arg::Text(&id.to_string())]).await?;
            }
        }
    }
    // Swept when it is over, as a session is after its leeway.
    let due = Arg::from(ended.at.after(TOMBSTONE.saturating_sub(COMMIT_LEEWAY)));
    for batch in tombstones.chunks(BATCH) {
        if let [(id, form)] = batch {
            let args = [Arg::Bytes(form), due, due, Arg::Text(id)];
            line.run(&line.sql().entomb, &args).await?;
            continue;
        }
        let filled: Vec<_> = batch.iter().cycle().take(BATCH).collect();
        let forms = filled.iter().flat_map(|(id, form)| [Arg::Text(id), Arg::Bytes(form)]);
        let ids = filled.iter().map(|(id, _)| Arg::Text(id));
        let args: Vec<_> = forms.chain([due, due]).chain(ids).collect();
        line.run(&line.sql().entomb_batch, &args).await?;
    }
    Ok(live)
}
