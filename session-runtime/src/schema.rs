//! The contract between the derive and the runtime.

use std::fmt;
use std::marker::PhantomData;

use crate::codec::{Codec, FieldType, Json, Value};
use crate::session::Handle;

/// A struct whose fields are kept in a session. Derive it.
///
/// See the [crate documentation](crate) for an example and the table of
/// options.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session schema",
    label = "this type does not derive `SessionSchema`",
    note = "write `#[derive(session_runtime::SessionSchema)]` above the definition of `{Self}`"
)]
pub trait SessionSchema: Sized + 'static {
    /// The typed handle that a handler extracts.
    type Session: SessionHandle<Schema = Self>;

    /// What the runtime knows of this struct.
    const SCHEMA: &'static Schema;

    #[doc(hidden)]
    fn __snapshot(handle: &Handle<Self>) -> Self;

    #[doc(hidden)]
    fn __replace(self, handle: &mut Handle<Self>);
}

/// A generated handle type: the accessors, above a [`Handle`].
pub trait SessionHandle:
    From<Handle<Self::Schema>>
    + std::ops::DerefMut<Target = Handle<Self::Schema>>
    + Send
    + Sync
    + 'static
{
    /// The struct it was derived from.
    type Schema: SessionSchema<Session = Self>;
}

/// A schema with a field marked `#[session(principal)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no principal",
    label = "nobody can be signed in to this schema",
    note = "mark the field that says who is signed in with `#[session(principal)]`"
)]
pub trait HasPrincipal: SessionSchema {
    /// What identifies who is signed in.
    type Principal: FieldType;

    /// The field that holds it.
    const PRINCIPAL: Key<Self, Option<Self::Principal>>;
}

/// The compile-time description of a schema.
#[derive(Debug)]
pub struct Schema {
    /// The struct's name.
    pub name: &'static str,
    /// Keeps principals (and, later, fields) of several schemas apart.
    pub namespace: &'static str,
    /// The fields, in the order of [`Key::index`].
    pub fields: &'static [Field],
}

impl Schema {
    /// The field that says who is signed in.
    #[must_use]
    pub fn principal(&self) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.principal)
    }

    /// The field stored under `name`.
    #[must_use]
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
    /// Names it was stored under before; read when `name` is not stored.
    pub aliases: &'static [&'static str],
    /// How concurrent changes of it meet.
    pub kind: FieldKind,
    /// It says who is signed in.
    pub principal: bool,
    /// A change of it renews the token.
    pub renew: bool,
    /// A value of `null` is stored as nothing at all.
    pub null_is_absent: bool,
    /// What happens when its stored value cannot be decoded.
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

    /// The name it is stored under, then those that it was stored under before.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// What two schemas on one record must agree on.
    pub(crate) fn policies(&self) -> (FieldKind, bool, bool, OnInvalid) {
        (self.kind, self.principal, self.renew, self.on_invalid)
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

/// How concurrent changes of a field meet.
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
}

/// What happens when a stored value cannot be decoded as the field's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInvalid {
    /// The field reads as its default; the stored bytes stay until it is set.
    Default,
    /// The session cannot be extracted: an error that names the field.
    Error,
    /// The session is ended, and the visitor starts a fresh one.
    DropSession,
}

/// What a [`Key`] may be used for.
pub mod kind {
    /// A field that is read and set.
    #[derive(Clone, Copy, Debug)]
    pub struct Value;
    /// A field that is also added to.
    #[derive(Clone, Copy, Debug)]
    pub struct Counter;
    /// A field that is set and then taken, once.
    #[derive(Clone, Copy, Debug)]
    pub struct Flash;

    /// Fields with a getter.
    #[diagnostic::on_unimplemented(
        message = "a flash field has no getter: it is read once",
        label = "use `take` with this key, or the generated `take_…()`"
    )]
    pub trait Readable {}
    impl Readable for Value {}
    impl Readable for Counter {}
}

/// The compile-time name and type of one field, for generic code.
///
/// The derive makes one constant per field: `Visitor::LOCALE`.
pub struct Key<S, T, K = kind::Value> {
    index: u16,
    codec: &'static Codec,
    marker: Marker<S, T, K>,
}

/// A key owns nothing of its types, so it is `Copy`, `Send` and `Sync`.
type Marker<S, T, K> = PhantomData<fn() -> (S, T, K)>;

/// A key of a `#[session(counter)]` field.
pub type CounterKey<S, T> = Key<S, T, kind::Counter>;
/// A key of a `#[session(flash)]` field.
pub type FlashKey<S, T> = Key<S, T, kind::Flash>;

impl<S, T, K> Clone for Key<S, T, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S, T, K> Copy for Key<S, T, K> {}

impl<S, T: FieldType, K> Key<S, T, K> {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(index: u16) -> Self {
        Self::with(index, Json::<T>::CODEC)
    }
}

impl<S, T, K> Key<S, T, K> {
    #[doc(hidden)]
    #[must_use]
    pub const fn with(index: u16, codec: &'static Codec) -> Self {
        Self { index, codec, marker: PhantomData }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn codec(&self) -> &'static Codec {
        self.codec
    }

    /// The field's position in [`Schema::fields`].
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index as usize
    }
}

impl<S: SessionSchema, T, K> Key<S, T, K> {
    /// The name the field is stored under.
    #[must_use]
    pub fn name(&self) -> &'static str {
        S::SCHEMA.fields[self.index()].name
    }
}

impl<S: SessionSchema, T, K> fmt::Debug for Key<S, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}::{})", S::SCHEMA.name, self.name())
    }
}

/// The types a `#[session(counter)]` field may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a session counter",
    label = "a counter is an `i64` or a `u64`"
)]
pub trait Counter: FieldType + Copy {
    /// The smallest and the largest value.
    const BOUNDS: (i128, i128);
    /// `self + delta`, saturating.
    #[must_use]
    fn plus(self, delta: i64) -> Self;
    /// The value, widened.
    #[must_use]
    fn wide(self) -> i128;
}

impl Counter for i64 {
    const BOUNDS: (i128, i128) = (i64::MIN as i128, i64::MAX as i128);

    fn plus(self, delta: i64) -> Self {
        self.saturating_add(delta)
    }

    fn wide(self) -> i128 {
        self.into()
    }
}

impl Counter for u64 {
    const BOUNDS: (i128, i128) = (0, u64::MAX as i128);

    fn plus(self, delta: i64) -> Self {
        self.saturating_add_signed(delta)
    }

    fn wide(self) -> i128 {
        self.into()
    }
}

/// What a field without `#[session(default = …)]` needs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no default, so this session field needs one",
    label = "what does the field read as before anybody set it?",
    note = "write `#[session(default = …)]`, make it an `Option<…>`, or implement `Default` for `{Self}`"
)]
pub trait FieldDefault: Default + Send + Sync + 'static {}

impl<T: Default + Send + Sync + 'static> FieldDefault for T {}

/// The default of a field without `#[session(default = …)]`.
#[doc(hidden)]
#[must_use]
pub fn default<T: FieldDefault>() -> Value {
    Box::new(T::default())
}
