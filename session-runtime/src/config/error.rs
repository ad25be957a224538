//! The error of a misconfigured layer.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The error of a misconfigured layer: a setting is invalid, or the settings, schemas
/// and store do not fit together.
///
/// It is a mistake in the program or its configuration, not in a request. The message
/// names the cause and says what to write instead. It never contains a secret.
///
/// ```
/// use session_runtime::{SessionLayer, store::MemoryStore};
///
/// let layer = SessionLayer::new(MemoryStore::new()).exclude("static");
/// let error = layer.check().unwrap_err();
/// assert_eq!(error.entry(), Some("exclude"));
/// println!("{error}"); // says that the path must begin with `/`
/// ```
#[derive(Clone)]
pub struct SetupError(Arc<Fault>);

/// The cause of a [`SetupError`].
#[derive(Debug)]
pub(crate) enum Fault {
    /// The value of a setting is invalid, or this store does not support it.
    Setting {
        entry: &'static str,
        problem: Cow<'static, str>,
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// Invalid configuration entries, one per line, each beginning with its full name.
    #[cfg(feature = "config")]
    Entries(Vec<String>),
    /// Two schemas cannot share a record.
    Clash(Clash),
    /// The field's option needs a capability that the store lacks, see
    /// [`capabilities`](crate::store::SessionStore::capabilities).
    StoreCannot { schema: &'static str, field: &'static str, option: &'static str },
    /// The field is `secret`, and the layer has no keys to encrypt it with.
    KeysMissing { schema: &'static str, field: &'static str },
    /// The layer must know this schema before the first request.
    SchemaNotNamed { schema: &'static str },
    /// No schema known to the layer has a principal of this type, or several have.
    PrincipalType { given: &'static str },
}

/// The reason why two schemas cannot share a record. `first` was known before `second`.
#[derive(Debug)]
pub(crate) enum Clash {
    /// They disagree on a field's type, or on an option that determines how it is stored
    /// or merged. Each schema is paired with its type of the field.
    Field {
        field: &'static str,
        first: (&'static str, &'static str),
        second: (&'static str, &'static str),
    },
    /// They have different principals, but a record belongs to one. Each schema is paired
    /// with the stored name of its principal.
    Principals { first: (&'static str, &'static str), second: (&'static str, &'static str) },
    /// Both have a version in one namespace, which stores only one.
    Versions { namespace: &'static str, first: &'static str, second: &'static str },
}

impl SetupError {
    pub(crate) fn setting(entry: &'static str, problem: impl Into<Cow<'static, str>>) -> Self {
        Fault::Setting { entry, problem: problem.into(), source: None }.into()
    }

    /// Returns the invalid setting; `None` if a schema is at fault, or if this error lists
    /// the entries of a configuration.
    #[must_use]
    pub fn entry(&self) -> Option<&'static str> {
        match &*self.0 {
            Fault::Setting { entry, .. } => Some(entry),
            _ => None,
        }
    }

    /// Returns the setting (empty if another part is at fault) and the problem.
    #[cfg(feature = "config")]
    pub(crate) fn in_parts(&self) -> (&'static str, Cow<'_, str>) {
        match &*self.0 {
            Fault::Setting { entry, problem, .. } => (entry, Cow::Borrowed(problem)),
            _ => ("", Cow::Owned(self.to_string())),
        }
    }
}

impl From<Fault> for SetupError {
    fn from(fault: Fault) -> Self {
        Self(Arc::new(fault))
    }
}

impl fmt::Debug for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Fault::Setting { entry, problem, .. } => write!(f, "`{entry}`: {problem}"),
            #[cfg(feature = "config")]
            Fault::Entries(problems) => f.write_str(&problems.join("\n")),
            Fault::Clash(clash) => clash.fmt(f),
            Fault::StoreCannot { schema, field, option } => write!(
                f,
                "`{option}` on `{schema}.{field}` needs a store whose patches are atomic against every process that shares its data, and this one's are not: use another store, or, if only one process uses it, say so where the store is made",
            ),
            Fault::KeysMissing { schema, field } => write!(
                f,
                "`secret` on `{schema}.{field}` needs a key, and this layer has none: write `SessionLayer::new(…).keys(\"…\".parse::<KeyRing>()?)` with what `openssl rand -base64 32` prints, and turn on the feature `keys` of session-runtime",
            ),
            Fault::SchemaNotNamed { schema } => write!(
                f,
                "the session layer must know this schema before the first request: add `.schema::<{schema}>()` to it",
            ),
            Fault::PrincipalType { given } => write!(
                f,
                "no single schema that this layer knows has a principal of type `{given}`: in a handler extract `SessionManager<YourSchema>`, elsewhere take `layer.manager_for::<YourSchema>()?`, or name the schema with `.schema::<YourSchema>()`; a number without a type, such as `&1`, is an `i32`",
            ),
        }
    }
}

impl fmt::Display for Clash {
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

impl Error for SetupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            // The store error's own message is part of this one.
            Fault::Setting { source: Some(source), .. } => source.source(),
            _ => None,
        }
    }
}
