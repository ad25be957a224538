//! Rows ↔ records.

use std::sync::Arc;

use sqlx::Row as _;
use sqlx::mysql::MySqlRow;

use super::failure::Failure;
use super::sql::{Bytes, Key, Maybe, Millis, Text, saturating};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::realm::Realm;
use crate::record::{
    Fields, Meta, Principal, PrincipalHash, Record, Renewal, RetiredSecret, Rotation, Versions,
};
use crate::store::packed;
use crate::token::{RotationNonce, SecretHash};

/// The columns that [`meta`] reads, in its order, of a table named `s`. Text
/// comes as the bytes that it is stored as, whatever the connection speaks.
pub(super) const META: &str = "s.id, s.secret, s.epoch, s.rev, s.created, s.last_seen, \
    s.authenticated, s.idle, s.absolute, s.remember, CAST(s.principal AS BINARY), s.patches, \
    s.retired, s.secret_since, s.next_secret, s.next_nonce, s.previous_secret, s.previous_at, \
    CAST(s.versions AS BINARY), CAST(s.realm AS BINARY), s.last_principal";
/// How many they are.
pub(super) const META_COLUMNS: usize = 21;

/// The columns that [`Pairs::read`] reads, of a table named `f`.
pub(super) const FIELD: &str = "CAST(f.name AS BINARY), COALESCE(f.raw, CAST(f.value AS BINARY))";

/// Reads a record's own data from the first columns.
pub(super) fn meta(row: &MySqlRow) -> Result<Meta, Failure> {
    let realm = text(row, 19, "realm")?.map(Realm::new).transpose();
    let last = array(row, 20)?.map(PrincipalHash::from_bytes);
    Ok(Meta {
        realm: realm.map_err(|_| Failure::corrupt("realm"))?.unwrap_or_default(),
        last_principal: last.map(Arc::new),
        secret: SecretHash::from_bytes(array(row, 1)?.ok_or_else(|| Failure::corrupt("secret"))?),
        secret_since: time(number(row, 13)?),
        renewal: renewal(row)?,
        epoch: number(row, 2)?.cast_unsigned(),
        rev: number(row, 3)?.cast_unsigned(),
        created: time(number(row, 4)?),
        last_seen: time(number(row, 5)?),
        authenticated: maybe(row, 6)?.map(time),
        idle: maybe(row, 7)?.map(i64::cast_unsigned),
        absolute: maybe(row, 8)?.map(time),
        remember: maybe(row, 9)?.map(i64::cast_unsigned),
        principal: text(row, 10, "principal")?.map(Principal::from_stored),
        patches: packed::patches(bytes(row, 11)?.unwrap_or_default())
            .ok_or_else(|| Failure::corrupt("patch log"))?,
        retired: packed::retired(bytes(row, 12)?.unwrap_or_default())
            .ok_or_else(|| Failure::corrupt("list of replaced secrets"))?,
        versions: versions(row)?,
    })
}

/// The id in the first column.
pub(super) fn id(row: &MySqlRow) -> Result<SessionId, Failure> {
    let id = text(row, 0, "session id")?.and_then(|id| id.parse().ok());
    id.ok_or_else(|| Failure::corrupt("session id"))
}

fn renewal(row: &MySqlRow) -> Result<Renewal, Failure> {
    let pending = match (array(row, 14)?, array(row, 15)?) {
        (Some(next), Some(nonce)) => {
            Some(Rotation { nonce: RotationNonce(nonce), next: SecretHash::from_bytes(next) })
        }
        (None, None) => None,
        _ => return Err(Failure::corrupt("renewal")),
    };
    let previous = match (array(row, 16)?, maybe(row, 17)?) {
        (Some(secret), Some(at)) => {
            Some(RetiredSecret { secret: SecretHash::from_bytes(secret), at: time(at) })
        }
        (None, None) => None,
        _ => return Err(Failure::corrupt("renewal")),
    };
    Ok(Renewal::new(pending, previous))
}

fn versions(row: &MySqlRow) -> Result<Versions, Failure> {
    let what = "list of schema versions";
    match text(row, 18, what)? {
        None => Ok(Versions::default()),
        Some(json) => packed::versions(json).ok_or_else(|| Failure::corrupt(what)),
    }
}

pub(super) fn number(row: &MySqlRow, column: usize) -> Result<i64, Failure> {
    Ok(row.try_get_unchecked(column)?)
}

fn maybe(row: &MySqlRow, column: usize) -> Result<Option<i64>, Failure> {
    Ok(row.try_get_unchecked(column)?)
}

