//! What each operation asks of the cache and of the store.

use std::sync::Arc;

use super::CachedStore;
use super::memory::{Looked, Ticket};
use crate::forward_store;
use crate::id::SessionId;
use crate::metrics::CacheStats;
use crate::record::patch::{AtLimit, Outcome, Patch, SignIn};
use crate::record::{Due, Judgement, Principal, Record};
use crate::store::contract::{Created, Cursor, EndReason, Lookup, Revoke, Revoked, Visit};
use crate::store::error::StoreError;
use crate::store::{SessionStore, StoreFuture, Watchers};
use crate::token::SecretHash;

impl<S: SessionStore> CachedStore<S> {
    /// Updates the cache with the store's answer to a load.
    fn learned(
        &self,
        id: SessionId,
        secrets: &[SecretHash],
        visit: Visit,
        ticket: Option<Ticket>,
        answer: &Result<Lookup, StoreError>,
    ) {
        match answer {
            Ok(Lookup::Found(record)) => self.0.memory.keep(ticket, record),
            Ok(Lookup::Absent | Lookup::Expired(_) | Lookup::Ended(_) | Lookup::Replayed(_)) => {
                // A guessed secret must not evict a cached session.
                self.0.memory.refuted(id, |record| {
                    let judged = record.meta.judge(secrets, visit, self.clock().now());
                    matches!(judged, Judgement::Opens(Due::Nothing | Due::Touch))
                });
            }
            Ok(Lookup::Cached(_)) | Err(_) => {}
        }
    }

    fn reloaded(
        &self,
        id: SessionId,
        epoch: u64,
        ticket: Option<Ticket>,
        answer: &Result<Option<Arc<Record>>, StoreError>,
    ) {
        match answer {
            Ok(Some(record)) => self.0.memory.keep(ticket, record),
            Ok(None) => self.0.memory.refuted(id, |record| record.meta.epoch == epoch),
            Err(_) => {}
        }
    }
}

/// Whether this sign-in may end other sessions.
fn makes_room(sign_in: SignIn) -> bool {
    sign_in.cap.is_some_and(|cap| cap.at_limit == AtLimit::EvictOldest)
}

#[deny(clippy::missing_trait_methods)] // a missing method would get its default
impl<S: SessionStore> SessionStore for CachedStore<S> {
    // The capabilities too: writes never rely on cached records.
    forward_store! { this => this.0.store; clock capabilities list count sweep scan }

    fn cache(&self) -> Option<CacheStats> {
        Some(self.stats())
    }

    fn watchers(&self) -> Watchers {
        self.0.memory.watchers.clone()
    }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secrets: &'a [SecretHash],
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        self.0.follow();
        let ticket = match self.0.memory.look(id, secrets, visit) {
            Looked::Known(record) => return StoreFuture::ready(Ok(Lookup::Cached(record))),
            Looked::Ask(ticket) => ticket,
        };
        let asked = self.0.store.load(id, secrets, Visit { stale_ok: false, ..visit });
        match asked.take_ready() {
            Ok(answer) => {
                self.learned(id, secrets, visit, ticket, &answer);
                StoreFuture::ready(answer)
            }
            Err(waiting) => StoreFuture::new(async move {
                let answer = waiting.await;
                self.learned(id, secrets, visit, ticket, &answer);
                answer
            }),
        }
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>> {
        let ticket = self.0.memory.ticket(id);
        match self.0.store.reload(id, epoch).take_ready() {
            Ok(answer) => {
                self.reloaded(id, epoch, ticket, &answer);
                StoreFuture::ready(answer)
            }
            Err(waiting) => StoreFuture::new(async move {
                let answer = waiting.await;
                self.reloaded(id, epoch, ticket, &answer);
                answer
            }),
        }
    }

    fn create(
        &self,
        record: Arc<Record>,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        StoreFuture::new(async move {
            let memory = &self.0.memory;
            let _writing = memory.writing(record.id);
            let principal = record.meta.principal.clone().filter(|_| makes_room(sign_in));
            let _ending = principal.map(|principal| memory.ending(Some(principal)));
            self.0.store.create(record, sign_in).await
        })
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        read: Option<&'a Arc<Record>>,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        StoreFuture::new(async move {
            let memory = &self.0.memory;
            let _ending = match &patch.meta.principal {
                _ if !makes_room(patch.meta.sign_in) => None,
                // No principal signs in.
                Some(None) => None,
                Some(principal) => Some(memory.ending(principal.clone())),
                // If the principal is unknown, any session may end.
                None => Some(memory.ending(memory.principal(id))),
            };
            let _writing = memory.writing(id);
            self.0.store.apply(id, epoch, patch, read).await
        })
    }

    fn delete(
        &self,
        id: SessionId,
        because: EndReason,
    ) -> StoreFuture<'_, Result<bool, StoreError>> {
        StoreFuture::new(async move {
            let _writing = self.0.memory.writing(id);
            self.0.store.delete(id, because).await
        })
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
        because: EndReason,
        from: Option<&'a Cursor>,
    ) -> StoreFuture<'a, Result<Revoked, StoreError>> {
        StoreFuture::new(async move {
            let memory = &self.0.memory;
            let _ending = memory.ending(Some(principal.clone()));
            // A session cached with another principal may belong to this one by now.
            let _writing = match which {
                Revoke::One(id) => Some(memory.writing(id)),
                Revoke::Others(_) | Revoke::All => None,
            };
            self.0.store.revoke(principal, which, because, from).await
        })
    }
}
