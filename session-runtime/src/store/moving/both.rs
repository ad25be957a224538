//! What each operation asks of the two stores.

use std::sync::Arc;

use super::Inner;
use super::carry::{self, Carried, Pair};
use crate::id::SessionId;
use crate::patch::{Gone, Outcome, Patch, SignIn};
use crate::record::{Principal, Record};
use crate::store::contract::{Created, Cursor, Lookup, Page, Revoke, SessionStore, Touch, Visit};
use crate::store::error::{StoreError, StoreErrorKind};
use crate::token::SecretHash;

/// How often an operation follows a session that moves under it. Once is the
/// rule: it moves one way only.
pub(super) const LOOKS: usize = 8;

fn restless() -> StoreError {
    let text = "the session was being moved all the time that this took";
    StoreError::because(StoreErrorKind::Timeout, text)
}

impl<F: SessionStore, T: SessionStore> Inner<F, T> {
    pub(super) async fn load(
        &self,
        id: SessionId,
        secret: &SecretHash,
        visit: Visit,
    ) -> Result<Lookup, StoreError> {
        let Pair { from, to, .. } = &self.pair;
        // Activity is written where the session stays.
        let touch = if self.moves() { Touch::Never } else { visit.touch };
        for _ in 0..LOOKS {
            match to.load(id, secret, visit).await? {
                Lookup::Absent => {}
                answer => return Ok(answer),
            }
            match from.load(id, secret, Visit { touch, stale_ok: false, ..visit }).await? {
                Lookup::Found(record) if !self.moves() && !carry::is_marked(&record) => {
                    return Ok(Lookup::Found(record));
                }
                Lookup::Found(record) => match self.pair.carry(record).await? {
                    Carried::Stays(record) => return Ok(Lookup::Found(record)),
                    Carried::Done | Carried::Left(_) => {}
                },
                // Ended, or moved since the look above.
                there => {
                    return Ok(match to.load(id, secret, visit).await? {
                        Lookup::Absent => there,
                        answer => answer,
                    });
                }
            }
        }
        Err(restless())
    }

