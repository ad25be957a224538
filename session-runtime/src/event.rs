//! Security events of sessions: counted, passed to a listener, and logged.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::metrics::{Count, Counters};
use crate::record::{EndReason, Principal, PrincipalHash};

/// A security-relevant event of a session (OWASP ASVS 5.0, 16.3), passed to the listener
/// of [`SessionLayer::on_event`](crate::SessionLayer::on_event).
///
/// Holds no token and no principal: the session's id is public, and the principal is
/// hashed. The hash is the same for all sessions of one user in one realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecurityEvent {
    /// What happened.
    pub kind: SecurityEventKind,
    /// The session concerned, if it is a single known one.
    pub session: Option<SessionId>,
    /// The hash of the session's principal, if known.
    pub principal: Option<PrincipalHash>,
    /// The hash of the user who acts as the principal, if the event is
    /// [`ActedAs`](SecurityEventKind::ActedAs).
    pub actor: Option<PrincipalHash>,
    /// The number of sessions concerned: 1, except for a revocation.
    pub sessions: u64,
    /// Why the session ended, if it did.
    pub because: Option<EndReason>,
}

/// An event before it is reported; the principal is hashed only then.
#[derive(Clone, Copy)]
pub(crate) struct Happening<'p> {
    kind: SecurityEventKind,
    session: Option<SessionId>,
    principal: Option<&'p Principal>,
    actor: Option<&'p Principal>,
    pub(crate) sessions: u64,
    because: Option<EndReason>,
}

impl<'p> Happening<'p> {
    pub(crate) const fn new(kind: SecurityEventKind) -> Self {
        Self { kind, session: None, principal: None, actor: None, sessions: 1, because: None }
    }

    pub(crate) const fn of(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    pub(crate) const fn by(mut self, principal: Option<&'p Principal>) -> Self {
        self.principal = principal;
        self
    }

    pub(crate) const fn acting(mut self, actor: &'p Principal) -> Self {
        self.actor = Some(actor);
        self
    }

    pub(crate) const fn because(mut self, reason: EndReason) -> Self {
        self.because = Some(reason);
        self
    }

    fn event(&self) -> SecurityEvent {
        let &Self { kind, session, principal, actor, sessions, because } = self;
        let principal = principal.map(|principal| principal.user().hash());
        let actor = actor.map(Principal::hash);
        SecurityEvent { kind, session, principal, actor, sessions, because }
    }
}

/// The kind of a [`SecurityEvent`]. [`Metrics`](crate::Metrics) has a counter of the
/// same name for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SecurityEventKind {
    /// A user signed in or re-authenticated.
    SignedIn,
    /// A user signed in by a cross-site request without a session cookie, which the
    /// browser may have withheld. Unless this is the return from a login provider, it may
    /// be another site's login form (login CSRF). Follows `SignedIn`.
    SignedInCrossSite,
    /// A session's token was renewed without a sign-in: after a change of privilege, or
    /// by age.
    Renewed,
    /// A sign-in was rejected by `max_sessions`, or because all sessions of the user
    /// were revoked after the login began.
    Denied,
    /// A session was ended by `max_sessions` because its user signed in elsewhere. May
    /// be missing if the store's reply was lost.
    Evicted,
    /// A session was destroyed by one of its own requests.
    Destroyed,
    /// Sessions of a user were ended by [`SessionManager`](crate::SessionManager), or
    /// because of a replayed token.
    Revoked,
    /// A token replaced by a renewal was presented after its grace period: it may have
    /// been stolen.
    Replayed,
    /// A request presented tokens of several live sessions. None was used.
    SeveralTokens,
    /// A request presented more distinct tokens than any real browser sends. None was
    /// looked up.
    TooManyTokens,
    /// A session of another library was taken over.
    Adopted,
    /// A session was created for a request whose token belongs to a recently ended
    /// session, or was recently replaced.
    StartedAfresh,
    /// Changes made by a cross-site request were not stored, because the browser may have
    /// withheld the session cookie.
    Withheld,
    /// A user began to [act](crate::Authenticated::act_as) as another one, the principal of the
    /// event.
    ActedAs,
}

impl SecurityEventKind {
    pub(crate) const ALL: [Self; 14] = [
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
        Self::ActedAs,
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
            Self::ActedAs => &counters.acted_as,
        }
    }

    /// Returns whether the event is logged as a warning, and the logged text.
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
            Self::ActedAs => (false, "a user acts as another one"),
            Self::Adopted => (false, "a session of another library was taken over"),
            Self::StartedAfresh => (false, "a session was begun in place of one that is over"),
            Self::Withheld => (
                true,
                "a request from another site set something in its session, whose cookie the browser may have withheld; it is not stored: redirect to a page of this site first, or set `SameSite=None`",
            ),
        }
    }
}

/// The application's event listener.
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

/// The shortest interval between two warnings that any client can cause.
const QUIET: Duration = Duration::from_secs(60);

/// Counts, reports and logs events; logs at most one warning per kind and minute.
#[derive(Debug, Default)]
pub(crate) struct Events {
    warnings: [Quiet; SecurityEventKind::ALL.len()],
}

/// When the last warning of a kind was logged, and how many have been left out since.
#[derive(Debug, Default)]
struct Quiet {
    /// Milliseconds since the epoch plus one; zero for never.
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
        // Hashed only for a log that is read.
        let principal = || happening.event().principal.map(tracing::field::display);
        let actor = || happening.event().actor.map(tracing::field::display);
        let because = happening.because.map(tracing::field::display);
        let (warns, text) = kind.text();
        if !warns {
            tracing::info!(
                ?kind,
                session,
                principal = principal(),
                actor = actor(),
                sessions,
                because,
                "{text}"
            );
        } else if let Some(left_out) = self.warnings[kind as usize].speak(now()) {
            tracing::warn!(?kind, session, principal = principal(), left_out, "{text}");
        }
    }
}

impl Quiet {
    /// Returns the number of suppressed warnings if another one is due.
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
