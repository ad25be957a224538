//! What a transaction writes at its end, as statements.

use super::layout::Tables;
use super::row;
use super::sql::{Batch, Bytes, Id, Key, List, Maybe, Millis, Text};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::{EndedBy, Meta, Record, TOMBSTONE};
use crate::token::SecretHash;

/// A new row, without its fields.
pub(super) fn insert(batch: &mut Batch, tables: &Tables, record: &Record) -> usize {
    let columns = row::columns(&record.meta);
    batch.push(format_args!(
        "INSERT INTO {} (id, {}) VALUES ({}, {})",
        tables.session,
        List(columns.iter().map(|(name, _)| name)),
        Id(record.id),
        List(columns.iter().map(|(_, value)| value))
    ))
}

/// All of a record's own data.
pub(super) fn update(batch: &mut Batch, tables: &Tables, id: SessionId, meta: &Meta) {
    let columns = row::columns(meta).map(|(name, value)| format!("{name} = {value}"));
    let session = &tables.session;
    batch.push(format_args!("UPDATE {session} SET {} WHERE id = {}", List(columns.iter()), Id(id)));
}

/// Fields that are not stored yet.
pub(super) fn add_fields(
    batch: &mut Batch,
    tables: &Tables,
    id: SessionId,
    fields: &[(&str, &[u8])],
) {
    if fields.is_empty() {
        return;
    }
    let rows = fields.iter().map(|(name, json)| {
        let (value, raw) = value(json);
        format!("({}, {}, {}, {value}, {raw})", Id(id), Key(name), Text(name))
    });
    let rows: Vec<_> = rows.collect();
    batch.push(format_args!(
        "INSERT INTO {} (session_id, name_key, name, value, raw) VALUES {}",
        tables.field,
        List(rows.iter())
    ));
}

/// A field that is stored.
pub(super) fn set_field(
    batch: &mut Batch,
    tables: &Tables,
    id: SessionId,
    name: &str,
    json: &[u8],
) {
    let (value, raw) = value(json);
    batch.push(format_args!(
        "UPDATE {} SET value = {value}, raw = {raw} WHERE session_id = {} AND name_key = {}",
        tables.field,
        Id(id),
        Key(name)
    ));
}

pub(super) fn remove_fields(batch: &mut Batch, tables: &Tables, id: SessionId, names: &[&str]) {
    if !names.is_empty() {
        batch.push(format_args!(
            "DELETE FROM {} WHERE session_id = {} AND name_key IN ({})",
            tables.field,
            Id(id),
            List(names.iter().map(|name| Key(name)))
        ));
    }
}

/// Text as text, so that it can be read; other bytes as they are.
fn value(json: &[u8]) -> (Maybe<Text<'_>>, Maybe<Bytes<&[u8]>>) {
    match std::str::from_utf8(json) {
        Ok(text) => (Maybe(Some(Text(text))), Maybe(None)),
        Err(_) => (Maybe(None), Maybe(Some(Bytes(json)))),
    }
}

/// Ends records whose rows are locked, and remembers what opened them.
pub(super) fn destroy(
    batch: &mut Batch,
    tables: &Tables,
    ended: &[(SessionId, Meta)],
    by: EndedBy,
    now: Timestamp,
) {
    let (until, at) = (Millis(now.after(TOMBSTONE)), Millis(now));
    let by = u8::from(by == EndedBy::Elsewhere);
    let tomb = |id: &SessionId, meta: &Meta| {
        let row = |secret: SecretHash| {
            let (id, secret) = (Id(*id), Bytes(secret.as_bytes()).to_string());
            format!("({id}, {secret}, {until}, {by}, {at})")
        };
        meta.secrets(now).map(row).collect::<Vec<_>>()
    };
    let tombs: Vec<_> = ended.iter().flat_map(|(id, meta)| tomb(id, meta)).collect();
    if tombs.is_empty() {
        return;
    }
    batch.push(format_args!(
        "INSERT INTO {} (id, secret, kept_until, elsewhere, ended_at) VALUES {} \
         ON DUPLICATE KEY UPDATE kept_until = {until}, elsewhere = {by}, ended_at = {at}",
        tables.tombstone,
        List(tombs.iter())
    ));
    remove(batch, tables, &ended.iter().map(|(id, _)| Id(*id).to_string()).collect::<Vec<_>>());
}

/// Removes rows and their fields. The ids are literals.
pub(super) fn remove(batch: &mut Batch, tables: &Tables, ids: &[String]) {
    if !ids.is_empty() {
        let (session, field) = (&tables.session, &tables.field);
        batch.push(format_args!("DELETE FROM {session} WHERE id IN ({})", List(ids.iter())));
        batch.push(format_args!("DELETE FROM {field} WHERE session_id IN ({})", List(ids.iter())));
    }
}
