//! The only place that decides which cookie the response sets.

use crate::record::patch::{Applied, Patch};
use crate::session::{CookieChange, State};

/// The effect of a commit on the client's token.
pub(super) enum Next {
    /// The token stays valid, and nothing is sent.
    Same,
    /// The request continues with the token that is sent: a new one, or the same one with another
    /// expiry time.
    Replaced(CookieChange),
    /// A successor is sent, and the request continues with its current token, which is valid until
    /// the client presents the successor.
    Followed(CookieChange),
    /// The session has ended.
    Over,
}

impl Next {
    /// Returns the effect of an applied patch; `planned` is the cookie planned with it.
    pub(super) fn of(
        patch: &Patch,
        applied: &Applied,
        planned: Option<CookieChange>,
        state: &State,
    ) -> Self {
        let Some(cookie) = planned else { return Self::Same };
        if patch.meta.rotate.is_none() {
            return Self::Replaced(cookie);
        }
        match (applied.rotation, &state.token, cookie) {
            // The nonce is ours, or that of another request that began the rotation first.
            (Some(nonce), Some(token), CookieChange::Set { expires, .. }) => {
                Self::Followed(CookieChange::Set { token: token.next(nonce), expires })
            }
            _ => Self::Same,
        }
    }
}

/// Sets the cookie for the response. The cookie of an earlier commit is sent unless a newer one
/// replaces it.
pub(super) fn decide(state: &mut State, next: Next) {
    let cookie = match next {
        Next::Same => return,
        Next::Replaced(cookie) => {
            if let CookieChange::Set { token, .. } = &cookie {
                state.token = Some(token.clone());
            }
            cookie
        }
        Next::Followed(cookie) => cookie,
        Next::Over => CookieChange::Remove,
    };
    state.cookie = Some(cookie);
}

/// Sends the session's token again: under the current name of the cookie, with the current expiry
/// time.
pub(super) fn send_again(state: &mut State, rolling: bool) {
    let (Some(record), Some(token)) = (state.record(), &state.token) else { return };
    let meta = &record.meta;
    let expires = match meta.remember {
        Some(_) => meta.absolute,
        None => rolling.then(|| meta.expires_at()),
    };
    let cookie = CookieChange::Set { token: token.clone(), expires };
    // A cookie that loading has decided on takes precedence.
    state.cookie.get_or_insert(cookie);
}

/// Takes over the cookie from an attempt at a transaction, whose token the request has taken over.
pub(super) fn inherit(ours: &mut State, attempt: &mut State) {
    if let Some(cookie) = attempt.cookie.take() {
        ours.cookie = Some(cookie);
    }
}
