//! Typed names of fields, for generic code.

use std::fmt;
use std::marker::PhantomData;

use super::SessionSchema;
use crate::codec::{Codec, FieldType, Json};

/// The kinds of fields, which decide how a [`Key`] may be used.
pub mod kind {
    /// A field that is read and set.
    #[derive(Clone, Copy, Debug)]
    pub struct Value;
    /// A field that can also be added to.
    #[derive(Clone, Copy, Debug)]
    pub struct Counter;
    /// A field that is set and then taken, once.
    #[derive(Clone, Copy, Debug)]
    pub struct Flash;
    /// A field that is set and then consumed, once among all requests.
    #[derive(Clone, Copy, Debug)]
    pub struct Nonce;
    /// Like [`Nonce`], with several values, each under its own key.
    #[derive(Clone, Copy, Debug)]
    pub struct KeyedNonce;

    /// Kinds of fields that are set as a whole.
    #[diagnostic::on_unimplemented(
        message = "a keyed nonce is set under a key",
        label = "use `set_keyed` with this key, or the generated `set_…(key, value)`"
    )]
    pub trait Settable {}
    impl Settable for Value {}
    impl Settable for Counter {}
    impl Settable for Flash {}
    impl Settable for Nonce {}

    /// Kinds of fields with a getter.
    #[diagnostic::on_unimplemented(
        message = "a flash or nonce field has no getter: it is read once",
        label = "use `take` or `consume` with this key, or the generated `take_…()` or `consume_…()`"
    )]
    pub trait Readable {}
    impl Readable for Value {}
    impl Readable for Counter {}
}

/// The compile-time name and type of one field, for generic code.
///
/// The derive generates one constant per field: `Visitor::LOCALE`.
pub struct Key<S, T, K = kind::Value> {
    index: u16,
    codec: &'static Codec,
    marker: Marker<S, T, K>,
}

/// A key owns no values of its types, so it is `Copy`, `Send` and `Sync`.
type Marker<S, T, K> = PhantomData<fn() -> (S, T, K)>;

/// A key of a `#[session(counter)]` field.
pub type CounterKey<S, T> = Key<S, T, kind::Counter>;
/// A key of a `#[session(flash)]` field.
pub type FlashKey<S, T> = Key<S, T, kind::Flash>;
/// A key of a `#[session(nonce)]` field; `T` is the type inside the `Option`.
pub type NonceKey<S, T> = Key<S, T, kind::Nonce>;
/// A key of a `#[session(nonce = keyed)]` field; `T` is the type of one value.
pub type KeyedNonceKey<S, T> = Key<S, T, kind::KeyedNonce>;

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

    /// Returns the field's index in [`Schema::fields`](super::Schema::fields).
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index as usize
    }
}

impl<S: SessionSchema, T, K> Key<S, T, K> {
    /// Returns the name that the field is stored under.
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
