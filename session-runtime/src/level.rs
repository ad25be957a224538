//! Levels of authentication: what a user must have proved beyond being signed in.

use std::time::Duration;

use crate::schema::HasPrincipal;

/// A level of authentication: what the user of an [`Authenticated<S, L>`](crate::Authenticated)
/// must have proved beyond being signed in.
///
/// The proof is data of the session: a field of your schema. Mark it `renew`, so that gaining or
/// losing the proof renews the token and a sign-out removes it, and `clear_on_login`, so that it
/// does not outlive the sign-in that it belongs to. A `ttl` limits how long the proof counts.
///
/// ```
/// use session_runtime::testing::TestSession;
/// use session_runtime::{Authenticated, Level, Session, SessionSchema};
///
/// #[derive(SessionSchema)]
/// struct Visitor {
///     #[session(principal)]
///     user_id: Option<u64>,
///     #[session(renew, clear_on_login, ttl = "8h")]
///     second_factor: bool,
/// }
///
/// /// The user has entered a code of the authenticator app.
/// struct SecondFactor;
///
/// impl Level<Visitor> for SecondFactor {
///     fn missing(session: &Session<Visitor>) -> Option<&'static str> {
///         (!session.second_factor()).then_some("second-factor")
///     }
/// }
///
/// async fn transfer(who: Authenticated<Visitor, SecondFactor>) -> String {
///     format!("user {} pays", who.principal())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let t = TestSession::<Visitor>::new().signed_in_as(42);
/// assert!(t.authenticated().at_level::<SecondFactor>().is_err());
/// t.session().set_second_factor(true); // after the code was checked
/// assert_eq!(transfer(t.authenticated().at_level().unwrap()).await, "user 42 pays");
/// # }
/// ```
///
/// A tuple is the level of both of its parts: `Authenticated<Visitor, (SecondFactor, Fresh<300>)>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no level of authentication for `{S}`",
    label = "not a level for this schema",
    note = "write `impl Level<{S}> for {Self}`, or use `SignedIn` or `Fresh<SECONDS>`"
)]
pub trait Level<S: HasPrincipal>: 'static {
    /// Returns the name of the proof that is missing, or `None` if the session has this level.
    ///
    /// Clients see the name: in the query of the login page's URL as `proof`, and in the 401. Use
    /// ASCII letters, digits and hyphens.
    fn missing(session: &S::Session) -> Option<&'static str>;
}

/// The lowest [`Level`], and the default of [`Authenticated`](crate::Authenticated): a user is
/// signed in.
#[derive(Clone, Copy, Debug)]
pub struct SignedIn;

impl<S: HasPrincipal> Level<S> for SignedIn {
    fn missing(_: &S::Session) -> Option<&'static str> {
        None
    }
}

/// The [`Level`] of a user who has authenticated at most this many seconds ago: signed in, or
/// called [`reauthenticated`](crate::Handle::reauthenticated). The name of the proof is `fresh`.
///
/// ```
/// # use session_runtime::{Authenticated, Fresh, SessionSchema};
/// # #[derive(SessionSchema)] struct Visitor { #[session(principal)] user_id: Option<u64> }
/// async fn change_password(who: Authenticated<Visitor, Fresh<900>>) {
///     // …
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Fresh<const SECONDS: u64>;

/// The name of the proof that [`Fresh`] and `require_fresh` ask for.
pub(crate) const FRESH: &str = "fresh";

impl<S: HasPrincipal, const SECONDS: u64> Level<S> for Fresh<SECONDS> {
    fn missing(session: &S::Session) -> Option<&'static str> {
        (!session.is_fresh(Duration::from_secs(SECONDS))).then_some(FRESH)
    }
}

impl<S: HasPrincipal, A: Level<S>, B: Level<S>> Level<S> for (A, B) {
    fn missing(session: &S::Session) -> Option<&'static str> {
        A::missing(session).or_else(|| B::missing(session))
    }
}
