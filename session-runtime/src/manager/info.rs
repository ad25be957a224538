//! What a listing shows of a session.

use std::fmt;
use std::time::SystemTime;

use crate::clock::Timestamp;
use crate::codec::expiring;
use crate::id::SessionId;
use crate::record::{Actor, Record};
use crate::schema::{Field, HasPrincipal, Key, SessionSchema, kind, principal_of};
use crate::store::Cursor;

/// The displayable data of a stored session. Never contains a token.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The public id, for [`SessionManager::revoke`](crate::SessionManager::revoke).
    pub id: SessionId,
    /// The time of creation.
    pub created_at: SystemTime,
    /// The last recorded activity. Activity is recorded once a tenth of the idle timeout,
    /// or an hour without one, has passed since the last recording.
    pub last_seen_at: SystemTime,
    /// The time of the user's last authentication.
    pub authenticated_at: Option<SystemTime>,
    /// The expiry time if there is no further activity.
    pub expires_at: SystemTime,
    listed: Vec<(&'static str, Box<str>)>,
    actor: Option<Box<str>>,
}

impl SessionInfo {
    pub(super) fn of(record: &Record, listed: &[&'static Field], now: Timestamp) -> Self {
        let fields = listed.iter().filter_map(|field| {
            let stored = field.names().find_map(|name| record.fields.get(name))?;
            let live = if field.ttl.is_some() { expiring::live(stored, now)? } else { stored };
            Some((field.name, String::from_utf8_lossy(live).into()))
        });
        Self {
            id: record.id,
            created_at: record.meta.created.into(),
            last_seen_at: record.meta.last_seen.into(),
            authenticated_at: record.meta.authenticated.map(Into::into),
            expires_at: record.meta.expires_at().into(),
            listed: fields.collect(),
            actor: Actor::of(record).map(|actor| actor.principal.json().into()),
        }
    }

    /// Returns the user who [acts](crate::Authenticated::act_as) in this session as another one, if
    /// one does.
    #[must_use]
    pub fn actor<S: HasPrincipal>(&self) -> Option<S::Principal> {
        principal_of::<S>(self.actor.as_ref()?)
    }

    /// Returns the value of a field marked `listed`, such as a device name. Returns the
    /// field's default if nothing is stored, if the stored value does not decode as `T`, or
    /// if the field is not marked.
    #[must_use]
    pub fn get<S: SessionSchema, T: 'static, K: kind::Readable>(&self, key: Key<S, T, K>) -> T {
        let stored = self.listed().find(|(name, _)| *name == key.name());
        let decoded = stored.and_then(|(_, json)| (key.codec().decode)(json.as_bytes()).ok());
        let value = decoded.unwrap_or_else(|| S::SCHEMA.fields[key.index()].default_value());
        *value.downcast().unwrap_or_else(|_| unreachable!("a key knows its field's type"))
    }

    /// Returns the stored fields marked `listed`, as (stored name, JSON).
    pub fn listed(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.listed.iter().map(|(name, json)| (*name, &**json))
    }
}

impl fmt::Debug for SessionInfo {
    /// Omits the values of the listed fields, which do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed: Vec<_> = self.listed().map(|(name, _)| name).collect();
        f.debug_struct("SessionInfo")
            .field("id", &self.id)
            .field("created_at", &self.created_at)
            .field("last_seen_at", &self.last_seen_at)
            .field("authenticated_at", &self.authenticated_at)
            .field("expires_at", &self.expires_at)
            .field("listed", &listed)
            .field("is_acted", &self.actor.is_some())
            .finish()
    }
}

/// A page of a user's sessions; see [`SessionManager::page`](crate::SessionManager::page).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionPage {
    /// The sessions, in no particular order. May be empty although others follow.
    pub sessions: Vec<SessionInfo>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Cursor>,
}
