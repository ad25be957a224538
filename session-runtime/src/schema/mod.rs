//! The contract between the derive and the runtime.

pub(crate) mod agreement;
mod counter;
mod field;
mod key;
mod merges;
mod migration;

#[doc(hidden)]
pub use self::counter::Counter;
pub use self::field::Schema;
#[doc(hidden)]
pub use self::field::{
    ConflictPolicy, CopiedField, Field, FieldDefault, FieldKind, OnInvalid, copied, default,
};
#[doc(hidden)]
pub use self::key::kind;
pub use self::key::{CounterKey, FlashKey, Key, KeyedNonceKey, NonceKey};
#[doc(hidden)]
pub use self::merges::{MergeFn, MergesField, merge_with};
pub use self::migration::{Migrate, MigrateError, Migration};
use crate::codec::FieldType;
use crate::session::Handle;

/// A struct whose fields are kept in a session. Derive it.
///
/// See the [crate documentation](crate) for an example and the table of options.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session schema",
    label = "this type does not derive `SessionSchema`",
    note = "write `#[derive(session_runtime::SessionSchema)]` above the definition of `{Self}`"
)]
pub trait SessionSchema: Sized + 'static {
    /// The typed handle that handlers extract.
    type Session: SessionHandle<Schema = Self>;

    /// The runtime's description of this struct.
    const SCHEMA: &'static Schema;

    #[doc(hidden)]
    fn __snapshot(handle: &Handle<Self>) -> Self;

    #[doc(hidden)]
    fn __replace(self, handle: &mut Handle<Self>);
}

/// A generated handle type: the accessors, on top of a [`Handle`].
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
    label = "this schema has no field marked `#[session(principal)]`",
    note = "mark the field that says who is signed in with `#[session(principal)]`"
)]
pub trait HasPrincipal: SessionSchema {
    /// The type that identifies the signed-in user.
    type Principal: FieldType;

    /// The field that holds it.
    const PRINCIPAL: Key<Self, Option<Self::Principal>>;
}

/// Decodes a principal; `None` if it does not decode.
pub(crate) fn principal_of<S: HasPrincipal>(json: &str) -> Option<S::Principal> {
    let decoded = (S::PRINCIPAL.codec().decode)(json.as_bytes()).ok()?;
    *decoded.downcast::<Option<S::Principal>>().ok()?
}
