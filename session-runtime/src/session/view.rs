//! A record as the current schemas see it: migrated, though not yet stored that way, with its
//! secret fields decrypted.

use std::borrow::Cow;

use super::value;
use crate::clock::Timestamp;
use crate::keys::{Home, Keys, is_locked};
use crate::record::Fields;
use crate::record::Record;
use crate::record::patch::{FieldOp, Op};
use crate::schema::{Field, FieldKind, Migration, Schema};

/// The fields of a record under some schemas.
#[derive(Clone, Debug)]
pub(crate) struct View<'r> {
    pub(crate) fields: Cow<'r, Fields>,
    /// The changes of the migration, stored with the next change.
    pub(crate) ops: Vec<FieldOp>,
    /// The schema versions after the migration.
    pub(crate) versions: Vec<(Cow<'static, str>, u32)>,
    /// Secret fields whose stored form does not match the current settings.
    stale: Vec<String>,
}

impl<'r> View<'r> {
    /// Reads the record under `schemas`, with secret fields decrypted. Schemas with a single
    /// version, which most are, cost nothing here.
    pub(crate) fn of(
        record: &'r Record,
        schemas: &[&'static Schema],
        keys: &Keys,
        now: Timestamp,
    ) -> Self {
        let fields = Cow::Borrowed(&record.fields);
        let (ops, versions, stale) = (Vec::new(), Vec::new(), Vec::new());
        let mut view = Self { fields, ops, versions, stale };
        if keys.are_there() && schemas.iter().any(|schema| schema.has_secrets()) {
            let (fields, stale) = opened(record, schemas, keys);
            (view.fields, view.stale) = (Cow::Owned(fields), stale);
        }
        for schema in schemas {
            let from = record.meta.versions.get(schema.namespace);
            // A record newer than the program is read as it is.
            if from < schema.version {
                view.migrate(schema, from, keys, now, record);
            }
        }
        view
    }

    fn migrate(
        &mut self,
        schema: &'static Schema,
        from: u32,
        keys: &Keys,
        now: Timestamp,
        record: &Record,
    ) {
        if let Some(migrate) = schema.migrate {
            // The migration may also read fields that are no longer secret, or had another name.
            let fields = all_opened(record, &self.fields, keys);
            let mut migration = Migration::new(schema, from, &fields, now);
            if let Err(error) = migrate(&mut migration) {
                tracing::warn!(
                    schema = schema.name,
                    session = %record.id,
                    from,
                    to = schema.version,
                    %error,
                    "a session could not be migrated; its fields are read as they are stored, and kept"
                );
                return;
            }
            let ops = migration.into_ops();
            if ops.iter().any(|op| matches!(&op.op, Op::Set(value) if is_locked(value))) {
                tracing::warn!(
                    schema = schema.name,
                    session = %record.id,
                    "a session is not migrated, because a secret field that moves does not open: is a key missing? Its fields are read as they are stored, and kept"
                );
                return;
            }
            // `apply` fails only on additions and takes, and there are none.
            if let Ok((fields, _)) = self.fields.apply(&ops) {
                self.fields = Cow::Owned(fields);
            }
            self.ops.extend(ops);
        }
        self.versions.push((schema.namespace.into(), schema.version));
    }

    /// Whether a secret field is stored in plain text, under an old key, or in a form that does not
    /// decrypt, so that even the same value has to be written.
    pub(crate) fn is_stale(&self, name: &str) -> bool {
        self.stale.iter().any(|stale| stale == name)
    }

    /// Whether the migration changed what is stored under `name`.
    pub(crate) fn changed(&self, name: &str) -> bool {
        self.ops.iter().any(|op| op.name == name)
    }
}

/// Returns what the encrypted values of `record` are bound to.
pub(crate) const fn home(record: &Record) -> Home<'_> {
    Home { realm: &record.meta.realm, session: record.id }
}

/// Returns the fields of a record with those decrypted that are secret in `schemas`, and the names
/// of those not stored as they would be now.
fn opened(record: &Record, schemas: &[&'static Schema], keys: &Keys) -> (Fields, Vec<String>) {
    let (mut ops, mut stale) = (Vec::new(), Vec::new());
    for (name, stored) in record.fields.iter() {
        let Some(field) = secret_of(schemas, name) else { continue };
        let plain = keys.open(value::form(field), home(record), name, stored);
        ops.push(FieldOp::new(name.to_owned(), Op::set(plain.value)));
        if !plain.settled {
            stale.push(name.to_owned());
        }
    }
    // `apply` fails only on additions, and there are none.
    let fields = record.fields.apply(&ops).map_or_else(|_| Fields::new(), |(fields, _)| fields);
    (fields, stale)
}

/// Returns `fields` with everything decrypted that is encrypted in `record`, whatever the current
/// schemas say.
fn all_opened(record: &Record, fields: &Fields, keys: &Keys) -> Fields {
    let mut ops = Vec::new();
    if keys.are_there() {
        for (name, stored) in fields.iter() {
            // The currently secret fields are decrypted already.
            let as_stored = record.fields.get(name) == Some(stored);
            if let (true, Some(plain)) = (as_stored, keys.open_any(home(record), name, stored)) {
                ops.push(FieldOp::new(name.to_owned(), Op::set(plain)));
            }
        }
    }
    fields.apply(&ops).map_or_else(|_| fields.clone(), |(fields, _)| fields)
}

/// Returns the secret field that stores something under `name`.
pub(super) fn secret_of(schemas: &[&'static Schema], name: &str) -> Option<&'static Field> {
    let schemas = schemas.iter().filter(|schema| schema.has_secrets());
    let mut secrets = schemas.flat_map(|schema| schema.fields).filter(|field| field.secret);
    secrets.find(|field| {
        let keyed = field.kind == (FieldKind::Nonce { keyed: true });
        field.names().any(|of| of == name) || (keyed && value::is_keyed(field, name))
    })
}
