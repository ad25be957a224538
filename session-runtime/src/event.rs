//! Security events of sessions: counted, told to a listener, and logged.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::metrics::{Count, Counters};
use crate::record::{Principal, PrincipalHash};

/// Something that happened to a session and matters to its security (OWASP ASVS 5.0,
/// 16.3), as [`SessionLayer::on_event`](crate::SessionLayer::on_event) hands it out.
///
/// It holds no token and no principal: the session's id is public, and of the user
/// there is a hash, which is the same for all sessions of one user of one realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecurityEvent {
    /// What happened.
    pub kind: SecurityEventKind,
    /// The session that it is about, if it is about one.
    pub session: Option<SessionId>,
    /// Whose session it is, if a user is signed in to it and that is known.
    pub principal: Option<PrincipalHash>,
    /// How many sessions it is about: 1, but for a revocation.
    pub sessions: u64,
}

/// An event before anybody hears it: a principal is hashed only then.
#[derive(Clone, Copy)]
pub(crate) struct Happening<'p> {
    kind: SecurityEventKind,
    session: Option<SessionId>,
    principal: Option<&'p Principal>,
    pub(crate) sessions: u64,
}

impl<'p> Happening<'p> {
    pub(crate) const fn new(kind: SecurityEventKind) -> Self {
        Self { kind, session: None, principal: None, sessions: 1 }
    }

    pub(crate) const fn of(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    pub(crate) const fn by(mut self, principal: Option<&'p Principal>) -> Self {
        self.principal = principal;
        self
    }

    fn event(&self) -> SecurityEvent {
        let &Self { kind, session, principal, sessions } = self;
        SecurityEvent { kind, session, principal: principal.map(Principal::hash), sessions }
    }
}

/// Kinds of [`SecurityEvent`]. Each has a counter of that name in
/// [`Metrics`](crate::Metrics).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SecurityEventKind {
    /// A user signed in, or authenticated again.
    SignedIn,
    /// The same in a request from another site that came without the session's cookie,
    /// which the browser may have withheld: a login form of that site, if it is not the
    /// return of a login that began here. Follows `SignedIn`.
    SignedInCrossSite,
    /// A session has a new token without a sign-in: after a change of privilege, or by age.
    Renewed,
    /// A sign-in was refused: by `max_sessions`, or because all sessions of its user
    /// were revoked since it began.
    Denied,
    /// A session was ended because its user signed in elsewhere and `max_sessions` left
    /// it no room. One whose answer from the store was lost may not be told.
    Evicted,
    /// A session was destroyed by a request of its own.
    Destroyed,
    /// Sessions of a user were ended by [`SessionManager`](crate::SessionManager), or
    /// in answer to a replayed token.
    Revoked,
    /// The token before the present one was presented after its grace: it may have been
    /// stolen.
    Replayed,
    /// A request presented the tokens of several live sessions. None was adopted.
    SeveralTokens,
    /// A request presented more different tokens than any browser has. None was
    /// looked up.
    TooManyTokens,
    /// A session of another library was taken over.
    Adopted,
    /// A session was begun in place of one that had been ended elsewhere, or that had
    /// not learnt of its new token.
    StartedAfresh,
    /// What a request from another site set was not stored, because the browser may have
    /// withheld the cookie of its session.
    Withheld,
}

impl SecurityEventKind {
    pub(crate) const ALL: [Self; 13] = [
        Self::SignedIn,
        Self::SignedInCrossSite,
        Self::Renewed,
        Self::Denied,
        Self::Evicted,
        Self::Destroyed,
        Self::Revoked,
        Self::Replayed,
        Self::SeveralTokens,
        Self::TooManyTokens,
        Self::Adopted,
        Self::StartedAfresh,
        Self::Withheld,
    ];

    const fn counter(self, counters: &Counters) -> &Count {
        match self {
            Self::SignedIn => &counters.signed_in,
            Self::SignedInCrossSite => &counters.signed_in_cross_site,
            Self::Renewed => &counters.renewed,
            Self::Denied => &counters.denied,
            Self::Evicted => &counters.evicted,
            Self::Destroyed => &counters.destroyed,
            Self::Revoked => &counters.revoked,
            Self::Replayed => &counters.replayed,
            Self::SeveralTokens => &counters.several_tokens,
            Self::TooManyTokens => &counters.too_many_tokens,
            Self::Adopted => &counters.adopted,
            Self::StartedAfresh => &counters.started_afresh,
            Self::Withheld => &counters.withheld,
        }
    }

