//! The moment at which a login began.

use crate::clock::Timestamp;
use crate::record::Principal;

/// The moment at which a principal's login began. If all sessions of the principal are
/// revoked before the login completes, the login is rejected.
///
/// Checking a password takes time. Without a ticket, a thief whose check is under way
/// while the user changes the password and revokes all sessions would still get in.
///
/// Created by [`SessionManager::login_ticket`](crate::SessionManager::login_ticket) and
/// passed to [`Handle::redeem`](crate::Handle::redeem). Valid for
/// [`TICKET_LIFETIME`](crate::record::TICKET_LIFETIME), 15 minutes.
///
/// ```
/// use session_runtime::{Session, SessionError, SessionManager, SessionSchema};
/// # #[derive(SessionSchema)]
/// # struct Visitor { #[session(principal)] user_id: Option<u64> }
/// # async fn check_password(_: u64, _: &str) -> bool { true }
/// async fn login(
///     mut session: Session<Visitor>,
///     sessions: SessionManager<Visitor>,
///     (user, password): (u64, String),
/// ) -> Result<(), SessionError> {
///     let ticket = sessions.login_ticket(&user)?; // before the check
///     if check_password(user, &password).await {
///         session.redeem(ticket);
///         session.set_user_id(user);
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct LoginTicket {
    principal: Principal,
    at: Timestamp,
}

impl LoginTicket {
    pub(crate) const fn new(principal: Principal, at: Timestamp) -> Self {
        Self { principal, at }
    }

    pub(crate) const fn principal(&self) -> &Principal {
        &self.principal
    }

    pub(crate) const fn at(&self) -> Timestamp {
        self.at
    }
}
