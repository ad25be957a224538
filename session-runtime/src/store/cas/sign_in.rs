//! Sign-ins in the steps of `engine/index`: reserve, look, write, evict, confirm.

use std::time::Duration;

use tokio::time::Instant;

use super::contract::CompareAndSwap;
use super::index::{Notes, root_key};
use super::map::abreast;
use super::store::CasStore;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::patch::Denied;
use crate::record::{EndReason, Principal};
use crate::store::engine::index::{
    Entry, Joining, Next, Order, Place, RESERVATION, Root, Standing, State, Survey, Verdict,
};
use crate::store::engine::{Engine, Failure, Joins, end_if};
use crate::token::PatchId;

/// A sign-in that has been reserved.
pub(super) struct Reservation<'s, M> {
    store: &'s CasStore<M>,
    key: String,
    principal: Principal,
    it: Joining,
    /// The root as it was last read.
    root: Root,
    /// The time after which nothing may be written.
    not_after: Timestamp,
    victims: Vec<Victim>,
    evicted: Vec<SessionId>,
    notes: Notes,
}

/// A session that ends to make room.
struct Victim {
    id: SessionId,
    /// If it was authenticated again since, it is another sign-in.
    order: Order,
    entries: Vec<(Place, Entry)>,
}

/// The result of a sign-in.
pub(super) enum Concluded {
    /// It is valid; these sessions were evicted.
    Stands(Vec<SessionId>),
    /// It is not stored, and never became visible.
    Denied(Denied),
}

impl<'s, M: CompareAndSwap> Reservation<'s, M> {
    /// Reserves an entry, and determines which sessions have to end.
    pub(super) async fn make(
        store: &'s CasStore<M>,
        id: SessionId,
        tag: PatchId,
        joins: &Joins<'_>,
        is_new: bool,
        deadline: Instant,
    ) -> Result<Result<Self, Denied>, Failure> {
        let mut it = Self::of(store, id, tag, joins);
        it.it.is_new = is_new;
        let joining = it.it;
        let reserve = store.update(&it.key, deadline, |root, now| root.reserve(&joining, now));
        let (root, reserved) = reserve.await?;
        if let Err(denied) = reserved {
            return Ok(Err(denied));
        }
        it.root = root;
        if let Err(denied) = it.survey(deadline).await? {
            it.cancel(deadline).await;
            return Ok(Err(denied));
        }
        Ok(Ok(it))
    }

    /// Returns the reservation of an earlier try that has written the session but did not complete,
    /// if there is one.
    pub(super) async fn resume(
        store: &'s CasStore<M>,
        id: SessionId,
        tag: PatchId,
        joins: &Joins<'_>,
        deadline: Instant,
    ) -> Result<Option<Self>, Failure> {
        let mut it = Self::of(store, id, tag, joins);
        it.root = store.root(&it.key, deadline).await?;
        match it.root.standing(id, tag).map(|state| state.at(store.now())) {
            Some(State::Reserved(_)) => {
                // It was admitted at that time.
                let _ = it.survey(deadline).await?;
                Ok(Some(it))
            }
            Some(State::Evicted(_) | State::Revoked(_)) => Ok(Some(it)),
            _ => Ok(None),
        }
    }

    fn of(store: &'s CasStore<M>, id: SessionId, tag: PatchId, joins: &Joins<'_>) -> Self {
        let Joins { principal, sign_in, bound, order, .. } = *joins;
        Self {
            store,
            key: root_key(principal),
            principal: principal.clone(),
            it: Joining { id, tag, bound, order, sign_in, is_new: false },
            root: Root::default(),
            not_after: store.now().after(RESERVATION / 2),
            victims: Vec::new(),
            evicted: Vec::new(),
            notes: Notes::default(),
        }
    }

    async fn survey(&mut self, deadline: Instant) -> Result<Result<(), Denied>, Failure> {
        let Some(cap) = self.it.sign_in.cap else { return Ok(Ok(())) };
        let mut survey = Survey::new(&self.root, &self.it, cap);
        loop {
            match survey.next() {
                Next::Read(bucket) => {
                    let entries = self.store.bucket(&self.key, &bucket, deadline).await?;
                    survey.read(&bucket, entries);
                }
                Next::Look(ids) => {
                    let look = |id: &SessionId| self.store.look(*id, &self.principal, deadline);
                    let seen = abreast(ids.iter().map(look)).await;
                    for (id, seen) in ids.into_iter().zip(seen) {
                        survey.saw(id, seen?);
                    }
                    // At once, so that the next sign-in has less to look at.
                    let (found, root) = (survey.take_found(), &self.root);
                    self.notes.join(self.store.note(&self.key, root, &found, deadline).await?);
                }
                Next::Done(Verdict::Admitted(ids)) => {
                    self.notes.take(&survey.take_found());
                    self.victims = ids
                        .into_iter()
                        .map(|(order, id)| Victim {
                            id,
                            order,
                            entries: survey.entries_of(id).to_vec(),
                        })
                        .collect();
                    return Ok(Ok(()));
                }
                Next::Done(Verdict::Denied | Verdict::Look(_)) => {
                    return Ok(Err(Denied::AtLimit));
                }
            }
        }
    }

