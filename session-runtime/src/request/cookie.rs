//! Which cookie the response brings. Whatever decides it goes through here.

use crate::record::patch::{Applied, Patch};
use crate::session::{CookieChange, State};

/// What a commit came to for the token that the client has.
pub(super) enum Next {
    /// The token is as good as before, and nothing is to be sent.
    Same,
    /// The request goes on with the token that is sent: a new one, or the same
    /// one with another end.
    Replaced(CookieChange),
    /// A successor is sent, and the request goes on with the token that it has:
    /// that is good until the client presents the successor.
    Followed(CookieChange),
    /// The session is over.
    Over,
}

impl Next {
    /// After a patch that was applied; `planned` is the cookie that was planned
    /// with it.
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
            // The nonce is ours, or that of another request which has begun before.
            (Some(nonce), Some(token), CookieChange::Set { expires, .. }) => {
                Self::Followed(CookieChange::Set { token: token.next(nonce), expires })
            }
            _ => Self::Same,
        }
    }
}

/// Has the response bring what follows. What an earlier commit of the request
/// made necessary is sent unless something newer takes its place.
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

/// The session goes on under the cookie that the layer has now.
pub(super) fn move_to_new_name(state: &mut State) {
    let (Some(record), Some(token)) = (state.record(), &state.token) else { return };
    let meta = &record.meta;
    let expires = meta.remember.and(meta.absolute);
    let cookie = CookieChange::Set { token: token.clone(), expires };
    // What the load has decided comes first.
    state.cookie.get_or_insert(cookie);
}

/// The request's response brings what an attempt at a transaction, whose token
/// it has taken over, made necessary.
pub(super) fn inherit(ours: &mut State, attempt: &mut State) {
    if let Some(cookie) = attempt.cookie.take() {
        ours.cookie = Some(cookie);
    }
}
