//! What a plan depends on, and what it comes to.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::config::Policy;
use crate::id::SessionId;
use crate::keys::Keys;
use crate::realm::Realm;
use crate::record::Record;
use crate::record::patch::{Patch, SignIn};
use crate::schema::Schema;
use crate::session::pending::Pending;
use crate::session::scope::{CookieChange, Origin};
use crate::session::users::Marked;
use crate::token::{NoRandomness, SessionToken};

/// Where new tokens come from: for a new record, or for this one.
pub(crate) type Mint<'m> = &'m dyn Fn(Option<SessionId>) -> Result<SessionToken, NoRandomness>;

/// What a commit keeps of what was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Everything,
    /// The response failed: only what takes privileges away.
    SignOutOnly,
}

impl Keep {
    pub(super) const fn everything(self) -> bool {
        matches!(self, Self::Everything)
    }
}

/// All that the plan depends on.
pub(crate) struct Situation<'s> {
    /// The session as it stands, as far as is known.
    pub(crate) origin: &'s Origin,
    /// The record that the handles saw, where the origin is another by now.
    pub(crate) seen: Option<&'s Record>,
    /// The token that the client presented.
    pub(crate) token: Option<&'s SessionToken>,
    /// A new session takes the place that follows this one, which is over.
    pub(crate) after: Option<SessionId>,
    /// The record was begun by another request of this browser: this one joins it, and
    /// replaces nothing that its first answer brought.
    pub(crate) joins: bool,
    pub(crate) pending: &'s Pending,
    /// The schemas under which this request reads the record.
    pub(crate) schemas: &'s [&'static Schema],
    /// What opens their secret fields.
    pub(crate) keys: &'s Keys,
    /// The fields that a change of user is about.
    pub(crate) marked: &'s Marked,
    pub(crate) keep: Keep,
    /// Whether a cookie can still be sent.
    pub(crate) head_open: bool,
    pub(crate) policy: Policy,
    /// Which layer plans.
    pub(crate) realm: &'s Realm,
    pub(crate) now: Timestamp,
}

/// What to do with the store, and which cookie that needs. Values of secret fields are in
/// clear until [`Create::seal`] and [`Apply::seal`].
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // made once per request, and taken apart at once
pub(crate) enum Plan {
    /// Nothing changed.
    Nothing,
    /// Nothing is to be stored; the cookie is to be sent again.
    Answer(CookieChange),
    /// Something changed, and there is no session it may go to.
    Lost {
        explicit: bool,
    },
    Create(Create),
    Apply(Apply),
}

/// A record that is not there yet.
#[derive(Debug)]
pub(crate) struct Create {
    pub(crate) record: Arc<Record>,
    pub(crate) sign_in: SignIn,
    pub(crate) cookie: CookieChange,
    /// The session of the same user, or of nobody, that it goes on from.
    pub(crate) from: Option<Arc<Record>>,
    /// The session of another user, which ends once this one is stored.
    pub(crate) ends: Option<SessionId>,
    /// Whether its place is that after another session, where a request beside this
    /// one may have put its own.
    pub(crate) follows: bool,
}

/// A change of a stored record.
#[derive(Debug)]
pub(crate) struct Apply {
    pub(crate) id: SessionId,
    /// Of the record: what is sealed belongs to it.
    pub(crate) realm: Realm,
    pub(crate) epoch: u64,
    pub(crate) patch: Patch,
    pub(crate) cookie: Option<CookieChange>,
    /// If the record is gone, a sign-in starts another one.
    pub(crate) signs_in: bool,
    /// If the record is gone, the client must be told.
    pub(crate) explicit: bool,
}
