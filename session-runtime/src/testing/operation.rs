//! The operations of a store.

/// One operation of a [`SessionStore`](crate::store::SessionStore).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Loads the session of a request.
    Load,
    /// Reads the session of a request again.
    Reload,
    /// Stores a new session.
    Create,
    /// Stores changes.
    Apply,
    /// Deletes a session.
    Delete,
    /// Lists the sessions of a principal.
    List,
    /// Ends sessions of a principal.
    Revoke,
    /// Counts the sessions.
    Count,
    /// Removes expired sessions.
    Sweep,
    /// Walks over all sessions.
    Scan,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 10] = [
        Self::Load,
        Self::Reload,
        Self::Create,
        Self::Apply,
        Self::Delete,
        Self::List,
        Self::Revoke,
        Self::Count,
        Self::Sweep,
        Self::Scan,
    ];
}