    /// What is logged, and whether as a warning.
    const fn text(self) -> (bool, &'static str) {
        match self {
            Self::SignedIn => (false, "a user signed in"),
            Self::SignedInCrossSite => (
                true,
                "a user signed in by a request from another site that came without a session cookie: a cross-site form must not sign users in (login CSRF)",
            ),
            Self::Renewed => (false, "a session token was renewed"),
            Self::Denied => (false, "a sign-in was refused"),
            Self::Evicted => (false, "a session made room for a newer one of its user"),
            Self::Destroyed => (false, "a session was destroyed"),
            Self::Revoked => (false, "sessions were revoked"),
            Self::Replayed => (
                true,
                "a session token was presented after its successor was in use; it may have been stolen",
            ),
            Self::SeveralTokens => {
                (true, "a request presents tokens of several live sessions; none is adopted")
            }
            Self::TooManyTokens => {
                (true, "a request presents too many session tokens; none is looked up")
            }
            Self::Adopted => (false, "a session of another library was taken over"),
            Self::StartedAfresh => (false, "a session was begun in place of one that is over"),
            Self::Withheld => (
                true,
                "a request from another site set something in its session, whose cookie the browser may have withheld; it is not stored: redirect to a page of this site first, or set `SameSite=None`",
            ),
        }
    }
}

/// Whom events are told to.
#[derive(Clone)]
pub(crate) struct Listener(Arc<dyn Fn(&SecurityEvent) + Send + Sync>);

impl Listener {
    pub(crate) fn new(listener: impl Fn(&SecurityEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

/// How often a warning that a stranger can cause is repeated.
const QUIET: Duration = Duration::from_secs(60);

/// Counts events, tells them, and logs them; warnings once a minute and kind.
#[derive(Debug, Default)]
pub(crate) struct Events {
    warnings: [Quiet; SecurityEventKind::ALL.len()],
}

/// When the last warning of a kind was logged, and how many have been left out since.
#[derive(Debug, Default)]
struct Quiet {
    /// Milliseconds, and one: zero for never.
    last: AtomicU64,
    left_out: AtomicU64,
}

impl Events {
    pub(crate) fn happened(
        &self,
        happening: &Happening<'_>,
        listener: Option<&Listener>,
        counters: &Counters,
        now: impl FnOnce() -> Timestamp,
    ) {
        let (kind, sessions) = (happening.kind, happening.sessions);
        kind.counter(counters).more(sessions);
        if let Some(Listener(listener)) = listener {
            listener(&happening.event());
        }
        let session = happening.session.map(tracing::field::display);
        let principal = || happening.event().principal.map(tracing::field::display);
        let (warns, text) = kind.text();
        if !warns {
            tracing::info!(?kind, session, principal = principal(), sessions, "{text}");
        } else if let Some(left_out) = self.warnings[kind as usize].speak(now()) {
            tracing::warn!(?kind, session, principal = principal(), left_out, "{text}");
        }
    }
}

impl Quiet {
    /// Whether it is time for another warning, and how many were left out before it.
    fn speak(&self, now: Timestamp) -> Option<u64> {
        let last = self.last.load(Ordering::Relaxed);
        let now = now.as_millis().saturating_add(1);
        let quiet = u64::try_from(QUIET.as_millis()).unwrap_or(u64::MAX);
        let is_time = last == 0 || now.abs_diff(last) >= quiet;
        let mine = is_time
            && self.last.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !mine {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_place() {
        for (place, kind) in SecurityEventKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place, "{kind:?}");
        }
    }

    #[test]
    fn a_warning_is_repeated_after_a_minute_with_how_many_were_left_out() {
        let (quiet, at) = (Quiet::default(), Timestamp::from_millis);
        assert_eq!(quiet.speak(at(0)), Some(0));
        assert_eq!(quiet.speak(at(1)), None);
        assert_eq!(quiet.speak(at(59_999)), None);
        assert_eq!(quiet.speak(at(60_000)), Some(2));
        assert_eq!(quiet.speak(at(60_001)), None);
        // A clock that was set back silences nothing for long.
        assert_eq!(quiet.speak(at(0)), Some(1));
    }
}
