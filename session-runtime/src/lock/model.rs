//! The parts of a schema that decide whether stored sessions survive.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value as Json;

use crate::codec::Codec;
use crate::schema::{ConflictPolicy, Field, FieldKind, Key, OnInvalid, Schema, SessionSchema};

/// A schema as it is in the code, with samples of its fields' values.
pub struct Locked {
    pub(super) schema: &'static Schema,
    pub(super) shape: LockedSchema,
}

impl Locked {
    /// Returns the schema `S`, without samples.
    #[must_use]
    pub fn of<S: SessionSchema>() -> Self {
        Self { schema: S::SCHEMA, shape: LockedSchema::of(S::SCHEMA) }
    }

    /// Adds a sample of a field's value. It is written to the lock file, so it must be the same on
    /// every run and contain no real user's data.
    ///
    /// # Panics
    ///
    /// If the value does not encode, or the key belongs to another schema.
    #[must_use]
    #[track_caller]
    pub fn sample<S: SessionSchema, T: Send + Sync + 'static, K>(
        mut self,
        key: Key<S, T, K>,
        value: T,
    ) -> Self {
        assert!(
            std::ptr::eq(S::SCHEMA, self.schema),
            "`{key:?}` is no key of `{}`",
            self.schema.name
        );
        let name = short(self.schema.namespace, key.name());
        let json = json_of(key.codec(), &value);
        match (json, self.shape.fields.get_mut(name)) {
            (Some(json), Some(field)) => field.add_sample(json),
            _ => panic!("the sample of `{name}` does not encode as JSON"),
        }
        self
    }

    /// Returns the field stored under `name`, which has no namespace.
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        let mut fields = self.schema.fields.iter();
        fields.find(|field| short(self.schema.namespace, field.name) == name)
    }
}

impl fmt::Debug for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Locked").field(&self.schema.name).finish()
    }
}

/// A schema as in a lock file. Names have no namespace.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LockedSchema {
    pub(super) namespace: String,
    pub(super) version: u32,
    pub(super) fields: BTreeMap<String, LockedField>,
    /// Removed fields that sessions may still hold: their names must not be used for another type.
    pub(super) removed: BTreeMap<String, LockedField>,
}

/// A field as in a lock file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LockedField {
    pub(super) type_name: String,
    pub(super) aliases: Vec<String>,
    pub(super) kind: String,
    pub(super) conflict: String,
    pub(super) on_invalid: String,
    /// In milliseconds.
    pub(super) ttl: Option<u64>,
    pub(super) principal: bool,
    pub(super) renew: bool,
    pub(super) clear_on_login: bool,
    pub(super) carry_over: bool,
    pub(super) listed: bool,
    pub(super) secret: bool,
    /// Whether `None` is stored by removing the field.
    pub(super) null_is_absent: bool,
    /// The stored form of the default, if it is the same every time.
    pub(super) default: Option<Json>,
    pub(super) samples: Vec<Json>,
}

impl LockedSchema {
    pub(super) fn of(schema: &'static Schema) -> Self {
        let named = |field| {
            let name = short(schema.namespace, Field::names(field).next().unwrap_or_default());
            (name.to_owned(), LockedField::of(schema.namespace, field))
        };
        Self {
            namespace: schema.namespace.to_owned(),
            version: schema.version,
            fields: schema.fields.iter().map(named).collect(),
            removed: BTreeMap::new(),
        }
    }

    /// Whether both agree in everything but defaults and samples.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        self.namespace == other.namespace
            && self.version == other.version
            && self.fields.len() == other.fields.len()
            && self.fields.iter().all(|(name, field)| {
                other.fields.get(name).is_some_and(|other| field.agrees_with(other))
            })
    }

    /// Returns the samples of every field.
    pub(super) fn samples(&self) -> BTreeMap<&str, &[Json]> {
        let fields = self.fields.iter().filter(|(_, field)| !field.samples.is_empty());
        fields.map(|(name, field)| (name.as_str(), field.samples.as_slice())).collect()
    }
}

