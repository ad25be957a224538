//! Rejects values that JSON cannot represent while they are encoded: `serde_json` writes `null` for
//! an infinite float and for `Some(())`, and writes deeper nesting than it reads.

use serde::ser::{self, Serialize, Serializer};

/// The deepest nesting of a value that still decodes (`serde_json` counts to 128).
const LEVELS: u8 = 127;

const NOT_FINITE: &str = "a float that is not finite is `null` in JSON";
const NULL_IN_SOME: &str = "`Some` of nothing is `null` in JSON, as `None` is";
const TOO_DEEP: &str = "it is nested deeper than 127 levels, and could not be decoded";
/// All messages of its own.
pub(super) const REFUSALS: [&str; 3] = [NOT_FINITE, NULL_IN_SOME, TOO_DEEP];

/// A serializer that rejects values whose JSON would decode as another value.
#[derive(Debug)]
pub struct Strict<S> {
    inner: S,
    at: At,
}

/// Where in a value the serializer is.
#[derive(Clone, Copy, Debug)]
struct At {
    /// Directly inside a `Some`.
    in_some: bool,
    /// How many more levels are allowed.
    levels: u8,
}

impl<S> Strict<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self { inner, at: At { in_some: false, levels: LEVELS } }
    }

    /// Wraps a serializer for the inside of a `Some`.
    pub(super) const fn in_some(inner: S) -> Self {
        Self { inner, at: At { in_some: true, levels: LEVELS } }
    }
}

impl At {
    /// Returns the position of an element of the value here.
    fn inside<E: ser::Error>(self) -> Result<Self, E> {
        let levels = self.levels.checked_sub(1).ok_or_else(|| E::custom(TOO_DEEP))?;
        Ok(Self { in_some: false, levels })
    }

    fn finite<E: ser::Error>(finite: bool) -> Result<(), E> {
        if finite { Ok(()) } else { Err(E::custom(NOT_FINITE)) }
    }

    fn null<E: ser::Error>(self) -> Result<(), E> {
        if self.in_some { Err(E::custom(NULL_IN_SOME)) } else { Ok(()) }
    }
}

/// A value that is serialized strictly.
struct Checked<'v, T: ?Sized>(&'v T, At);

impl<T: Serialize + ?Sized> Serialize for Checked<'_, T> {
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Strict { inner, at: self.1 })
    }
}

/// The elements of a value.
#[derive(Debug)]
pub struct Elements<C> {
    inner: C,
    at: At,
}

macro_rules! as_they_are {
    ($($method:ident($ty:ty)),*) => {
        $(fn $method(self, value: $ty) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        })*
    };
}

impl<S: Serializer> Serializer for Strict<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Elements<S::SerializeSeq>;
    type SerializeTuple = Elements<S::SerializeTuple>;
    type SerializeTupleStruct = Elements<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Elements<S::SerializeTupleVariant>;
    type SerializeMap = Elements<S::SerializeMap>;
    type SerializeStruct = Elements<S::SerializeStruct>;
    type SerializeStructVariant = Elements<S::SerializeStructVariant>;

    as_they_are!(
        serialize_bool(bool),
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_i128(i128),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_u128(u128),
        serialize_char(char),
        serialize_str(&str),
        serialize_bytes(&[u8])
    );

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        At::finite(value.is_finite())?;
        self.inner.serialize_f32(value)
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        At::finite(value.is_finite())?;
        self.inner.serialize_f64(value)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.at.null()?;
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_some(&Checked(value, At { in_some: true, ..self.at }))
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.at.null()?;
        self.inner.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.at.null()?;
        self.inner.serialize_unit_struct(name)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_struct(name, &Checked(value, self.at))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = Checked(value, self.at.inside()?);
        self.inner.serialize_newtype_variant(name, index, variant, &value)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let at = self.at.inside()?;
        Ok(Elements { inner: self.inner.serialize_seq(length)?, at })
    }

    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, S::Error> {
        let at = self.at.inside()?;
        Ok(Elements { inner: self.inner.serialize_tuple(length)?, at })
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let at = self.at.inside()?;
        Ok(Elements { inner: self.inner.serialize_tuple_struct(name, length)?, at })
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        // `{"Variant":[…]}`
        let at = self.at.inside()?.inside()?;
        let inner = self.inner.serialize_tuple_variant(name, index, variant, length)?;
        Ok(Elements { inner, at })
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let at = self.at.inside()?;
        Ok(Elements { inner: self.inner.serialize_map(length)?, at })
    }

    fn serialize_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        let at = self.at.inside()?;
        Ok(Elements { inner: self.inner.serialize_struct(name, length)?, at })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        // `{"Variant":{…}}`
        let at = self.at.inside()?.inside()?;
        let inner = self.inner.serialize_struct_variant(name, index, variant, length)?;
        Ok(Elements { inner, at })
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! elements {
    ($($Trait:ident::$method:ident),*) => {
        $(impl<C: ser::$Trait> ser::$Trait for Elements<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                self.inner.$method(&Checked(value, self.at))
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

elements!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! named_elements {
    ($($Trait:ident),*) => {
        $(impl<C: ser::$Trait> ser::$Trait for Elements<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                self.inner.serialize_field(name, &Checked(value, self.at))
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), C::Error> {
                self.inner.skip_field(name)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

named_elements!(SerializeStruct, SerializeStructVariant);

impl<C: ser::SerializeMap> ser::SerializeMap for Elements<C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.inner.serialize_key(&Checked(key, self.at))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.inner.serialize_value(&Checked(value, self.at))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}
