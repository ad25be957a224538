//! The manager that finds the schema by the principal's type.

use std::any::TypeId;

use serde::Serialize;

use super::{SessionInfo, SessionManager, text_of};
use crate::config::{Fault, SetupError};
use crate::error::SessionError;
use crate::id::SessionId;
use crate::record::Principal;
use crate::store::Revoke;
use crate::ticket::LoginTicket;

impl SessionManager {
    /// Returns the live sessions of `principal`, the most recently seen first.
    ///
    /// # Errors
    ///
    /// [`SessionError::Setup`] if not exactly one schema has a principal of this type;
    /// [`SessionError::Unencodable`] or [`SessionError::AmbiguousPrincipal`] if the value
    /// does not identify a user; [`SessionError::Store`] if the store fails.
    pub async fn sessions_of<P: PrincipalRef + ?Sized>(
        &self,
        principal: &P,
    ) -> Result<Vec<SessionInfo>, SessionError> {
        self.all(&self.named(principal)?).await
    }

    /// Ends one session of `principal`, and returns whether it existed. Never ends a
    /// session of another principal, whatever its id.
    ///
    /// # Errors
    ///
    /// Same as [`sessions_of`](Self::sessions_of).
    pub async fn revoke<P: PrincipalRef + ?Sized>(
        &self,
        principal: &P,
        id: SessionId,
    ) -> Result<bool, SessionError> {
        Ok(self.end(&self.named(principal)?, Revoke::One(id)).await? > 0)
    }

    /// Ends all sessions of `principal`, and returns their number.
    ///
    /// # Errors
    ///
    /// Same as [`sessions_of`](Self::sessions_of).
    pub async fn revoke_all<P: PrincipalRef + ?Sized>(
        &self,
        principal: &P,
    ) -> Result<u64, SessionError> {
        self.end(&self.named(principal)?, Revoke::All).await
    }

    /// Returns a ticket that records when a login of `principal` began. Take it before
    /// checking the password, and pass it to [`Handle::redeem`](crate::Handle::redeem).
    ///
    /// # Errors
    ///
    /// [`SessionError::Setup`] if not exactly one schema has a principal of this type;
    /// [`SessionError::Unencodable`] or [`SessionError::AmbiguousPrincipal`] if the value
    /// does not identify a user.
    pub fn login_ticket<P: PrincipalRef + ?Sized>(
        &self,
        principal: &P,
    ) -> Result<LoginTicket, SessionError> {
        let (namespace, json) = self.of_type(principal)?;
        Ok(self.ticket(namespace, &json))
    }

    fn named<P: PrincipalRef + ?Sized>(
        &self,
        principal: &P,
    ) -> Result<Vec<Principal>, SessionError> {
        let (namespace, json) = self.of_type(principal)?;
        Ok(self.principals(namespace, &json))
    }

    fn of_type<P: PrincipalRef + ?Sized>(
        &self,
        principal: &P,
    ) -> Result<(&'static str, String), SessionError> {
        let given = std::any::type_name::<P>();
        let refused = SetupError::from(Fault::PrincipalType { given });
        let [(namespace, field)] = self.engine.schemas().with_principal(P::field_type())[..] else {
            return Err(refused.into());
        };
        Ok((namespace, text_of(field, principal)?))
    }
}

/// A principal for the untyped [`SessionManager`]; a `str` stands for a `String`.
pub trait PrincipalRef: Serialize + Sync {
    #[doc(hidden)]
    fn field_type() -> TypeId;
}

impl<P: Serialize + Sync + 'static> PrincipalRef for P {
    fn field_type() -> TypeId {
        TypeId::of::<Option<P>>()
    }
}

impl PrincipalRef for str {
    fn field_type() -> TypeId {
        TypeId::of::<Option<String>>()
    }
}