impl LockedField {
    fn of(namespace: &str, field: &'static Field) -> Self {
        let kind = match field.kind {
            FieldKind::Value => "value",
            FieldKind::Counter { .. } => "counter",
            FieldKind::Flash => "flash",
            FieldKind::Nonce { keyed: false } => "nonce",
            FieldKind::Nonce { keyed: true } => "keyed nonce",
        };
        let conflict = match field.conflict {
            ConflictPolicy::LastWins => "last wins",
            ConflictPolicy::Merge(_) => "merge",
            ConflictPolicy::Compare => "compare",
            ConflictPolicy::WriteOnce => "write once",
        };
        let on_invalid = match field.on_invalid {
            OnInvalid::Default => "default",
            OnInvalid::Error => "error",
            OnInvalid::DropSession => "drop_session",
        };
        let default = || json_of(field.codec(), &*field.default_value());
        // A default that varies, such as the current time, cannot be compared.
        let default = default().filter(|first| {
            !(field.null_is_absent && first.is_null())
                && default().is_some_and(|second| alike(first, &second))
        });
        Self {
            type_name: field.type_name.to_owned(),
            aliases: field.aliases.iter().map(|alias| short(namespace, alias).into()).collect(),
            kind: kind.to_owned(),
            conflict: conflict.to_owned(),
            on_invalid: on_invalid.to_owned(),
            ttl: field.ttl.map(crate::clock::millis),
            principal: field.principal,
            renew: field.renew,
            clear_on_login: field.clear_on_login,
            carry_over: field.carry_over,
            listed: field.listed,
            secret: field.secret,
            null_is_absent: field.null_is_absent,
            default,
            samples: Vec::new(),
        }
    }

    /// Returns a field of type `type_name` without any options.
    pub(super) fn plain(type_name: &str) -> Self {
        Self {
            type_name: type_name.to_owned(),
            aliases: Vec::new(),
            kind: "value".to_owned(),
            conflict: "last wins".to_owned(),
            on_invalid: "default".to_owned(),
            ttl: None,
            principal: false,
            renew: false,
            clear_on_login: false,
            carry_over: false,
            listed: false,
            secret: false,
            null_is_absent: false,
            default: None,
            samples: Vec::new(),
        }
    }

    pub(super) fn add_sample(&mut self, sample: Json) {
        if !self.samples.iter().any(|known| alike(known, &sample)) {
            self.samples.push(sample);
        }
    }

    /// Returns the values whose stored form is known.
    pub(super) fn known_values(&self) -> impl Iterator<Item = &Json> {
        self.samples.iter().chain(&self.default)
    }

    fn agrees_with(&self, other: &Self) -> bool {
        let plain = |field: &Self| Self { default: None, samples: Vec::new(), ..field.clone() };
        plain(self) == plain(other)
    }
}

/// Strips the namespace from a stored name.
pub(super) fn short<'n>(namespace: &str, name: &'n str) -> &'n str {
    if namespace.is_empty() {
        return name;
    }
    name.strip_prefix(namespace).and_then(|rest| rest.strip_prefix(':')).unwrap_or(name)
}

fn json_of(codec: &Codec, value: &(dyn std::any::Any + Send + Sync)) -> Option<Json> {
    serde_json::from_slice(&codec.bytes_of(value).ok()?).ok()
}

/// Whether two values are the same except for the order in lists: a `HashSet` has a new one each
/// time.
pub(super) fn alike(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Array(a), Json::Array(b)) => {
            let mut rest: Vec<&Json> = b.iter().collect();
            a.len() == b.len()
                && a.iter().all(|a| match rest.iter().position(|b| alike(a, b)) {
                    Some(found) => {
                        rest.swap_remove(found);
                        true
                    }
                    None => false,
                })
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| alike(a, b)))
        }
        // The same number, written as an integer or not.
        (Json::Number(x), Json::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        _ => a == b,
    }
}
