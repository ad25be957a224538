//! What plans for a record that is there and for a new one have in common.

use std::time::Duration;

use super::situation::Situation;
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::patch::{FieldOp, Lifetime, Op, SignIn};
use crate::record::{Fields, MAX_LIFETIME, Meta, Principal, TICKET_LIFETIME};
use crate::schema::Field;
use crate::session::op::PendingOp;
use crate::session::scope::CookieChange;
use crate::session::value;
use crate::token::SessionToken;

/// The removal of whatever is stored of `fields`.
pub(super) fn removals(fields: &[&'static Field], stored: &Fields) -> Vec<FieldOp> {
    let names = fields.iter().flat_map(|field| value::stored_names(field, stored));
    names.map(|name| FieldOp::new(name, Op::Remove)).collect()
}

pub(super) fn principal_op<'p>(ops: &[&'p PendingOp]) -> Option<&'p PendingOp> {
    ops.iter().copied().find(|op| op.field.principal && op.under.is_none())
}

pub(super) fn principal_of(situation: &Situation<'_>, op: &PendingOp) -> Option<Principal> {
    match &op.op {
        Op::Set(json) if !op.clears() => {
            let json = std::str::from_utf8(json).ok()?;
            Some(Principal::of(situation.realm, op.schema.namespace, json))
        }
        _ => None,
    }
}

pub(super) fn signs_in(situation: &Situation<'_>, ops: &[&PendingOp]) -> bool {
    situation.keep.everything()
        && situation.pending.authenticated
        && principal_op(ops).is_some_and(|op| !op.clears())
}

/// What must hold of the other sessions of `principal`, who signs in.
pub(super) fn sign_in(
    situation: &Situation<'_>,
    principal: &Principal,
) -> Result<SignIn, SessionError> {
    let not_revoked_since = match &situation.pending.ticket {
        None => None,
        Some(ticket) => {
            let too_old = situation.now.since(ticket.at()) >= TICKET_LIFETIME;
            if too_old || ticket.principal() != principal {
                return Err(SessionError::LoginExpired);
            }
            Some(ticket.at())
        }
    };
    Ok(SignIn { cap: situation.policy.cap, not_revoked_since })
}

pub(super) fn lifetime(situation: &Situation<'_>, before: Option<&Meta>) -> Lifetime {
    // A remembered session that proves itself again stays remembered as long.
    let again = before.and_then(|meta| meta.remember).map(Duration::from_millis);
    match situation.pending.remember.filter(|_| situation.keep.everything()).or(again) {
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

pub(super) fn cookie(token: SessionToken, lifetime: Lifetime, now: Timestamp) -> CookieChange {
    let expires = lifetime
        .remember
        .then(|| now.after(lifetime.absolute.unwrap_or(MAX_LIFETIME).min(MAX_LIFETIME)));
    CookieChange::Set { token, expires }
}
