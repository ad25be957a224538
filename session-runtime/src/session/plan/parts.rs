//! Shared by plans for stored records and for new ones.

use std::time::Duration;

use super::situation::Situation;
use crate::error::SessionError;
use crate::record::patch::{Lifetime, SignIn};
use crate::record::{MAX_LIFETIME, Meta, Principal, TICKET_LIFETIME};
use crate::session::op::{Made, PendingOp};
use crate::session::scope::CookieChange;
use crate::session::users::is_principal;
use crate::token::SessionToken;

pub(super) fn principal_op<'p>(
    ops: impl IntoIterator<Item = &'p PendingOp>,
) -> Option<&'p PendingOp> {
    ops.into_iter().find(|op| is_principal(op))
}

/// Whether the user who is signed in acts as another one from now on.
pub(super) fn acts(ops: &[PendingOp]) -> bool {
    principal_op(ops).is_some_and(|op| op.made == Made::Acts)
}

pub(super) fn signs_in(situation: &Situation<'_>, ops: &[PendingOp]) -> bool {
    situation.keep.everything()
        && situation.pending.authenticated
        && principal_op(ops).is_some_and(|op| !op.clears() && op.made != Made::Acts)
}

/// Returns the conditions on the other sessions of `principal`, who signs in.
pub(super) fn sign_in(
    situation: &Situation<'_>,
    principal: &Principal,
) -> Result<SignIn, SessionError> {
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

pub(super) fn lifetime(situation: &Situation<'_>, before: Option<&Meta>) -> Lifetime {
    // A remembered session that authenticates again stays remembered for as long.
    let again = before.and_then(|meta| meta.remember).map(Duration::from);
    match situation.pending.remember.filter(|_| situation.keep.everything()).or(again) {
        Some(duration) => {
            let duration = duration.min(situation.policy.max_remember).min(MAX_LIFETIME);
            Lifetime { idle: None, absolute: Some(duration), remember: true }
        }
        None => Lifetime {
            idle: situation.policy.idle,
            absolute: situation.policy.absolute,
            remember: false,
        },
    }
}

/// Returns the cookie of a session that lives so long from now.
pub(super) fn cookie(
    situation: &Situation<'_>,
    token: SessionToken,
    lifetime: Lifetime,
) -> CookieChange {
    let limits = [lifetime.idle, lifetime.absolute, Some(MAX_LIFETIME)];
    let left = limits.into_iter().flatten().min();
    let lasts = lifetime.remember || situation.policy.rolling;
    let expires = left.filter(|_| lasts).map(|left| situation.now.after(left));
    CookieChange::Set { token, expires }
}
