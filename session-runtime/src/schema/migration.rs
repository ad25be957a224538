//! Migrating what an earlier version of a struct stored.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Schema;
use crate::clock::Timestamp;
use crate::codec::{expiring, to_json};
use crate::record::Fields;
use crate::record::patch::{FieldOp, Op};

/// The function named by `#[session(version = …, migrate = path)]`.
///
/// It is called when a session is extracted whose fields an earlier version wrote. It may be called
/// again for the same session: its changes are stored with the next change of the request, and not
/// before, so that an earlier version of the program still finds what it wrote.
///
/// If it fails, nothing is changed: every field is read as it is stored, under its `on_invalid`
/// policy.
pub type Migrate = fn(&mut Migration<'_>) -> Result<(), MigrateError>;

/// The error of a failed migration. It must not contain values of fields, because it is logged.
pub type MigrateError = Box<dyn Error + Send + Sync>;

/// The stored fields of one schema, being migrated from an earlier version.
///
/// Names are stored names without the namespace.
pub struct Migration<'f> {
    schema: &'static Schema,
    from: u32,
    now: Timestamp,
    stored: &'f Fields,
    changes: BTreeMap<String, Option<Vec<u8>>>,
}

impl<'f> Migration<'f> {
    pub(crate) fn new(
        schema: &'static Schema,
        from: u32,
        stored: &'f Fields,
        now: Timestamp,
    ) -> Self {
        Self { schema, from, now, stored, changes: BTreeMap::new() }
    }

    /// Returns the version that wrote the fields, which is less than [`to`](Self::to).
    #[must_use]
    pub const fn from(&self) -> u32 {
        self.from
    }

    /// Returns the version of the schema.
    #[must_use]
    pub const fn to(&self) -> u32 {
        self.schema.version
    }

    /// Returns the JSON stored under `name`.
    #[must_use]
    pub fn json(&self, name: &str) -> Option<&[u8]> {
        let name = self.full(name);
        let bytes = match self.changes.get(&*name) {
            Some(changed) => changed.as_deref()?,
            None => self.stored.get(&name)?,
        };
        Some(expiring::value_of(bytes))
    }

    /// Returns the value stored under `name`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If it does not decode as a `T`.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, MigrateError> {
        let decode = |json| {
            // serde's text may quote the value.
            serde_json::from_slice(json).map_err(|_| format!("`{name}` is of another type").into())
        };
        self.json(name).map(decode).transpose()
    }

    /// Stores `value` under `name`.
    ///
    /// # Errors
    ///
    /// If it cannot be encoded, or its encoding would decode as another value.
    pub fn set<T: Serialize + ?Sized>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<(), MigrateError> {
        let mut json = to_json(value)?;
        let name = self.full(name).into_owned();
        if let Some(ttl) = self.schema.field(&name).and_then(|field| field.ttl) {
            json = expiring::wrap(&json, self.now.after(ttl));
        }
        self.changes.insert(name, Some(json));
        Ok(())
    }

    /// Removes what is stored under `name`.
    pub fn remove(&mut self, name: &str) {
        let name = self.full(name).into_owned();
        self.changes.insert(name, None);
    }

    /// Moves what is stored under `from` to `to`. If something is stored under `to` already, `from`
    /// is only removed.
    pub fn rename(&mut self, from: &str, to: &str) {
        let (from, to) = (self.full(from).into_owned(), self.full(to).into_owned());
        let value = |name: &str| match self.changes.get(name) {
            Some(changed) => changed.clone(),
            None => self.stored.get(name).map(<[u8]>::to_vec),
        };
        let (moved, there) = (value(&from), value(&to));
        if let (Some(moved), None) = (moved, there) {
            self.changes.insert(to, Some(moved));
        }
        self.changes.insert(from, None);
    }

    fn full<'n>(&self, name: &'n str) -> Cow<'n, str> {
        match self.schema.namespace {
            "" => name.into(),
            namespace => format!("{namespace}:{name}").into(),
        }
    }

    /// Returns the changes that differ from what is stored.
    pub(crate) fn into_ops(self) -> Vec<FieldOp> {
        let stored = self.stored;
        let differing =
            self.changes.into_iter().filter(|(name, value)| stored.get(name) != value.as_deref());
        differing
            .map(|(name, value)| FieldOp::new(name, value.map_or(Op::Remove, Op::set)))
            .collect()
    }
}

impl fmt::Debug for Migration<'_> {
    /// Omits the values: they may be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migration")
            .field("schema", &self.schema.name)
            .field("from", &self.from)
            .field("to", &self.schema.version)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SCHEMA: Schema = Schema::new(&0, "Visitor", "", &[]);

    #[test]
    fn a_migration_stores_nothing_that_is_not_read_back() {
        let fields = Fields::new();
        let mut migration = Migration::new(&SCHEMA, 1, &fields, Timestamp::default());
        assert!(migration.set("weight", &f64::NAN).is_err());
        assert!(migration.set("choice", &Some(None::<u8>)).is_err());
        assert!(migration.set("limit", &None::<f64>).is_ok());
        assert_eq!(migration.into_ops().len(), 1);
    }
}
