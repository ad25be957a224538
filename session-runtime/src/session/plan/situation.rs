//! The inputs of a plan, and its result.

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

/// Makes tokens: for a new record, or for the one given.
pub(crate) type Mint<'m> = &'m dyn Fn(Option<SessionId>) -> Result<SessionToken, NoRandomness>;

/// What a commit keeps of the published changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Everything,
    /// Only what takes privileges away: the response failed.
    SignOutOnly,
}

impl Keep {
    pub(super) const fn everything(self) -> bool {
        matches!(self, Self::Everything)
    }
}

/// The inputs of a plan.
pub(crate) struct Situation<'s> {
    /// The session, as far as it is known.
    pub(crate) origin: &'s Origin,
    /// The record that the handles saw, if the origin has changed since.
    pub(crate) seen: Option<&'s Record>,
    /// The token that the client presented.
    pub(crate) token: Option<&'s SessionToken>,
    /// The ended session after which a new one takes its place.
    pub(crate) after: Option<SessionId>,
    /// Another request of this browser began the record: this one joins it and leaves what the
    /// other one's response set in place.
    pub(crate) joins: bool,
    pub(crate) pending: &'s Pending,
    /// The schemas under which this request reads the record.
    pub(crate) schemas: &'s [&'static Schema],
    /// The keys that decrypt their secret fields.
    pub(crate) keys: &'s Keys,
    /// The fields that a change of the principal affects.
    pub(crate) marked: &'s Marked,
    pub(crate) keep: Keep,
    /// Whether a cookie can still be sent.
    pub(crate) head_open: bool,
    /// Whether the session's client changes it, and not a job or another user.
    pub(crate) by_client: bool,
    pub(crate) policy: Policy,
    /// The realm of the planning layer.
    pub(crate) realm: &'s Realm,
    pub(crate) now: Timestamp,
}

/// What to do with the store, and with which cookie. Secret fields are in plain text until
/// [`Create::seal`] or [`Apply::seal`].
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // made once per request, and taken apart at once
pub(crate) enum Plan {
    /// Nothing changed.
    Nothing,
    /// Nothing to store; the cookie is sent again.
    Answer(CookieChange),
    /// Something changed, but there is no session to store it in.
    Lost {
        explicit: bool,
    },
    Create(Create),
    Apply(Apply),
}

/// A new record.
#[derive(Debug)]
pub(crate) struct Create {
    pub(crate) record: Arc<Record>,
    pub(crate) sign_in: SignIn,
    pub(crate) cookie: CookieChange,
    /// The session that it continues: of the same user, or anonymous.
    pub(crate) from: Option<Arc<Record>>,
    /// The session of another user, which ends once this one is stored.
    pub(crate) ends: Option<SessionId>,
    /// Whether it takes the place after another session, where a concurrent request may have put
    /// its own record.
    pub(crate) follows: bool,
}

/// A change of a stored record.
#[derive(Debug)]
pub(crate) struct Apply {
    pub(crate) id: SessionId,
    /// The record's realm, which encrypted values are bound to.
    pub(crate) realm: Realm,
    pub(crate) epoch: u64,
    pub(crate) patch: Patch,
    pub(crate) cookie: Option<CookieChange>,
    /// If the record is gone, the sign-in creates another one.
    pub(crate) signs_in: bool,
    /// If the record is gone, the client must be told.
    pub(crate) explicit: bool,
}
