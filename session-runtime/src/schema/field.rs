//! The runtime's description of a schema and its fields.

use std::fmt;
use std::time::Duration;

use super::merges::MergeFn;
use super::migration::Migrate;
use crate::codec::{Codec, Value};

/// The compile-time description of a schema.
#[derive(Debug)]
pub struct Schema {
    /// The address of a static in the derived struct, as its identity: a constant, like the schema,
    /// may have several addresses.
    id: &'static u8,
    /// The struct's name.
    pub name: &'static str,
    /// Keeps the fields and principals of several schemas apart: stored names begin with the
    /// namespace and a colon. Empty for the default namespace.
    pub namespace: &'static str,
    /// The version of the struct, which is stored with its fields.
    pub version: u32,
    /// Migrates what an earlier version stored.
    #[doc(hidden)]
    pub migrate: Option<Migrate>,
    /// The fields, in the order of [`Key::index`](super::Key::index).
    #[doc(hidden)]
    pub fields: &'static [Field],
    principal: Option<usize>,
    strict: bool,
    expiring: bool,
    secrets: bool,
}

impl Schema {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        id: &'static u8,
        name: &'static str,
        namespace: &'static str,
        fields: &'static [Field],
    ) -> Self {
        let (mut principal, mut strict) = (None, false);
        let (mut expiring, mut secrets) = (false, false);
        let mut index = 0;
        while index < fields.len() {
            let field = &fields[index];
            if field.principal {
                principal = Some(index);
            }
            strict |= !matches!(field.on_invalid, OnInvalid::Default);
            expiring |= field.ttl.is_some();
            secrets |= field.secret;
            index += 1;
        }
        let (version, migrate) = (1, None);
        Self { id, name, namespace, version, migrate, fields, principal, strict, expiring, secrets }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn migrate(mut self, migrate: Migrate) -> Self {
        self.migrate = Some(migrate);
        self
    }

    /// Whether both describe the same struct.
    pub(crate) fn is(&self, other: &Self) -> bool {
        std::ptr::eq(self.id, other.id)
    }

    /// The field that holds the principal.
    #[must_use]
    #[doc(hidden)]
    pub const fn principal(&self) -> Option<&'static Field> {
        match self.principal {
            Some(index) => Some(&self.fields[index]),
            None => None,
        }
    }

    /// Returns the index of the principal field.
    pub(crate) const fn principal_index(&self) -> Option<usize> {
        self.principal
    }

    /// Whether a field besides the principal is decoded when the session is extracted.
    pub(crate) const fn is_strict(&self) -> bool {
        self.strict
    }

    /// Whether a field has a `ttl`.
    pub(crate) const fn has_expiring_fields(&self) -> bool {
        self.expiring
    }

    /// Whether a field is encrypted at rest.
    pub(crate) const fn has_secrets(&self) -> bool {
        self.secrets
    }

    /// Returns the field stored under `name`, which includes the namespace.
    #[must_use]
    #[doc(hidden)]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// The compile-time description of a field.
pub struct Field {
    /// The name it is stored under.
    pub name: &'static str,
    /// Its type, as written in the struct.
    pub type_name: &'static str,
    /// Former names; read if nothing is stored under `name`.
    pub aliases: &'static [&'static str],
    /// How concurrent changes are combined.
    pub kind: FieldKind,
    /// It identifies the signed-in user.
    pub principal: bool,
    /// A change renews the token.
    pub renew: bool,
    /// How a concurrent change is resolved.
    pub conflict: ConflictPolicy,
    /// How long after it was set a value expires.
    pub ttl: Option<Duration>,
    /// A sign-in removes it, unless the same request sets it.
    pub clear_on_login: bool,
    /// It is carried over when another user signs in on the session.
    pub carry_over: bool,
    /// It is shown in listings of a principal's sessions.
    pub listed: bool,
    /// It is encrypted at rest and never shown.
    pub secret: bool,
    /// `null` is stored by removing the field.
    pub null_is_absent: bool,
    /// What happens if its stored value does not decode.
    pub on_invalid: OnInvalid,
    codec: &'static Codec,
    default: fn() -> Value,
}