    pub(super) async fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        let Pair { from, to, .. } = &self.pair;
        for _ in 0..LOOKS {
            if let Some(record) = to.reload(id, epoch).await? {
                return Ok(Some(record));
            }
            match from.reload(id, epoch).await? {
                // It may have moved since the look above.
                None => return to.reload(id, epoch).await,
                Some(record) if !self.moves() && !carry::is_marked(&record) => {
                    return Ok(Some(record));
                }
                Some(record) => {
                    if let Carried::Stays(record) = self.pair.carry(record).await? {
                        return Ok(Some(record));
                    }
                }
            }
        }
        Err(restless())
    }

    pub(super) async fn create(
        &self,
        record: Record,
        sign_in: SignIn,
    ) -> Result<Created, StoreError> {
        if !self.moves() {
            return self.pair.from.create(record, sign_in).await;
        }
        if let Some(principal) = &record.meta.principal {
            self.gather(principal, sign_in).await?;
        }
        self.pair.to.create(record, sign_in).await
    }

    pub(super) async fn apply(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
    ) -> Result<Outcome, StoreError> {
        let Pair { from, .. } = &self.pair;
        if patch.meta.sign_in.cap.is_some() {
            let theirs = match &patch.meta.principal {
                Some(principal) => principal.clone(),
                None => self.reload(id, epoch).await?.and_then(|it| it.meta.principal.clone()),
            };
            if let Some(principal) = theirs {
                self.gather(&principal, patch.meta.sign_in).await?;
            }
        }
        for _ in 0..LOOKS {
            match self.pair.apply_ahead(id, epoch, patch).await? {
                Outcome::Gone(Gone::Absent) => {}
                outcome => return Ok(outcome),
            }
            if !self.moves() {
                match self.pair.apply_behind(id, epoch, patch).await? {
                    Outcome::Gone(_) => {}
                    outcome => return Ok(outcome),
                }
            }
            let Some(record) = from.reload(id, epoch).await? else {
                // It may have moved since the look above.
                match self.pair.apply_ahead(id, epoch, patch).await? {
                    Outcome::Gone(Gone::Absent) => {}
                    outcome => return Ok(outcome),
                }
                // For a moment after its end it may still be written to.
                return match self.pair.apply_behind(id, epoch, patch).await? {
                    Outcome::Gone(Gone::Superseded) => {
                        Ok(Outcome::Gone(self.pair.superseded(id, epoch).await?))
                    }
                    outcome => Ok(outcome),
                };
            };
            // Its mark was taken off since the look above.
            if !self.moves() && !carry::is_marked(&record) {
                continue;
            }
            if let Carried::Stays(_) = self.pair.carry(record).await? {
                match self.pair.apply_behind(id, epoch, patch).await? {
                    // Another node tries to move it.
                    Outcome::Gone(Gone::Absent) => {}
                    outcome => return Ok(outcome),
                }
            }
        }
        Err(restless())
    }

    pub(super) async fn delete(&self, id: SessionId) -> Result<bool, StoreError> {
        let Pair { from, to, .. } = &self.pair;
        let live = to.delete(id).await?;
        if from.delete(id).await? {
            // What another node is moving does not arrive, or has and ends.
            if !self.pair.bury(id).await? {
                to.delete(id).await?;
            }
            return Ok(true);
        }
        // It may have moved since the first look.
        Ok(live || to.delete(id).await?)
    }

    pub(super) async fn list(&self, principal: &Principal) -> Result<Vec<Arc<Record>>, StoreError> {
        let Pair { from, to, .. } = &self.pair;
        // In this order: what moves meanwhile is in one of them at least.
        let left = from.list(principal).await?;
        let mut all = to.list(principal).await?;
        for record in left {
            if all.iter().all(|other| other.id != record.id) {
                all.push(record);
            }
        }
        Ok(all)
    }

    pub(super) async fn revoke(
        &self,
        principal: &Principal,
        which: Revoke,
    ) -> Result<u64, StoreError> {
        let Pair { from, to, .. } = &self.pair;
        let left = from.list(principal).await?;
        let mut ended = to.revoke(principal, which).await?;
        ended += from.revoke(principal, which).await?;
        for record in left.iter().filter(|record| which.ends(record.id)) {
            if !self.pair.bury(record.id).await? {
                ended += to.revoke(principal, Revoke::One(record.id)).await?;
            }
        }
        Ok(ended)
    }

    /// Moves all sessions of `principal`, so that they can be counted in one
    /// place, and no rest is left of one that makes room.
    async fn gather(&self, principal: &Principal, sign_in: SignIn) -> Result<(), StoreError> {
        if sign_in.cap.is_some() {
            for record in self.pair.from.list(principal).await? {
                if !self.moves() && !carry::is_marked(&record) {
                    continue;
                }
                if let Carried::Left(error) = self.pair.carry(record).await? {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// The old store first: what moves meanwhile is seen in the new one.
    pub(super) async fn scan(
        &self,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let Pair { from, to, .. } = &self.pair;
        let text = cursor.map_or(FROM, Cursor::as_str);
        let inner = |prefix| text.strip_prefix(prefix).filter(|rest| !rest.is_empty());
        let mut page;
        if text.starts_with(TO) {
            page = to.scan(inner(TO).map(Cursor::new).as_ref(), limit).await?;
            page.next = page.next.map(|next| Cursor::new(format!("{TO}{}", next.as_str())));
        } else if text.starts_with(FROM) {
            page = from.scan(inner(FROM).map(Cursor::new).as_ref(), limit).await?;
            page.next = Some(match page.next {
                Some(next) => Cursor::new(format!("{FROM}{}", next.as_str())),
                None => Cursor::new(TO),
            });
        } else {
            return Err(StoreError::because(StoreErrorKind::Config, "a cursor of another store"));
        }
        Ok(page)
    }
}

/// How the text of a cursor begins, by the store that it is of.
const FROM: &str = "from:";
const TO: &str = "to:";
