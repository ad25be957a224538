//! What to store, decided without storing anything: a pure function of the
//! request's state, the policy and the time.

mod apply;
mod create;

use std::sync::Arc;
use std::time::Duration;

use self::create::Beginning;
pub(crate) use self::create::fork;
use super::pending::{Pending, PendingOp};
use super::scope::{CookieChange, Origin};
use super::users::{Marked, is_principal};
use crate::clock::Timestamp;
use crate::config::Keys;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::patch::{Cap, Lifetime, Patch, SignIn};
use crate::realm::Realm;
use crate::record::{MAX_LIFETIME, Meta, Principal, Record, TICKET_LIFETIME};
use crate::schema::Schema;
use crate::token::{NoRandomness, SessionToken};

/// The limits of new and renewed sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) idle: Option<Duration>,
    pub(crate) absolute: Option<Duration>,
    /// How many sessions a principal may have.
    pub(crate) cap: Option<Cap>,
}

/// Where new tokens come from: for a new record, or for this one.
pub(crate) type Mint<'m> = &'m dyn Fn(Option<SessionId>) -> Result<SessionToken, NoRandomness>;

/// All that the plan depends on.
pub(crate) struct Situation<'s> {
    /// The session as it stands, as far as is known.
    pub(crate) origin: &'s Origin,
    /// The record that the handles saw, where the origin is another by now.
    pub(crate) seen: Option<&'s Record>,
    /// The token that the client presented.
    pub(crate) token: Option<&'s SessionToken>,
    pub(crate) pending: &'s Pending,
    /// The schemas under which this request reads the record.
    pub(crate) schemas: &'s [&'static Schema],
    /// What opens their secret fields.
    pub(crate) keys: &'s Keys,
    /// The fields that a change of user is about.
    pub(crate) marked: &'s Marked,
    /// Whether the changes of fields count; a failed response drops them.
    pub(crate) keep_fields: bool,
    /// Whether a cookie can still be sent.
    pub(crate) head_open: bool,
    pub(crate) policy: Policy,
    /// Which layer plans.
    pub(crate) realm: &'s Realm,
    pub(crate) now: Timestamp,
}

/// What to do with the store, and which cookie that needs.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // made once per request, and taken apart at once
pub(crate) enum Plan {
    /// Nothing changed.
    Nothing,
    /// Nothing is to be stored; the cookie is to be sent again.
    Answer(CookieChange),
    /// Something changed, and there is no session it may go to.
    Lost { explicit: bool },
    /// Store this.
    Write(Write),
}

/// Values of secret fields are in clear here: see [`seal`](super::seal).
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // as the plan
pub(crate) enum Write {
    Create {
        record: Box<Record>,
        sign_in: SignIn,
        cookie: CookieChange,
        /// The session of the same user, or of nobody, that it goes on from.
        from: Option<Arc<Record>>,
        /// The session of another user, which ends once this one is stored.
        ends: Option<SessionId>,
    },
    Apply {
        id: SessionId,
        /// Of the record: what is sealed belongs to it.
        realm: Realm,
        epoch: u64,
        patch: Patch,
        cookie: Option<CookieChange>,
        /// If the record is gone, a sign-in starts another one.
        signs_in: bool,
        /// If the record is gone, the client must be told.
        explicit: bool,
    },
}

pub(crate) fn plan(situation: &Situation<'_>, mint: Mint<'_>) -> Result<Plan, SessionError> {
    let pending = &situation.pending.ops;
    let mut ops: Vec<&PendingOp> = Vec::with_capacity(pending.len());
    // A failed response never brings a privilege back.
    ops.extend(pending.iter().filter(|op| situation.keep_fields || op.takes_privileges()));
    match situation.origin {
        Origin::Unloaded | Origin::Nobody => {
            create::create(situation, &ops, Beginning::Nothing, mint)
        }
        // A late response must not undo a login or logout; a new login may.
        Origin::Retired { .. } if signs_in(situation, &ops) => {
            create::create(situation, &ops, Beginning::Nothing, mint)
        }
        Origin::Retired { .. } => {
            let proves = situation.keep_fields && situation.pending.authenticated;
            let explicit = proves || ops.iter().any(|op| op.is_explicit());
            Ok(if proves || !ops.is_empty() { Plan::Lost { explicit } } else { Plan::Nothing })
        }
        Origin::Stored(record) => apply::apply(situation, &ops, record, mint),
    }
}

fn principal_op<'p>(ops: &[&'p PendingOp]) -> Option<&'p PendingOp> {
    ops.iter().copied().find(|op| is_principal(op))
}

fn signs_in(situation: &Situation<'_>, ops: &[&PendingOp]) -> bool {
    situation.keep_fields
        && situation.pending.authenticated
        && principal_op(ops).is_some_and(|op| !op.clears())
}

/// What must hold of the other sessions of `principal`, who signs in.
fn sign_in(situation: &Situation<'_>, principal: &Principal) -> Result<SignIn, SessionError> {
    let not_revoked_since = match &situation.pending.ticket {
        None => None,
        Some(ticket) => {
            let too_old = situation.now.since(ticket.at()) >= TICKET_LIFETIME;
            if too_old || !ticket.principal().is_namesake(principal) {
                return Err(SessionError::LoginExpired);
            }
            Some(ticket.at())
        }
    };
    Ok(SignIn { cap: situation.policy.cap, not_revoked_since })
}

fn lifetime(situation: &Situation<'_>, before: Option<&Meta>) -> Lifetime {
    // A remembered session that proves itself again stays remembered as long.
    let again = before.and_then(|meta| meta.remember).map(Duration::from_millis);
    match situation.pending.remember.filter(|_| situation.keep_fields).or(again) {
        Some(duration) => {
            Lifetime { idle: None, absolute: Some(duration.min(MAX_LIFETIME)), remember: true }
        }
        None => Lifetime {
            idle: situation.policy.idle,
            absolute: situation.policy.absolute,
            remember: false,
        },
    }
}

fn cookie(token: SessionToken, lifetime: Lifetime, now: Timestamp) -> CookieChange {
    let expires = lifetime
        .remember
        .then(|| now.after(lifetime.absolute.unwrap_or(MAX_LIFETIME).min(MAX_LIFETIME)));
    CookieChange::Set { token, expires }
}

#[cfg(test)]
mod tests;
