//! Tries a migration on the recorded values.

use serde_json::Value as Json;

use super::model::{Locked, LockedField, LockedSchema};
use crate::clock::Timestamp;
use crate::codec::expiring;
use crate::record::Fields;
use crate::schema::{Field, Migration};

/// The result of a migration of the recorded values.
pub(super) enum Migrated {
    /// There is no migration from the version in the lock.
    No,
    /// The migration fails on some of them.
    Refuses(String),
    /// The records before and after: one for each sample, and the defaults.
    Done(Vec<(Fields, Fields)>),
}

/// What a migration does for one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brought {
    /// There is no migration.
    No,
    /// The lock has no value to try it on.
    Untried,
    /// Every recorded value was migrated.
    All,
    /// Some recorded values were not migrated.
    NotAll,
}

impl Migrated {
    pub(super) fn of(old: &LockedSchema, now: &Locked) -> Self {
        let Some(migrate) = now.schema.migrate else { return Self::No };
        if old.version >= now.schema.version {
            return Self::No;
        }
        let most = old.fields.values().map(|field| field.known_values().count()).max();
        let mut records = Vec::new();
        for row in 0..most.unwrap_or(0).max(1) {
            let stored = record(old, row);
            let mut migration =
                Migration::new(now.schema, old.version, &stored, Timestamp::from_millis(0));
            if let Err(error) = migrate(&mut migration) {
                return Self::Refuses(error.to_string());
            }
            let Ok((after, _)) = stored.apply(&migration.into_ops()) else { continue };
            records.push((stored, after));
        }
        Self::Done(records)
    }

    /// Whether the value stored as `from` decodes as `field` after the migration.
    pub(super) fn brings(&self, namespace: &str, from: &str, field: &'static Field) -> Brought {
        let Self::Done(records) = self else { return Brought::No };
        let from = full(namespace, from);
        let mut held = records.iter().filter(|(before, _)| before.get(&from).is_some()).peekable();
        if held.peek().is_none() {
            return Brought::Untried;
        }
        let read = |after: &Fields| {
            let stored = field.names().find_map(|name| after.get(name));
            stored.is_some_and(|bytes| {
                let json = if field.ttl.is_some() { expiring::value_of(bytes) } else { bytes };
                (field.codec().decode)(json).is_ok()
            })
        };
        if held.all(|(_, after)| read(after)) { Brought::All } else { Brought::NotAll }
    }
}

fn record(old: &LockedSchema, row: usize) -> Fields {
    let value = |field: &LockedField| {
        let json: &Json = field.known_values().nth(row).or_else(|| field.known_values().next())?;
        let bytes = json.to_string().into_bytes();
        let until = Timestamp::from_millis(u64::MAX);
        Some(if field.ttl.is_some() { expiring::wrap(&bytes, until) } else { bytes })
    };
    let fields = old.fields.iter();
    fields.filter_map(|(name, field)| Some((full(&old.namespace, name), value(field)?))).collect()
}

fn full(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}:{name}") }
}