    /// Fails if it is too late to write anything.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.store.now() < self.not_after {
            return Ok(());
        }
        Err(Failure::timeout("a sign-in took too long"))
    }

    /// Removes the reservation: nothing was written. A failure is ignored.
    pub(super) async fn cancel(self, deadline: Instant) {
        let Joining { id, tag, .. } = self.it;
        let cancelled = self.store.update(&self.key, deadline, |root, _| {
            root.cancel(id, tag);
            self.notes.write(root);
        });
        if cancelled.await.is_err() {
            tracing::debug!("a failed sign-in counts towards the cap for another half minute");
        }
    }

    /// Evicts and confirms: the session is written.
    pub(super) async fn conclude(mut self, deadline: Instant) -> Result<Concluded, Failure> {
        let mut standing = Standing::Stands;
        if !self.it.sign_in.is_unconditional() {
            self.evict(deadline).await?;
            let Joining { id, tag, .. } = self.it;
            let confirmed = self.store.update(&self.key, deadline, |root, now| {
                let standing = root.confirm(id, tag, now);
                self.notes.write(root);
                standing
            });
            (self.root, standing) = confirmed.await?;
        }
        match standing {
            Standing::Stands => {
                let Self { store, key, root, principal, evicted, .. } = self;
                store.make_room(&key, root, &principal, deadline).await;
                Ok(Concluded::Stands(evicted))
            }
            taken => self.give_up(taken, deadline).await,
        }
    }

    /// Ends the sessions that make room.
    async fn evict(&mut self, deadline: Instant) -> Result<(), Failure> {
        let entries = || self.victims.iter().flat_map(|victim| &victim.entries);
        let under_way: Vec<_> =
            entries().map(|(_, it)| it).filter(|it| it.is_under_way()).collect();
        if !under_way.is_empty() {
            // First evicts the sign-ins in progress, so that they cannot be confirmed.
            let evict = |root: &mut Root, _| root.evict(under_way.iter().copied());
            self.store.update(&self.key, deadline, evict).await?;
        }
        let end = |victim: &Victim| self.end(victim.id, victim.order, deadline);
        let mut evicted = Vec::new();
        for (victim, ended) in self.victims.iter().zip(abreast(self.victims.iter().map(end)).await)
        {
            if ended? {
                evicted.push(victim.id);
            }
        }
        let ended: Vec<_> = entries().cloned().collect();
        let notes = self.store.note(&self.key, &self.root, &ended, deadline).await?;
        self.notes.join(notes);
        self.evicted = evicted;
        Ok(())
    }

    /// Ends a session of the principal, unless its sign-in is newer than `order`.
    async fn end(&self, id: SessionId, order: Order, deadline: Instant) -> Result<bool, Failure> {
        let read = self.store.read(id, deadline).await?;
        let may = |record: &crate::record::Record| {
            let meta = &record.meta;
            let theirs = meta.principal.as_ref() == Some(&self.principal);
            theirs && (meta.authenticated, meta.created) <= order
        };
        end_if(self.store, id, read, EndReason::Limit, may, deadline).await
    }

    /// Ends the session: its reservation was removed while it was written.
    async fn give_up(mut self, taken: Standing, deadline: Instant) -> Result<Concluded, Failure> {
        let Joining { id, order, sign_in, .. } = self.it;
        let ended_here = self.end(id, order, deadline).await?;
        let mut evicted = std::mem::take(&mut self.evicted);
        self.cancel(deadline).await;
        match taken {
            Standing::TooLate => Err(Failure::timeout("a sign-in took too long")),
            // If another call ended it, it had been stored before that; if it only ends here, it
            // never became visible.
            Standing::Revoked if ended_here && sign_in.not_revoked_since.is_some() => {
                Ok(Concluded::Denied(Denied::Revoked))
            }
            Standing::Revoked | Standing::Evicted | Standing::Stands => {
                if taken == Standing::Evicted && ended_here {
                    // The call that made it end did not find it yet.
                    evicted.push(id);
                }
                Ok(Concluded::Stands(evicted))
            }
        }
    }
}

/// The longest deadline of a call: writes under a reservation must arrive well before it ends.
pub(super) const LONGEST: Duration = Duration::from_secs(10);
