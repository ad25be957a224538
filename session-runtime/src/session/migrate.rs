//! A record as the present schemas see it: migrated, though not yet stored so.

use std::borrow::Cow;

use crate::clock::Timestamp;
use crate::fields::Fields;
use crate::patch::FieldOp;
use crate::record::Record;
use crate::schema::{Migration, Schema};

/// The fields of a record under some schemas.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub(crate) fields: Fields,
    /// What was changed to get there, to be stored with the next change.
    pub(crate) ops: Vec<FieldOp>,
    /// The versions that the record has with these.
    pub(crate) versions: Vec<(Cow<'static, str>, u32)>,
}

impl View {
    /// The record under `schemas`, of which most have one version only and
    /// cost nothing here.
    pub(crate) fn of(record: &Record, schemas: &[&'static Schema], now: Timestamp) -> Self {
        let mut view = Self { fields: record.fields.clone(), ..Self::default() };
        for schema in schemas {
            let from = record.meta.versions.get(schema.namespace);
            // A record newer than the program is read as it is.
            if from < schema.version {
                view.migrate(schema, from, now, record);
            }
        }
        view
    }

    fn migrate(&mut self, schema: &'static Schema, from: u32, now: Timestamp, record: &Record) {
        if let Some(migrate) = schema.migrate {
            let mut migration = Migration::new(schema, from, &self.fields, now);
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
            // Without additions and takes nothing is refused.
            if let Ok((fields, _)) = self.fields.apply(&ops) {
                self.fields = fields;
            }
            self.ops.extend(ops);
        }
        self.versions.push((schema.namespace.into(), schema.version));
    }

    /// Whether the migration changed what is stored under `name`.
    pub(crate) fn changed(&self, name: &str) -> bool {
        self.ops.iter().any(|op| op.name == name)
    }
}
