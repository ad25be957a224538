//! The sessions of a principal: pages of the index, listing and revoking.

use std::str::FromStr;

use futures_util::future::try_join_all;
use redis::Value;
use tokio::time::Instant;

use super::ask::text;
use super::failure::Failure;
use super::layout::Key;
use super::read::ABREAST;
use super::script::{RESERVATION, STEP};
use super::server::Server;
use crate::id::SessionId;
use crate::record::EndReason;
use crate::record::form::{InvalidForm, Raw};
use crate::record::{Meta, Principal};
use crate::store::contract::{Cursor, Page, Revoke, Revoked};
use crate::store::engine::{self, Read, end_if, record_of};

/// An entry of an index.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Empty if it does not matter.
    pub(super) score: String,
    /// The session that it is about, if any.
    pub(super) id: Option<SessionId>,
}

impl Entry {
    pub(super) fn of(id: SessionId) -> Self {
        Self { name: id.to_string(), score: String::new(), id: Some(id) }
    }

    /// Whether it is a sign-in that is not confirmed.
    pub(super) fn is_under_way(&self) -> bool {
        self.name.starts_with('+')
    }

    /// Whether it is a sign-in that was confirmed within the last half minute.
    pub(super) fn is_confirmed(&self) -> bool {
        self.name.starts_with('=')
    }

    /// Returns the session, if the entry stands for a session and not for a sign-in.
    fn session(&self) -> Option<SessionId> {
        self.id.filter(|_| !self.is_under_way() && !self.is_confirmed())
    }
}

/// Reads members and scores, and returns those about sessions.
pub(super) fn entries(flat: &[Value]) -> Result<Vec<Entry>, Failure> {
    let corrupt = || Failure::corrupt("index");
    let (pairs, []) = flat.as_chunks::<2>() else { return Err(corrupt()) };
    let mut all = Vec::with_capacity(pairs.len());
    for [name, score] in pairs {
        let name = text(name).ok_or_else(corrupt)?;
        let score = match score {
            Value::Double(score) => score.to_string(),
            score => text(score).ok_or_else(corrupt)?.to_owned(),
        };
        let id = name.trim_start_matches(['+', '=']).split(' ').next();
        all.push(Entry { name: name.to_owned(), score, id: id.and_then(|id| id.parse().ok()) });
    }
    Ok(all)
}

/// Where a page of an index begins: after this entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    score: String,
    name: String,
}

impl Place {
    fn cursor(&self) -> Cursor {
        Cursor::new(format!("{} {}", self.score, self.name))
    }
}

impl FromStr for Place {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let (score, name) = text.split_once(' ').unwrap_or_default();
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|it| it.is_ascii_graphic() || it == b' ')
        };
        match score.parse::<f64>() {
            Ok(number) if number.is_finite() && is_name(name) => {
                Ok(Self { score: score.to_owned(), name: name.to_owned() })
            }
            _ => Err(Failure::config("a cursor of another store")),
        }
    }
}

/// A page of an index, in its order.
pub(super) struct Entries {
    pub(super) entries: Vec<Entry>,
    pub(super) next: Option<Place>,
}

/// A session that belongs to the principal whose index lists it.
pub(super) struct Standing {
    pub(super) meta: Meta,
    pub(super) head: Vec<u8>,
    /// If not, it has expired, and a patch in flight may still revive it.
    pub(super) is_live: bool,
}

/// The sessions of some entries.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) theirs: Vec<(Entry, Standing)>,
    /// Gone for good, or of another principal.
    pub(super) stale: Vec<Entry>,
}

