//! Converts a value to its JSON bytes and back. Nothing else knows the format.

mod canonical;
pub(crate) mod expiring;
mod strict;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::cell::Cell;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

pub(crate) use self::canonical::{canonical, same_but_for_order};
pub use self::strict::{Elements, Strict};
use crate::inline::FieldBytes;
pub use serde_json::Error as CodecError;

/// A decoded value of a field.
pub type Value = Box<dyn Any + Send + Sync>;

/// Converts the values of one field type to JSON and back.
pub struct Codec {
    /// Appends the JSON of a value. A value of another type is an error.
    pub encode: fn(&(dyn Any + Send + Sync), &mut Vec<u8>) -> Result<(), CodecError>,
    /// Decodes JSON.
    pub decode: fn(&[u8]) -> Result<Value, CodecError>,
}

impl Codec {
    /// Appends the JSON of a value.
    pub(crate) fn encode_into(
        &self,
        value: &(dyn Any + Send + Sync),
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        (self.encode)(value, out).map_err(without_text)
    }

    /// Whether the value in `json` survives decoding, and always encodes as this text.
    ///
    /// A set encodes as an array in the order of one instance, and each decoding makes another
    /// instance: two elements keep their order only every other time.
    pub(crate) fn has_one_text(&self, json: &[u8]) -> bool {
        let tries = if json.contains(&b'[') && json.contains(&b',') { 32 } else { 1 };
        (0..tries).all(|_| {
            let same = |value: Value| self.encode_and(&*value, |again| same_value(json, again));
            (self.decode)(json).and_then(same).unwrap_or_default()
        })
    }

    /// Returns the JSON of a value.
    pub(crate) fn bytes_of(
        &self,
        value: &(dyn Any + Send + Sync),
    ) -> Result<FieldBytes, CodecError> {
        self.encode_and(value, |json| json.into())
    }

    /// Returns the JSON of a value, unless it is `known`.
    pub(crate) fn bytes_unless(
        &self,
        known: Option<&[u8]>,
        value: &(dyn Any + Send + Sync),
    ) -> Result<Option<Vec<u8>>, CodecError> {
        self.encode_and(value, |json| (known != Some(json)).then(|| json.to_vec()))
    }

    fn encode_and<R>(
        &self,
        value: &(dyn Any + Send + Sync),
        then: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, CodecError> {
        // A value's `Serialize` may encode another field; it then finds an empty buffer in place of
        // this one.
        let mut scratch = SCRATCH.take();
        scratch.clear();
        let encoded = self.encode_into(value, &mut scratch);
        let bytes = encoded.map(|()| then(&scratch));
        scratch.shrink_to(KEPT_SCRATCH);
        SCRATCH.set(scratch);
        bytes
    }
}

/// Replaces an encoder's error text, in which the type's own `Serialize` may quote the value.
fn without_text(error: CodecError) -> CodecError {
    let text = error.to_string();
    let ours = strict::REFUSALS.into_iter().find(|ours| *ours == text);
    serde::ser::Error::custom(ours.unwrap_or(match error.classify() {
        Category::Data => "its `Serialize` refuses the value",
        Category::Syntax => "a key of a map has no form in JSON",
        Category::Io | Category::Eof => "it could not be written",
    }))
}

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The buffer capacity that a thread keeps after a large value.
const KEPT_SCRATCH: usize = 64 * 1024;

impl std::fmt::Debug for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Codec(json)")
    }
}

/// The bounds on a field's type: it is stored as JSON and shared between threads.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a session field",
    label = "a session field is stored as JSON and shared between threads: `Serialize + DeserializeOwned + Send + Sync`",
    note = "derive `serde::Serialize` and `serde::Deserialize` on `{Self}`, name a module with `#[session(with = \"…\")]`, or leave the field out with `#[session(skip)]`"
)]
pub trait FieldType: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> FieldType for T {}

/// The codec of a type that implements serde's traits.
pub struct Json<T>(std::marker::PhantomData<T>);

impl<T: FieldType> Json<T> {
    /// The codec.
    pub const CODEC: &'static Codec = &Codec {
        encode: |value, out| encode_with::<T>(value, out, |value, json| value.serialize(json)),
        decode: |bytes| Ok(Box::new(serde_json::from_slice::<T>(bytes)?)),
    };
}

/// The serializer passed to `#[session(with = "module")]` functions.
pub type JsonSerializer<'a> = Strict<&'a mut serde_json::Serializer<&'a mut Vec<u8>>>;
/// The deserializer passed to `#[session(with = "module")]` functions.
pub type JsonDeserializer<'a, 'de> =
    &'a mut serde_json::Deserializer<serde_json::de::SliceRead<'de>>;

/// Encodes through a function named by `#[session(with = "module")]`.
///
/// # Errors
///
/// The error of the function; a value of another type; or a value whose JSON would decode as
/// another value, see [`Strict`].
pub fn encode_with<T: 'static>(
    value: &(dyn Any + Send + Sync),
    out: &mut Vec<u8>,
    serialize: impl FnOnce(&T, JsonSerializer<'_>) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    let Some(value) = value.downcast_ref::<T>() else {
        return Err(serde::ser::Error::custom("a value of another type than the field's"));
    };
    serialize(value, Strict::new(&mut serde_json::Serializer::new(out)))
}

/// Decodes through a function named by `#[session(with = "module")]`.
///
/// # Errors
///
/// The error of the function, or trailing input after the value.
pub fn decode_with<'de, T: Send + Sync + 'static>(
    bytes: &'de [u8],
    deserialize: impl FnOnce(JsonDeserializer<'_, 'de>) -> Result<T, CodecError>,
) -> Result<Value, CodecError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = deserialize(&mut json)?;
    json.end()?;
    Ok(Box::new(value))
}

/// Encodes a value that belongs to no field, such as one that a migration stores.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut json = Vec::new();
    let serializer = &mut serde_json::Serializer::new(&mut json);
    value.serialize(Strict::new(serializer)).map_err(without_text)?;
    Ok(json)
}

/// Encodes the value inside the `Some` of a principal field.
pub(crate) fn inner_to_json<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut json = Vec::new();
    let serializer = &mut serde_json::Serializer::new(&mut json);
    value.serialize(Strict::in_some(serializer)).map_err(without_text)?;
    Ok(json)
}

/// Whether two encodings mean the same value: the same bytes, or the same JSON with map entries in
/// another order (a `HashMap` has a new one each time).
pub(crate) fn same_value(a: &[u8], b: &[u8]) -> bool {
    // Only the order may differ, so the lengths are equal.
    a == b || (a.len() == b.len() && a.contains(&b'{') && canonical(a) == canonical(b))
}

/// JSON's `null`.
pub(crate) const NULL: &[u8] = b"null";
