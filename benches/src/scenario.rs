//! What is measured, with how much in a session, of which subject, and the goals.

use std::fmt;
use std::str::FromStr;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// S0: no cookie, the handler does not ask.
    Stranger,
    /// S1: a valid cookie, the handler does not ask.
    Ignored,
    /// S2: a valid cookie, one field is read.
    Read,
    /// S3: one field is read and changed.
    Change,
    /// S4: no cookie, every field is set.
    Login,
    /// S5: the token is renewed.
    Renew,
}

impl Scenario {
    /// In the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Stranger, Self::Ignored, Self::Read, Self::Change, Self::Login, Self::Renew];

    /// The path whose handler does this.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Stranger | Self::Ignored => "/ignore",
            Self::Read => "/read",
            Self::Change => "/change",
            Self::Login => "/login",
            Self::Renew => "/renew",
        }
    }

    /// Whether the client is known already.
    #[must_use]
    pub const fn sends_cookie(self) -> bool {
        !matches!(self, Self::Stranger | Self::Login)
    }

    /// The time we allow ourselves, as a multiple of bare axum, where a layer that does
    /// nothing and code by hand take these.
    #[must_use]
    pub const fn goal(self, bare_layer: f64, by_hand: f64) -> f64 {
        match self {
            Self::Stranger | Self::Ignored => bare_layer + 0.1,
            Self::Read => by_hand,
            Self::Change => 1.3 * by_hand,
            Self::Login => 1.4 * by_hand,
            Self::Renew => 1.2 * by_hand,
        }
    }

    /// The allocations we allow ourselves above bare axum, the two of a layer included.
    #[must_use]
    pub const fn allocation_goal(self) -> u32 {
        match self {
            Self::Stranger | Self::Ignored => 3,
            Self::Read => 4,
            Self::Change | Self::Renew => 8,
            Self::Login => 14,
        }
    }
}

/// How much a session holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Five fields, about 100 bytes.
    Small,
    /// Fifty fields, about 5 KB.
    Large,
}

impl Size {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Small, Self::Large];
}

/// The subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Bare axum, without sessions: the floor.
    Bare,
    /// Bare axum with a layer that does nothing: what `Router::layer` costs.
    Layered,
    /// A cookie jar, and typed structs in a concurrent map or as JSON on a server.
    ByHand,
    /// `tower-sessions`, as its documentation shows it.
    TowerSessions,
    /// This toolkit.
    Ours,
    /// This toolkit with its coherent cache.
    Cached,
}

impl Who {
    /// In this process; the floor comes first.
    pub const IN_PROCESS: [Self; 5] =
        [Self::Bare, Self::Layered, Self::ByHand, Self::TowerSessions, Self::Ours];

    /// On a SQL server, or in a file of SQLite.
    pub const ON_SQL: [Self; 3] = [Self::ByHand, Self::TowerSessions, Self::Ours];

    /// On a Redis server.
    pub const ON_REDIS: [Self; 4] = [Self::ByHand, Self::TowerSessions, Self::Ours, Self::Cached];
}

macro_rules! names {
    ($($name:ident: $($variant:ident = $text:literal),*;)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $text),* })
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    other => Err(format!("`{other}` is none of {:?}", [$($text),*])),
                }
            }
        }
    )*};
}

names! {
    Scenario: Stranger = "S0", Ignored = "S1", Read = "S2", Change = "S3", Login = "S4", Renew = "S5";
    Size: Small = "small", Large = "large";
    Who: Bare = "bare-axum", Layered = "bare-layer", ByHand = "by-hand", TowerSessions = "tower-sessions", Ours = "ours", Cached = "ours-cached";
}
