//! How sessions end. Ending a session never reads its fields.

use rusqlite::params;

use super::db::Db;
use super::failure::Failure;
use super::read;
use super::value::{self, Id, Place};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::form::{self, Head, InvalidForm, Kind, Raw};
use crate::record::{COMMIT_LEEWAY, EndReason, Ended, Principal, TOMBSTONE};
use crate::store::contract::{Revoke, Revoked};
use crate::store::engine::index::STEP;
use crate::token::PatchId;

/// Destroys a record; returns whether it was live.
pub(super) fn delete(
    db: &Db,
    id: SessionId,
    because: EndReason,
    now: Timestamp,
) -> Result<bool, Failure> {
    end_if(db, id, because, now, |_| true)
}

/// Destroys sessions of `principal`; returns how many were live.
pub(super) fn revoke(
    db: &Db,
    principal: &Principal,
    which: Revoke,
    because: EndReason,
    from: Option<&Place>,
    now: Timestamp,
) -> Result<Revoked, Failure> {
    if which == Revoke::All && from.is_none() {
        db.prepare(&db.sql.revoke)?.execute(params![principal.as_str(), value::millis(now)])?;
    }
    if let Revoke::One(id) = which {
        let theirs = |form: &[u8]| match Raw::read(form) {
            Ok(Raw::Record(raw)) => raw.meta.principal.as_ref() == Some(principal),
            Ok(Raw::Tombstone(_)) | Err(_) => false,
        };
        let ended = end_if(db, id, because, now, theirs)?;
        return Ok(Revoked::done(u64::from(ended)));
    }
    let mut ends = Vec::new();
    let (mut last, mut seen) = (None, 0);
    read::page_of(db, principal, from.unwrap_or(&Place::START), STEP, |id, form, place| {
        if which.ends(id) {
            ends.push((id, End::of(form, because, now)));
        }
        (last, seen) = (Some(place), seen + 1);
        Ok(())
    })?;
    let mut ended = 0;
    for (id, end) in ends {
        ended += u64::from(end.write(db, id)?);
    }
    Ok(Revoked::done(ended).and_then(last.filter(|_| seen == STEP).map(|last| last.cursor())))
}

fn end_if(
    db: &Db,
    id: SessionId,
    because: EndReason,
    now: Timestamp,
    may: impl FnOnce(&[u8]) -> bool,
) -> Result<bool, Failure> {
    let end = {
        let mut statement = db.prepare(&db.sql.select)?;
        let mut rows = statement.query([Id::from(id)])?;
        let Some(row) = rows.next()? else { return Ok(false) };
        let form = value::form(row, 0)?;
        if !may(form) {
            return Ok(false);
        }
        End::of(form, because, now)
    };
    end.write(db, id)
}

/// What replaces a stored form when the session ends.
enum End {
    Tombstone {
        form: Vec<u8>,
        at: Timestamp,
        was_live: bool,
    },
    /// Nothing: the session has already ended.
    Nothing,
    /// Nothing, and the row is removed: the form cannot be read, so no secret opens it.
    Removal(InvalidForm),
}

impl End {
    fn of(form: &[u8], because: EndReason, now: Timestamp) -> Self {
        let entombed = |head: Head| {
            let tombstone = form::entombed(form, Ended::new(because, now), PatchId::next())?;
            Ok(Self::Tombstone { form: tombstone, at: now, was_live: now < head.expires })
        };
        match Head::read(form) {
            Ok(head) if head.kind == Kind::Tombstone => Self::Nothing,
            Ok(head) => entombed(head).unwrap_or_else(Self::Removal),
            Err(invalid) => Self::Removal(invalid),
        }
    }

    /// Writes the end; returns whether it ended a live session.
    fn write(self, db: &Db, id: SessionId) -> Result<bool, Failure> {
        match self {
            Self::Nothing => {
                // A tombstone has no principal. If one has, another program wrote it, and a
                // revocation would find it again forever.
                db.prepare(&db.sql.disown)?.execute([Id::from(id)])?;
                Ok(false)
            }
            Self::Tombstone { form, at, was_live } => {
                let expires = value::millis(at.after(TOMBSTONE.saturating_sub(COMMIT_LEEWAY)));
                db.prepare(&db.sql.entomb)?.execute(params![Id::from(id), form, expires])?;
                Ok(was_live)
            }
            Self::Removal(invalid) => {
                tracing::warn!(%id, %invalid, "a session that cannot be read was removed");
                db.prepare(&db.sql.delete)?.execute([Id::from(id)])?;
                Ok(false)
            }
        }
    }
}