pub(super) fn bytes(row: &MySqlRow, column: usize) -> Result<Option<&[u8]>, Failure> {
    Ok(row.try_get_unchecked(column)?)
}

fn text<'r>(row: &'r MySqlRow, column: usize, what: &str) -> Result<Option<&'r str>, Failure> {
    let text = bytes(row, column)?.map(std::str::from_utf8).transpose();
    text.map_err(|_| Failure::corrupt(what))
}

pub(super) fn array<const N: usize>(
    row: &MySqlRow,
    column: usize,
) -> Result<Option<[u8; N]>, Failure> {
    let array = bytes(row, column)?.map(<[u8; N]>::try_from).transpose();
    array.map_err(|_| Failure::corrupt("secret"))
}

pub(super) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// Fields as they come in rows.
#[derive(Default)]
pub(super) struct Pairs<'r>(Vec<(&'r str, &'r [u8])>);

impl<'r> Pairs<'r> {
    /// Reads name and value from two columns; NULL is no field.
    pub(super) fn read(&mut self, row: &'r MySqlRow, column: usize) -> Result<(), Failure> {
        if let Some(name) = text(row, column, "field name")? {
            let value = bytes(row, column + 1)?.ok_or_else(|| Failure::corrupt("field"))?;
            self.0.push((name, value));
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Fields {
        self.0.into_iter().collect()
    }
}

/// The fields in rows that start with them.
pub(super) fn fields(rows: &[MySqlRow]) -> Result<Fields, Failure> {
    let mut pairs = Pairs::default();
    rows.iter().try_for_each(|row| pairs.read(row, 0))?;
    Ok(pairs.finish())
}

/// The records of a join: each row has [`META`] and a field, those of one
/// record stand together.
pub(super) fn records(rows: &[MySqlRow]) -> Result<Vec<Record>, Failure> {
    let mut all = Vec::new();
    let mut rows = rows.iter().peekable();
    while let Some(first) = rows.next() {
        let mut pairs = Pairs::default();
        pairs.read(first, META_COLUMNS)?;
        let name = bytes(first, 0)?;
        while let Some(row) = rows.next_if(|row| bytes(row, 0).is_ok_and(|id| id == name)) {
            pairs.read(row, META_COLUMNS)?;
        }
        all.push(Record::new(id(first)?, meta(first)?, pairs.finish()));
    }
    Ok(all)
}

/// The columns of a record's own data, but for its id, each with its value.
pub(super) fn columns(meta: &Meta) -> [(&'static str, String); 22] {
    let (pending, previous) = (meta.renewal.pending(), meta.renewal.previous());
    let principal = meta.principal.as_ref().map(Principal::as_str);
    let versions = packed::versions_json(&meta.versions);
    let realm = Some(meta.realm.as_str()).filter(|_| !meta.realm.is_default());
    let last = meta.last_principal.as_deref();
    let maybe = |millis: Option<u64>| Maybe(millis.map(saturating)).to_string();
    [
        ("secret", Bytes(meta.secret.as_bytes()).to_string()),
        ("epoch", meta.epoch.cast_signed().to_string()),
        ("rev", meta.rev.cast_signed().to_string()),
        ("created", Millis(meta.created).to_string()),
        ("last_seen", Millis(meta.last_seen).to_string()),
        ("authenticated", Maybe(meta.authenticated.map(Millis)).to_string()),
        ("idle", maybe(meta.idle)),
        ("absolute", Maybe(meta.absolute.map(Millis)).to_string()),
        ("expires", Millis(meta.expires_at()).to_string()),
        ("remember", maybe(meta.remember)),
        ("principal", Maybe(principal.map(Text)).to_string()),
        ("principal_key", Maybe(principal.map(Key)).to_string()),
        ("patches", Bytes(packed::patches_bytes(&meta.patches)).to_string()),
        ("retired", Bytes(packed::retired_bytes(&meta.retired)).to_string()),
        ("secret_since", Millis(meta.secret_since).to_string()),
        ("next_secret", Maybe(pending.map(|it| Bytes(it.next.as_bytes()))).to_string()),
        ("next_nonce", Maybe(pending.map(|it| Bytes(&it.nonce.0))).to_string()),
        ("previous_secret", Maybe(previous.map(|it| Bytes(it.secret.as_bytes()))).to_string()),
        ("previous_at", Maybe(previous.map(|it| Millis(it.at))).to_string()),
        ("realm", Maybe(realm.map(Text)).to_string()),
        ("last_principal", Maybe(last.map(|it| Bytes(it.as_bytes()))).to_string()),
        ("versions", Maybe(versions.as_deref().map(Text)).to_string()),
    ]
}
