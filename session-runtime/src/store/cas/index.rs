//! The values of principals: the root of an index and its buckets.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::contract::{CompareAndSwap, Put};
use super::map::{Swapped, abreast, get, swap};
use super::session::seen;
use super::store::CasStore;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::{COMMIT_LEEWAY, Principal};
use crate::store::engine::index::{
    Bucket, Entry, InvalidIndex, Place, Root, Seen, note, read_bucket, write_bucket,
};
use crate::store::engine::{Engine, Failure, Pause};
use crate::token::PatchId;

impl From<InvalidIndex> for Failure {
    fn from(invalid: InvalidIndex) -> Self {
        Self::corrupt(invalid)
    }
}

/// Returns the key of a principal's root. It contains no personal data, and has a fixed length.
pub(super) fn root_key(principal: &Principal) -> String {
    format!("p.{}", URL_SAFE_NO_PAD.encode(Sha256::digest(principal.as_str().as_bytes())))
}

pub(super) fn bucket_key(root: &str, bucket: &Bucket) -> String {
    format!("{root}.{}", bucket.name.as_u64())
}

impl<M: CompareAndSwap> CasStore<M> {
    pub(super) async fn root(&self, key: &str, deadline: Instant) -> Result<Root, Failure> {
        let found = get(&*self.map, key, deadline).await?;
        Ok(found.value.map(|value| Root::read(&value)).transpose()?.unwrap_or_default())
    }

    /// Changes a root; returns it after the change. `change` is called again if another change was
    /// faster, or if an answer was lost: the second time it must recognise what it did.
    pub(super) async fn update<T>(
        &self,
        key: &str,
        deadline: Instant,
        mut change: impl FnMut(&mut Root, Timestamp) -> T,
    ) -> Result<(Root, T), Failure> {
        let mut pause = Pause::until(deadline);
        loop {
            let found = get(&*self.map, key, deadline).await?;
            let before = found.value.as_deref().map(Root::read).transpose()?.unwrap_or_default();
            let mut root = before.clone();
            let answer = change(&mut root, self.now());
            if root == before {
                return Ok((root, answer));
            }
            let value = root.write();
            let put = Put { value: &value, keep_until: root.keep_until() };
            let put = (!root.is_empty()).then_some(put);
            match swap(&*self.map, key, found.version.as_ref(), put, deadline).await? {
                Swapped::Done => return Ok((root, answer)),
                Swapped::Moved | Swapped::Unknown => pause.again().await?,
            }
        }
    }

    /// Returns the entries of a bucket; none if it no longer exists.
    pub(super) async fn bucket(
        &self,
        root: &str,
        bucket: &Bucket,
        deadline: Instant,
    ) -> Result<Vec<Entry>, Failure> {
        let found = get(&*self.map, &bucket_key(root, bucket), deadline).await?;
        let entries = found.value.map(|value| read_bucket(&value, self.now())).transpose()?;
        Ok(entries.unwrap_or_default())
    }

    /// Notes what was found out about entries of a bucket; returns how many may be live, or `None`
    /// if the bucket is gone.
    async fn note_in(
        &self,
        root: &str,
        bucket: &Bucket,
        found_out: &[&Entry],
        deadline: Instant,
    ) -> Result<Option<usize>, Failure> {
        let key = bucket_key(root, bucket);
        let mut pause = Pause::until(deadline);
        loop {
            let found = get(&*self.map, &key, deadline).await?;
            let Some(value) = found.value else { return Ok(None) };
            let mut entries = read_bucket(&value, self.now())?;
            note(&mut entries, found_out.iter().copied());
            let left = entries.iter().filter(|entry| entry.may_count()).count();
            let value = write_bucket(&entries);
            let put = Put { value: &value, keep_until: kept(bucket) };
            let put = (!entries.is_empty()).then_some(put);
            match swap(&*self.map, &key, found.version.as_ref(), put, deadline).await? {
                Swapped::Done => return Ok((!entries.is_empty()).then_some(left)),
                Swapped::Moved | Swapped::Unknown => pause.again().await?,
            }
        }
    }

    /// Notes what was found out about entries in their buckets. Entries in the root are noted by
    /// its next change, which gets the returned notes.
    pub(super) async fn note(
        &self,
        key: &str,
        root: &Root,
        found: &[(Place, Entry)],
        deadline: Instant,
    ) -> Result<Notes, Failure> {
        let mut notes = Notes::default();
        notes.take(found);
        for bucket in &root.buckets {
            let place = Place::Bucket(bucket.number);
            let of_it = found.iter().filter(|(at, _)| *at == place).map(|(_, entry)| entry);
            let of_it: Vec<_> = of_it.collect();
            if !of_it.is_empty() {
                let left = self.note_in(key, bucket, &of_it, deadline).await?;
                notes.counts.push((bucket.number, left));
            }
        }
        Ok(notes)
    }