impl Field {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        name: &'static str,
        type_name: &'static str,
        codec: &'static Codec,
        default: fn() -> Value,
    ) -> Self {
        Self {
            name,
            type_name,
            aliases: &[],
            kind: FieldKind::Value,
            principal: false,
            renew: false,
            conflict: ConflictPolicy::LastWins,
            ttl: None,
            clear_on_login: false,
            carry_over: false,
            listed: false,
            secret: false,
            null_is_absent: false,
            on_invalid: OnInvalid::Default,
            codec,
            default,
        }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn kind(mut self, kind: FieldKind) -> Self {
        self.kind = kind;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn principal(mut self) -> Self {
        self.principal = true;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn renew(mut self) -> Self {
        self.renew = true;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn merge(mut self, merge: MergeFn) -> Self {
        self.conflict = ConflictPolicy::Merge(merge);
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn compare(mut self) -> Self {
        self.conflict = ConflictPolicy::Compare;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn write_once(mut self) -> Self {
        self.conflict = ConflictPolicy::WriteOnce;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn ttl(mut self, millis: u64) -> Self {
        self.ttl = Some(Duration::from_millis(millis));
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn clear_on_login(mut self) -> Self {
        self.clear_on_login = true;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn carry_over(mut self) -> Self {
        self.carry_over = true;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn listed(mut self) -> Self {
        self.listed = true;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn null_is_absent(mut self) -> Self {
        self.null_is_absent = true;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn on_invalid(mut self, on_invalid: OnInvalid) -> Self {
        self.on_invalid = on_invalid;
        self
    }

    /// Returns the stored name, then the aliases.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Returns the options that two schemas on one record must agree on.
    pub(crate) fn policies(&self) -> impl PartialEq + use<> {
        let of_value = (self.kind, self.conflict, self.ttl, self.on_invalid);
        let of_users = (self.principal, self.renew, self.clear_on_login, self.carry_over);
        (of_value, of_users, self.secret)
    }

    /// Whether a sign-in or sign-out removes it or carries it over.
    pub(crate) const fn is_about_users(&self) -> bool {
        self.clear_on_login || self.carry_over || self.renew || self.secret
    }

    pub(crate) fn shares_a_name_with(&self, other: &Self) -> bool {
        self.names().any(|name| other.names().any(|theirs| theirs == name))
    }

    pub(crate) const fn codec(&self) -> &'static Codec {
        self.codec
    }

    pub(crate) fn default_value(&self) -> Value {
        (self.default)()
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.type_name)
    }
}

/// How concurrent changes of a field are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// The later commit wins.
    Value,
    /// Additions merge.
    Counter {
        /// The field is an `i64`; otherwise a `u64`.
        signed: bool,
    },
    /// Read once; removed when the request commits.
    Flash,
    /// Handed out once, by an atomic take in the store.
    Nonce {
        /// Holds several values, each under its own key: the value of `key` is stored under the
        /// field's name, two colons and the key.
        keyed: bool,
    },
}

/// How a change of a field is resolved when another request has changed it meanwhile.
#[derive(Clone, Copy)]
pub enum ConflictPolicy {
    /// The later commit wins.
    LastWins,
    /// Both values are merged.
    Merge(MergeFn),
    /// The later commit fails with [`SessionError::Conflict`](crate::SessionError::Conflict).
    Compare,
    /// The stored value stays: setting another one fails with
    /// [`SessionError::AlreadySet`](crate::SessionError::AlreadySet).
    WriteOnce,
}

impl fmt::Debug for ConflictPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LastWins => "LastWins",
            Self::Merge(_) => "Merge",
            Self::Compare => "Compare",
            Self::WriteOnce => "WriteOnce",
        })
    }
}

impl PartialEq for ConflictPolicy {
    /// Compares the kind of policy only: functions cannot be compared.
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl Eq for ConflictPolicy {}

/// What happens if a stored value does not decode as the field's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInvalid {
    /// The field reads as its default; the stored bytes stay until it is set.
    Default,
    /// The extraction fails with an error that names the field.
    Error,
    /// The session ends, and the visitor starts a fresh one.
    DropSession,
}

/// The bound on a field without `#[session(default = …)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no default, so this session field needs one",
    label = "this field needs a default: what does it read as before it is set?",
    note = "write `#[session(default = …)]`, make it an `Option<…>`, or implement `Default` for `{Self}`"
)]
pub trait FieldDefault: Default {}

impl<T: Default> FieldDefault for T {}

/// Returns the default of a field without `#[session(default = …)]`.
#[doc(hidden)]
#[must_use]
pub fn default<T: FieldDefault + Send + Sync + 'static>() -> Value {
    Box::new(T::default())
}

/// The bound on a field marked `#[session(copy)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `Copy`, so this session field cannot be read by value",
    label = "remove `copy`: the field is then read by reference",
    note = "or derive `Copy` on the type"
)]
pub trait CopiedField: Copy {}

impl<T: Copy> CopiedField for T {}

/// Reads a field marked `#[session(copy)]`.
#[doc(hidden)]
#[must_use]
pub fn copied<T: CopiedField>(value: &T) -> T {
    *value
}
