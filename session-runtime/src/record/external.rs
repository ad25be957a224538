//! The session elsewhere that a session belongs to, such as that of an identity provider.

use serde_json::json;

use super::patch::{FieldOp, Lifetime, Op};
use super::{Fields, Meta, Principal, Record};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::realm::Realm;
use crate::token::SecretHash;

/// The id of a session elsewhere.
///
/// The session holds it in a field. A record of its own, a *pointer*, is found by it and holds the
/// id of the session: an index by a second key, made of what every store has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct External(String);

impl External {
    /// The stored names of the external id in a session, and of the session's id in a pointer. No
    /// field has a name like these.
    const FIELD: &'static str = "::external";
    const SESSION: &'static str = "::session";

    /// Where pointers are indexed. No schema has such a namespace.
    const NAMESPACE: &'static str = "=external";

    pub(crate) fn new(id: &str) -> Self {
        Self(id.to_owned())
    }

    /// Returns the one that a session with these fields belongs to.
    pub(crate) fn of(fields: &Fields) -> Option<Self> {
        serde_json::from_slice(fields.get(Self::FIELD)?).ok().map(Self)
    }

    /// Returns the one that a session with these fields belongs to after these changes.
    pub(crate) fn after(fields: &Fields, changes: &[FieldOp]) -> Option<Self> {
        match changes.iter().find(|change| change.name == Self::FIELD).map(|change| &change.op) {
            Some(Op::Set(json)) => serde_json::from_slice(json).ok().map(Self),
            Some(_) => None,
            None => Self::of(fields),
        }
    }

    /// Returns the change of a session that a sign-in makes belong to `external`, or to none; `None`
    /// if it does already.
    pub(crate) fn change(fields: &Fields, external: Option<&str>) -> Option<FieldOp> {
        let now = Self::of(fields);
        if now.as_ref().map(|it| it.0.as_str()) == external {
            return None;
        }
        let op = match external {
            Some(external) => Op::set(json!(external).to_string()),
            None => Op::Remove,
        };
        Some(FieldOp::new(Self::FIELD, op))
    }

    /// Returns the principal of its pointers.
    pub(crate) fn principal(&self, realm: &Realm) -> Principal {
        Principal::of(realm, Self::NAMESPACE, &json!(self.0).to_string())
    }

    /// Creates a pointer to the session, with this id and a secret that no client has. It lives until
    /// `absolute`.
    pub(crate) fn pointer(
        &self,
        (id, secret): (SessionId, SecretHash),
        to: &Pointer,
        realm: &Realm,
        absolute: Option<Timestamp>,
        now: Timestamp,
    ) -> Record {
        let absolute = absolute.map(|at| at.since(now));
        let mut meta = Meta::new(secret, now, Lifetime { idle: None, absolute, remember: false });
        meta.realm = realm.clone();
        meta.principal = Some(self.principal(realm));
        let principal = to.principal.as_ref().map(Principal::as_str);
        let to = json!([to.session, principal]).to_string();
        Record::new(id, meta, [(Self::SESSION, to)].into_iter().collect())
    }
}

/// What a pointer names.
#[derive(Debug)]
pub(crate) struct Pointer {
    pub(crate) session: SessionId,
    /// Whose session it was when the pointer was made: a session is found by its user.
    pub(crate) principal: Option<Principal>,
}

impl Pointer {
    pub(crate) fn of(record: &Record) -> Option<Self> {
        let stored = record.fields.get(External::SESSION)?;
        let (session, principal): (_, Option<String>) = serde_json::from_slice(stored).ok()?;
        let principal = principal.as_deref().map(Principal::from_stored);
        Some(Self { session, principal })
    }
}
