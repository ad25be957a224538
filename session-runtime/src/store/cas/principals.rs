//! The sessions of a principal: listings and revocations, step by step.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use tokio::time::Instant;

use super::contract::CompareAndSwap;
use super::index::root_key;
use super::map::abreast;
use super::store::CasStore;
use crate::id::SessionId;
use crate::record::{EndReason, Principal, Record};
use crate::store::contract::{Cursor, Page, Revoke, Revoked};
use crate::store::engine::index::{Entry, Place, Root};
use crate::store::engine::{Engine, Failure, end_if, record_of};
use crate::store::error::{StoreError, StoreErrorKind};

/// How many sessions one step of a revocation ends, and how many a page contains at most.
const STEP: usize = 100;
const PAGE: usize = 500;

impl<M: CompareAndSwap> CasStore<M> {
    pub(super) async fn page(
        &self,
        principal: &Principal,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let deadline = self.until();
        let part = self.part(principal, from, limit.clamp(1, PAGE), deadline).await?;
        let ids: HashSet<_> = part.entries.iter().map(|entry| entry.id).collect();
        let reads = ids.iter().map(|id| self.read(*id, deadline));
        let mut records = Vec::with_capacity(ids.len());
        for (id, read) in ids.iter().zip(abreast(reads).await) {
            let read = read?;
            let live = record_of(*id, &read)?.filter(|it| !it.meta.is_expired(read.now));
            records.extend(live.filter(|it| it.meta.principal.as_ref() == Some(principal)));
        }
        Ok(Page { records, next: part.next })
    }

    pub(super) async fn end_some(
        &self,
        principal: &Principal,
        which: Revoke,
        because: EndReason,
        from: Option<&Cursor>,
    ) -> Result<Revoked, StoreError> {
        let (deadline, key) = (self.until(), root_key(principal));
        if let Revoke::One(id) = which {
            let ended = self.end_theirs(id, principal, because, deadline).await?;
            if ended {
                self.leave_index(principal, id, deadline).await;
            }
            return Ok(Revoked::done(ended.into()));
        }
        if which == Revoke::All && from.is_none() {
            self.update(&key, deadline, Root::revoke).await?;
        }
        let part = self.part(principal, from, STEP, deadline).await?;
        let entries = part.entries.iter().filter(|entry| which.ends(entry.id));
        let ended =
            entries.clone().map(|entry| self.end_theirs(entry.id, principal, because, deadline));
        let mut count = 0;
        for ended in abreast(ended).await {
            count += u64::from(ended?);
        }
        let gone: Vec<_> = entries.map(|entry| (part.place, entry.clone())).collect();
        let notes = self.note(&key, &part.root, &gone, deadline).await?;
        self.update(&key, deadline, |root, _| notes.write(root)).await?;
        Ok(Revoked::done(count).and_then(part.next))
    }

    async fn end_theirs(
        &self,
        id: SessionId,
        principal: &Principal,
        because: EndReason,
        deadline: Instant,
    ) -> Result<bool, Failure> {
        let read = self.read(id, deadline).await?;
        let theirs = |record: &Record| record.meta.principal.as_ref() == Some(principal);
        end_if(self, id, read, because, theirs, deadline).await
    }

    async fn part(
        &self,
        principal: &Principal,
        from: Option<&Cursor>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Part, StoreError> {
        let foreign = || StoreError::because(StoreErrorKind::Config, "a cursor of another store");
        let position =
            from.map(|from| from.as_str().parse().map_err(|()| foreign())).transpose()?;
        let mut position: Position = position.unwrap_or_default();
        let key = root_key(principal);
        let root = self.root(&key, deadline).await?;
        // Entries that move into a new bucket during a walk over the root are found there.
        let apart = root.buckets.iter().find(|bucket| bucket.number >= position.bucket).cloned();
        let Some(bucket) = apart else {
            let (entries, last) = after(root.entries.clone(), position.in_root, limit);
            position.in_root = last;
            let next = last.map(|_| position.cursor());
            return Ok(Part { place: Place::Root, root, entries, next });
        };
        if bucket.number > position.bucket {
            position = Position { bucket: bucket.number, in_bucket: None, ..position };
        }
        let all = self.bucket(&key, &bucket, deadline).await?;
        let (entries, last) = after(all, position.in_bucket, limit);
        position.in_bucket = last;
        position.bucket += u64::from(last.is_none());
        let next = Some(position.cursor());
        Ok(Part { place: Place::Bucket(bucket.number), root, entries, next })
    }
}

/// Some entries, all from one place.
struct Part {
    place: Place,
    root: Root,
    entries: Vec<Entry>,
    next: Option<Cursor>,
}

/// Returns the first entries after `after`, and the last of them if there are more.
fn after(
    mut entries: Vec<Entry>,
    after: Option<SessionId>,
    limit: usize,
) -> (Vec<Entry>, Option<SessionId>) {
    entries.retain(|entry| after.is_none_or(|after| entry.id > after));
    entries.sort_by_key(|entry| entry.id);
    if entries.len() <= limit {
        return (entries, None);
    }
    let last = entries[limit - 1].id;
    entries.retain(|entry| entry.id <= last);
    (entries, Some(last))
}

/// The position of a walk over the sessions of a principal.
#[derive(Clone, Copy, Default)]
struct Position {
    /// The buckets before this one are done.
    bucket: u64,
    in_bucket: Option<SessionId>,
    in_root: Option<SessionId>,
}

impl Position {
    fn cursor(self) -> Cursor {
        Cursor::new(self.to_string())
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.bucket)?;
        for id in [self.in_bucket, self.in_root] {
            match id {
                Some(id) => write!(f, " {id}")?,
                None => f.write_str(" .")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let words: Vec<_> = text.split(' ').collect();
        let [bucket, in_bucket, in_root] = words[..] else { return Err(()) };
        let id = |word: &str| match word {
            "." => Ok(None),
            id => id.parse().map(Some).map_err(drop),
        };
        let bucket = bucket.parse().map_err(drop)?;
        Ok(Self { bucket, in_bucket: id(in_bucket)?, in_root: id(in_root)? })
    }
}
