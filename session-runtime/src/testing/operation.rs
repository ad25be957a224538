//! The operations of a store, by name.

/// One operation of a [`SessionStore`](crate::store::SessionStore).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// A request's session is loaded.
    Load,
    /// A request's session is read again.
    Reload,
    /// A new session is stored.
    Create,
    /// Changes are stored.
    Apply,
    /// A session is destroyed.
    Delete,
    /// The sessions of a principal are listed.
    List,
    /// Sessions of a principal are ended.
    Revoke,
    /// The sessions are counted.
    Count,
    /// Expired sessions are removed.
    Sweep,
    /// All sessions are walked over.
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
