//! The user who acts as another one, such as a member of the support team as a customer.

use super::{Principal, Record};
use crate::id::SessionId;

/// Who acts in a session, and in which session of their own they are signed in.
#[derive(Debug)]
pub(crate) struct Actor {
    /// Their own session.
    pub(crate) session: SessionId,
    /// Its epoch when the acting began, which authorizes it.
    pub(crate) epoch: u64,
    pub(crate) principal: Principal,
}

impl Actor {
    /// The stored name of the actor. No field has a name like it.
    pub(crate) const FIELD: &'static str = "::actor";

    /// Returns who acts in this session, if another user does.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        if !record.meta.is_acted() {
            return None;
        }
        let stored: (SessionId, u64, String) =
            serde_json::from_slice(record.fields.get(Self::FIELD)?).ok()?;
        let (session, epoch, principal) = stored;
        Some(Self { session, epoch, principal: Principal::from_stored(&principal) })
    }

    /// Returns who acts in a session that begins with a request in this one: its own user, or the
    /// one who acts in it already.
    pub(crate) fn from(record: &Record) -> Option<Self> {
        if record.meta.is_acted() {
            return Self::of(record);
        }
        let principal = record.meta.principal.clone()?;
        Some(Self { session: record.id, epoch: record.meta.epoch, principal })
    }

    /// Returns the stored form.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let stored = (self.session, self.epoch, self.principal.as_str());
        serde_json::to_vec(&stored).unwrap_or_default()
    }
}
