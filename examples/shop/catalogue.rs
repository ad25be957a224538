//! The users and the products. Neither belongs in a session.

use serde::{Deserialize, Serialize};

/// A user's number, the principal of their sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct UserId(pub(crate) u64);

/// A user. A real shop would ask for a passkey.
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) name: &'static str,
}

/// All users.
pub(crate) const USERS: &[User] = &[
    User { id: UserId(1), name: "Ada" },
    User { id: UserId(2), name: "Grace" },
    User { id: UserId(3), name: "Linus" },
];

impl User {
    /// The user with this number.
    pub(crate) fn find(id: UserId) -> Option<&'static Self> {
        USERS.iter().find(|user| user.id == id)
    }
}

/// A product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Product {
    Pen,
    Notebook,
    Lamp,
    Cup,
}

impl Product {
    /// All products.
    pub(crate) const ALL: [Self; 4] = [Self::Pen, Self::Notebook, Self::Lamp, Self::Cup];

    /// Its name in forms and in the session.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Pen => "pen",
            Self::Notebook => "notebook",
            Self::Lamp => "lamp",
            Self::Cup => "cup",
        }
    }

    /// Its price in cents.
    pub(crate) const fn price(self) -> u32 {
        match self {
            Self::Pen => 1_290,
            Self::Notebook => 890,
            Self::Lamp => 4_950,
            Self::Cup => 1_400,
        }
    }
}