impl Server {
    /// Returns at most `limit` entries after `from`, or from the beginning.
    pub(super) async fn page(
        &self,
        index: Key<'_>,
        from: Option<&Place>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Entries, Failure> {
        let (score, name) = from.map_or(("", ""), |from| (&from.score, &from.name));
        let most = limit.to_string();
        let args = [score.as_bytes(), name.as_bytes(), most.as_bytes()];
        let answer = self.run(&self.scripts.page, &[index], &args, deadline).await?;
        let Value::Array(flat) = answer else { return Err(Failure::corrupt("index")) };
        let entries = entries(&flat)?;
        let last = entries.last().filter(|_| entries.len() == limit);
        let next = last.map(|last| Place { score: last.score.clone(), name: last.name.clone() });
        Ok(Entries { entries, next })
    }

    /// Reads heads and metas, but not fields, of the sessions of these entries.
    pub(super) async fn look_at_entries(
        &self,
        principal: &Principal,
        entries: Vec<Entry>,
        deadline: Instant,
    ) -> Result<Looked, Failure> {
        let known: Vec<_> = entries.into_iter().filter(|it| it.session().is_some()).collect();
        let ids: Vec<_> = known.iter().filter_map(|entry| entry.id).collect();
        let reads = self.look_at_all(&ids, false, deadline).await?;
        let mut looked = Looked::default();
        for (entry, read) in known.into_iter().zip(reads) {
            match standing(principal, &read)? {
                Some(standing) => looked.theirs.push((entry, standing)),
                None => looked.stale.push(entry),
            }
        }
        Ok(looked)
    }

    pub(super) async fn list(
        &self,
        principal: &Principal,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, engine::Failure> {
        let deadline = self.deadline();
        let index = self.index(principal);
        let from = from.map(|cursor| cursor.as_str().parse::<Place>()).transpose()?;
        let page = self.page(index, from.as_ref(), limit.clamp(1, STEP), deadline).await?;
        let known: Vec<_> = page.entries.into_iter().filter(|it| it.session().is_some()).collect();
        let ids: Vec<_> = known.iter().filter_map(|entry| entry.id).collect();
        let reads = self.look_at_all(&ids, true, deadline).await?;
        let (mut records, mut stale) = (Vec::with_capacity(known.len()), Vec::new());
        for ((entry, id), read) in known.into_iter().zip(ids).zip(reads) {
            match standing(principal, &read)? {
                None => stale.push(entry),
                Some(it) if it.is_live => records.extend(record_of(id, &read)?),
                Some(_) => {}
            }
        }
        self.forget_all(index, &stale, deadline).await;
        Ok(Page { records, next: page.next.map(|place| place.cursor()) })
    }

    pub(super) async fn revoke(
        &self,
        principal: &Principal,
        which: Revoke,
        because: EndReason,
        from: Option<&Cursor>,
    ) -> Result<Revoked, engine::Failure> {
        let deadline = self.deadline();
        if let Revoke::One(id) = which {
            let read = self.look_at(id, deadline).await?;
            return Ok(Revoked::done(u64::from(
                self.end(id, read, principal, because, deadline).await?,
            )));
        }
        let index = self.index(principal);
        let from = from.map(|cursor| cursor.as_str().parse::<Place>()).transpose()?;
        if which == Revoke::All && from.is_none() {
            self.run_safely(&self.scripts.mark, &[index], &[], deadline).await?;
        }
        let page = self.page(index, from.as_ref(), STEP, deadline).await?;
        let ends = |entry: &Entry| entry.session().is_some_and(|id| which.ends(id));
        let known: Vec<_> = page.entries.into_iter().filter(ends).collect();
        let ids: Vec<_> = known.iter().filter_map(|entry| entry.id).collect();
        let mut reads = self.look_at_all(&ids, true, deadline).await?.into_iter();
        let mut ended = 0;
        for ids in ids.chunks(ABREAST) {
            let ending = ids
                .iter()
                .zip(reads.by_ref())
                .map(|(id, read)| self.end(*id, read, principal, because, deadline));
            let were_live = try_join_all(ending).await?;
            ended += were_live.into_iter().filter(|live| *live).count() as u64;
        }
        self.forget_all(index, &known, deadline).await;
        Ok(Revoked::done(ended).and_then(page.next.map(|place| place.cursor())))
    }

    /// Ends a session if it belongs to `principal`; returns whether it was live.
    async fn end(
        &self,
        id: SessionId,
        read: Read,
        principal: &Principal,
        because: EndReason,
        deadline: Instant,
    ) -> Result<bool, engine::Failure> {
        let theirs =
            |record: &crate::record::Record| record.meta.principal.as_ref() == Some(principal);
        end_if(self, id, read, because, theirs, deadline).await
    }

    /// Removes entries from the index, except those of sessions with a sign-in in progress or a
    /// newer one. A failure is ignored.
    pub(super) async fn forget_all(&self, index: Key<'_>, stale: &[Entry], deadline: Instant) {
        if stale.is_empty() {
            return;
        }
        let forgotten = async {
            let signing_in = match self.is_split() {
                true => self.signing_in(index, deadline).await?,
                false => Vec::new(),
            };
            let stale = stale.iter().filter(|it| it.id.is_none_or(|id| !signing_in.contains(&id)));
            let args: Vec<_> =
                stale.flat_map(|it| [it.name.as_bytes(), it.score.as_bytes()]).collect();
            for args in args.chunks(2 * STEP) {
                self.run(&self.scripts.forget, &[index], args, deadline).await?;
            }
            Ok::<_, Failure>(())
        };
        if let Err(failure) = forgotten.await {
            tracing::debug!(%failure, "ended sessions stay in the index of their principal for now");
        }
    }

    /// Returns the sessions with a sign-in in progress. One that was confirmed meanwhile has raised
    /// the score under which an entry is removed.
    async fn signing_in(
        &self,
        index: Key<'_>,
        deadline: Instant,
    ) -> Result<Vec<SessionId>, Failure> {
        let now = self.offset.now().as_millis();
        let mut range = redis::cmd("ZRANGE");
        // A margin on both sides, because clocks differ.
        range.arg(index).arg(now.saturating_sub(RESERVATION)).arg(now + 2 * RESERVATION);
        range.arg("BYSCORE").arg("WITHSCORES");
        let answer = self.at_holder(index, &range, deadline).await?.value;
        let Value::Array(flat) = answer else { return Err(Failure::corrupt("index")) };
        let entries = entries(&flat)?.into_iter();
        Ok(entries.filter(Entry::is_under_way).filter_map(|it| it.id).collect())
    }
}

/// Returns the session if it belongs to `principal`; `None` if it is gone for good or belongs to
/// another.
fn standing(principal: &Principal, read: &Read) -> Result<Option<Standing>, InvalidForm> {
    let Some(value) = &read.value else { return Ok(None) };
    let raw = match Raw::read(value) {
        Ok(Raw::Record(raw)) => raw,
        Ok(Raw::Tombstone(_)) => return Ok(None),
        // A load does not find it either.
        Err(InvalidForm::Malformed(_)) => return Ok(None),
        Err(newer) => return Err(newer),
    };
    let meta = raw.meta;
    if meta.principal.as_ref() != Some(principal) || meta.is_removable(read.now) {
        return Ok(None);
    }
    let head = value.get(..raw.head.len()).unwrap_or(value).to_vec();
    Ok(Some(Standing { is_live: !meta.is_expired(read.now), meta, head }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_what_it_says_or_none_at_all() {
        for (score, name) in [("1700000000000", "Rm9vQmFyQmF6UXV4MTIzNA"), ("1.5", "+a b c")] {
            let place = Place { score: score.to_owned(), name: name.to_owned() };
            assert_eq!(place.cursor().as_str().parse::<Place>().ok(), Some(place));
        }
        for foreign in ["", " ", "1", "1 ", "x y", "inf a", "1 a\nb"] {
            assert!(foreign.parse::<Place>().is_err(), "{foreign:?}");
        }
    }
}