    /// Looks at a session of the index.
    pub(super) async fn look(
        &self,
        id: SessionId,
        principal: &Principal,
        deadline: Instant,
    ) -> Result<Seen, Failure> {
        let read = self.read(id, deadline).await?;
        seen(&read, principal)
    }

    /// Removes a session that has ended from the index. A failure is ignored.
    pub(super) async fn leave_index(
        &self,
        principal: &Principal,
        id: SessionId,
        deadline: Instant,
    ) {
        let key = root_key(principal);
        let left = self.update(&key, deadline, |root, _| {
            root.entries.retain(|entry| entry.id != id || !entry.is_quiet());
        });
        if left.await.is_err() {
            tracing::debug!(session = %id, "an ended session stays in an index for now");
        }
    }

    /// If a root has grown, moves its oldest entries into a bucket, and removes ended sessions from
    /// one bucket. A failure is ignored.
    pub(super) async fn make_room(
        &self,
        key: &str,
        root: Root,
        principal: &Principal,
        deadline: Instant,
    ) {
        if root.is_crowded()
            && let Err(failure) = self.seal(key, principal, deadline).await
        {
            tracing::debug!(%failure, "the index of a principal stays large for now");
        }
    }

    async fn seal(
        &self,
        key: &str,
        principal: &Principal,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let found = get(&*self.map, key, deadline).await?;
        let Some(mut root) = found.value.as_deref().map(Root::read).transpose()? else {
            return Ok(());
        };
        root.tidy(self.now());
        let Some((bucket, entries)) = root.seal(PatchId::next()) else { return Ok(()) };
        let (value, bucket_key) = (write_bucket(&entries), bucket_key(key, &bucket));
        let put = Put { value: &value, keep_until: kept(&bucket) };
        // The bucket first, so that an entry is in one of them at all times.
        match swap(&*self.map, &bucket_key, None, Some(put), deadline).await? {
            Swapped::Done => {}
            Swapped::Moved | Swapped::Unknown => return Ok(()),
        }
        let value = root.write();
        let put = Put { value: &value, keep_until: root.keep_until() };
        match swap(&*self.map, key, found.version.as_ref(), Some(put), deadline).await? {
            Swapped::Done => self.clear_out(key, &root, principal, deadline).await,
            // The faster change has its own bucket; the next sign-in tries again.
            Swapped::Moved => {
                let found = get(&*self.map, &bucket_key, deadline).await?;
                swap(&*self.map, &bucket_key, found.version.as_ref(), None, deadline).await?;
                Ok(())
            }
            Swapped::Unknown => Ok(()),
        }
    }

    /// Looks at the sessions of one bucket, a different one each time, so that an index does not
    /// grow with sessions that have ended.
    async fn clear_out(
        &self,
        key: &str,
        root: &Root,
        principal: &Principal,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let turn = root.next as usize % root.buckets.len().max(1);
        let Some(bucket) = root.buckets.get(turn) else { return Ok(()) };
        let entries = self.bucket(key, bucket, deadline).await?;
        let looks = entries.iter().map(|entry| self.look(entry.id, principal, deadline));
        let seen = abreast(looks).await;
        let mut ended = Vec::new();
        for (entry, seen) in entries.into_iter().zip(seen) {
            if matches!(seen?, Seen::Ended | Seen::Foreign | Seen::Absent) && entry.is_quiet() {
                ended.push((Place::Bucket(bucket.number), entry));
            }
        }
        let notes = self.note(key, root, &ended, deadline).await?;
        self.update(key, deadline, |root, _| notes.write(root)).await?;
        Ok(())
    }
}

/// What the next change of a root has to note.
#[derive(Default)]
pub(super) struct Notes {
    found: Vec<Entry>,
    /// How many entries of buckets may be live.
    counts: Vec<(u64, Option<usize>)>,
}

impl Notes {
    pub(super) fn take(&mut self, found: &[(Place, Entry)]) {
        let in_root = found.iter().filter(|(place, _)| *place == Place::Root);
        self.found.extend(in_root.map(|(_, entry)| entry.clone()));
    }

    pub(super) fn join(&mut self, other: Self) {
        self.found.extend(other.found);
        self.counts.extend(other.counts);
    }

    pub(super) fn write(&self, root: &mut Root) {
        root.note(&self.found);
        for (number, count) in &self.counts {
            root.recount(*number, *count);
        }
    }
}

fn kept(bucket: &Bucket) -> Timestamp {
    bucket.until.after(COMMIT_LEEWAY * 2)
}
