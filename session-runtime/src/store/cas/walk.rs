//! Walks over all keys: scans, counts and sweeps.

use tokio::time::Instant;

use super::contract::{CompareAndSwap, Keys};
use super::map::{Found, Swapped, abreast, get, session_of, swap};
use super::session::is_live;
use super::store::CasStore;
use crate::clock::Timestamp;
use crate::store::contract::{Cursor, Page, Swept};
use crate::store::engine::index::{Root, read_bucket};
use crate::store::engine::{Engine, Failure, is_over, record_of};
use crate::store::error::{StoreError, StoreErrorKind};

/// How many keys a page of a count or a sweep contains.
const PAGE: usize = 100;
/// How many pages one sweep looks at, at most.
const PAGES: usize = 10;

impl<M: CompareAndSwap> CasStore<M> {
    async fn keys(&self, from: Option<&Cursor>, limit: usize) -> Result<Keys, StoreError> {
        let Some(list) = self.list else {
            let text = "the map below cannot list its keys";
            return Err(StoreError::because(StoreErrorKind::Unsupported, text));
        };
        match tokio::time::timeout_at(self.until(), list(&self.map, from, limit)).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::new(StoreErrorKind::Timeout)),
        }
    }

    pub(super) async fn scan_some(
        &self,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let Keys { keys, next } = self.keys(from, limit.max(1)).await?;
        let (ids, deadline) = (keys.iter().filter_map(|key| session_of(key)), self.until());
        let reads = ids.clone().map(|id| self.read(id, deadline));
        let mut records = Vec::new();
        for (id, read) in ids.clone().zip(abreast(reads).await) {
            let read = read?;
            records.extend(record_of(id, &read)?.filter(|it| !it.meta.is_expired(read.now)));
        }
        Ok(Page { records, next })
    }

    pub(super) async fn count_live(&self) -> Result<u64, StoreError> {
        let (mut count, mut from) = (0, None);
        loop {
            let Keys { keys, next } = self.keys(from.as_ref(), PAGE).await?;
            let (ids, deadline) = (keys.iter().filter_map(|key| session_of(key)), self.until());
            for read in abreast(ids.map(|id| self.read(id, deadline))).await {
                count += u64::from(is_live(&read?)?);
            }
            let Some(next) = next else { return Ok(count) };
            from = Some(next);
        }
    }

    pub(super) async fn sweep_some(&self, limit: usize) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        if self.list.is_none() {
            return Ok(swept);
        }
        let mut from = self.sweeping.lock().await;
        for _ in 0..PAGES {
            let Keys { keys, next } = self.keys(from.as_ref(), PAGE).await?;
            let deadline = self.until();
            let found = abreast(keys.iter().map(|key| get(&*self.map, key, deadline))).await;
            for (key, found) in keys.iter().zip(found) {
                let found = found?;
                // A value that is not in our format is left alone.
                if !is_due(key, found.value.as_deref(), self.now()).unwrap_or(false) {
                    continue;
                }
                if swept.removed >= limit {
                    // The next sweep repeats this page.
                    swept.more = true;
                    return Ok(swept);
                }
                let removed = self.remove(key, &found, deadline).await?;
                swept.removed += usize::from(removed && session_of(key).is_some());
            }
            *from = next;
            if from.is_none() {
                return Ok(swept);
            }
        }
        swept.more = true;
        Ok(swept)
    }

    async fn remove(
        &self,
        key: &str,
        found: &Found<M::Version>,
        deadline: Instant,
    ) -> Result<bool, Failure> {
        let removed = swap(&*self.map, key, found.version.as_ref(), None, deadline).await?;
        Ok(matches!(removed, Swapped::Done))
    }
}

/// Whether a value is no longer needed.
fn is_due(key: &str, value: Option<&[u8]>, now: Timestamp) -> Result<bool, Failure> {
    let Some(value) = value else { return Ok(false) };
    if session_of(key).is_some() {
        return Ok(is_over(value, now));
    }
    match key.strip_prefix("p.") {
        Some(name) if name.contains('.') => {
            let entries = read_bucket(value, now)?;
            Ok(entries.iter().all(|entry| entry.is_over(now)))
        }
        Some(_) => {
            let mut root = Root::read(value)?;
            root.tidy(now);
            Ok(root.is_empty())
        }
        None => Ok(false),
    }
}
