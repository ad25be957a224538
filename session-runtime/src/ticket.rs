//! When a login began.

use crate::clock::Timestamp;
use crate::record::Principal;

/// Notes when a login of some principal began, so that revoking all of their
/// sessions meanwhile stops it too: a password check takes time, and whoever
/// revokes because the password leaked must not be overtaken by the thief.
///
/// Made by [`SessionManager::login_ticket`](crate::SessionManager::login_ticket)
/// and handed to [`Handle::redeem`](crate::Handle::redeem). Good for
/// [`TICKET_LIFETIME`](crate::record::TICKET_LIFETIME).
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
