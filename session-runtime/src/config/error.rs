//! Settings that do not make sense.

use std::error::Error;
use std::fmt;

/// A setting that does not make sense, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    entry: &'static str,
    problem: &'static str,
}

impl ConfigError {
    pub(crate) const fn new(entry: &'static str, problem: &'static str) -> Self {
        Self { entry, problem }
    }

    /// The setting at fault.
    #[must_use]
    pub const fn entry(&self) -> &'static str {
        self.entry
    }

    #[cfg(feature = "config")]
    pub(crate) const fn problem(&self) -> &'static str {
        self.problem
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.entry, self.problem)
    }
}

impl Error for ConfigError {}

/// Why two schemas cannot share a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaClash {
    /// They declare a field differently: its type, or an option that says how it is
    /// stored or what a change of it means.
    Field {
        /// The stored name.
        field: &'static str,
        /// The schema that was known first, and the field's type in it.
        first: (&'static str, &'static str),
        /// The schema that disagrees, and the field's type in it.
        second: (&'static str, &'static str),
    },
    /// Each has a principal of its own, and a record belongs to one.
    Principals {
        /// The schema that was known first, and the stored name of its principal.
        first: (&'static str, &'static str),
        /// The other one, and the stored name of its principal.
        second: (&'static str, &'static str),
    },
    /// They have versions in one namespace, which stores one.
    Versions {
        /// The namespace; empty where none is named.
        namespace: &'static str,
        /// The schema that was known first.
        first: &'static str,
        /// The other one.
        second: &'static str,
    },
}

impl fmt::Display for SchemaClash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const FIELD: &str = "write the same in both, or give one of the fields another stored name with `#[session(rename = \"…\")]`";
        match self {
            Self::Field { field, first, second } if first.1 == second.1 => write!(
                f,
                "the schemas `{}` and `{}` share a record but disagree on an option of `{field}`: {FIELD}",
                first.0, second.0,
            ),
            Self::Field { field, first, second } => write!(
                f,
                "the schemas `{}` and `{}` share a record but disagree on `{field}` (`{}` and `{}`): {FIELD}",
                first.0, second.0, first.1, second.1,
            ),
            Self::Principals { first, second } => write!(
                f,
                "the schemas `{}` and `{}` share a record, which belongs to one principal, but have two: `{}` and `{}`; mark the same field in both, or give one kind of user a layer and a cookie of its own",
                first.0, second.0, first.1, second.1,
            ),
            Self::Versions { namespace, first, second } => write!(
                f,
                "the schemas `{first}` and `{second}` share a record and have versions in one namespace (\"{namespace}\"), which stores one: give one of them a `#[session(namespace = \"…\")]` of its own",
            ),
        }
    }
}

impl Error for SchemaClash {}

/// A schema asks for more than the store promises in its
/// [`capabilities`](crate::store::SessionStore::capabilities).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreCannot {
    /// The schema.
    pub schema: &'static str,
    /// The stored name of the field that asks.
    pub field: &'static str,
    /// The option that needs it.
    pub option: &'static str,
}

impl fmt::Display for StoreCannot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schema, field, option } = self;
        write!(
            f,
            "`{option}` on `{schema}.{field}` needs a store whose patches are atomic against every process that shares its data, and this one's are not: use another store, or, if only one process uses it, say so where the store is made",
        )
    }
}

impl Error for StoreCannot {}

/// A schema has a field that is `secret`, and the layer has no keys to encrypt
/// it with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeysMissing {
    /// The schema.
    pub schema: &'static str,
    /// The stored name of the field.
    pub field: &'static str,
}

impl fmt::Display for KeysMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schema, field } = self;
        write!(
            f,
            "`secret` on `{schema}.{field}` needs a key, and this layer has none: write `SessionLayer::new(…).keys(\"…\".parse::<KeyRing>()?)` with what `openssl rand -base64 32` prints, and turn on the feature `keys` of session-runtime",
        )
    }
}

impl Error for KeysMissing {}
