//! Rows ↔ records.

use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Row, ToSql};

use super::failure::Failure;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::realm::Realm;
use crate::record::{
    Fields, Meta, Principal, PrincipalHash, Renewal, RetiredSecret, Rotation, Versions,
};
use crate::store::packed;
use crate::token::{RotationNonce, SecretHash};

/// The columns that [`meta`] reads, in its order, of a table named `s`.
macro_rules! meta_columns {
    () => {
        "s.secret, s.epoch, s.rev, s.created, s.last_seen, s.authenticated, s.idle, s.absolute, \
         s.remember, s.principal, s.patches, s.retired, s.secret_since, s.next_secret, \
         s.next_nonce, s.previous_secret, s.previous_at, s.versions, s.realm, \
         s.last_principal"
    };
}
pub(super) use meta_columns;

/// How many they are.
pub(super) const META_COLUMNS: usize = 20;

/// Reads a record's own data from the first columns.
pub(super) fn meta(row: &Row<'_>) -> Result<Meta, Failure> {
    let principal = match row.get_ref(9)? {
        ValueRef::Null => None,
        text => {
            Some(Principal::from_stored(text.as_str().map_err(|_| Failure::corrupt("principal"))?))
        }
    };
    let realm = match row.get_ref(18)? {
        ValueRef::Null => Realm::default(),
        text => {
            let text = text.as_str().map_err(|_| Failure::corrupt("realm"))?;
            Realm::new(text).map_err(|_| Failure::corrupt("realm"))?
        }
    };
    let last: Option<[u8; PrincipalHash::BYTES]> = row.get(19)?;
    Ok(Meta {
        realm,
        last_principal: last.map(|it| Arc::new(PrincipalHash::from_bytes(it))),
        secret: SecretHash::from_bytes(row.get(0)?),
        secret_since: time(row.get(12)?),
        renewal: renewal(row)?,
        epoch: row.get::<_, i64>(1)?.cast_unsigned(),
        rev: row.get::<_, i64>(2)?.cast_unsigned(),
        created: time(row.get(3)?),
        last_seen: time(row.get(4)?),
        authenticated: row.get::<_, Option<i64>>(5)?.map(time),
        idle: row.get::<_, Option<i64>>(6)?.map(i64::cast_unsigned),
        absolute: row.get::<_, Option<i64>>(7)?.map(time),
        remember: row.get::<_, Option<i64>>(8)?.map(i64::cast_unsigned),
        principal,
        patches: packed::patches(blob(row, 10)?).ok_or_else(|| Failure::corrupt("patch log"))?,
        retired: packed::retired(blob(row, 11)?)
            .ok_or_else(|| Failure::corrupt("list of replaced secrets"))?,
        versions: versions(row)?,
    })
}

fn renewal(row: &Row<'_>) -> Result<Renewal, Failure> {
    let pending = match (row.get(13)?, row.get(14)?) {
        (Some(next), Some(nonce)) => {
            Some(Rotation { nonce: RotationNonce(nonce), next: SecretHash::from_bytes(next) })
        }
        (None, None) => None,
        _ => return Err(Failure::corrupt("renewal")),
    };
    let previous = match (row.get(15)?, row.get(16)?) {
        (Some(secret), Some(at)) => {
            Some(RetiredSecret { secret: SecretHash::from_bytes(secret), at: time(at) })
        }
        (None, None) => None,
        _ => return Err(Failure::corrupt("renewal")),
    };
    Ok(Renewal::new(pending, previous))
}

/// Milliseconds as SQLite stores them: beyond the year 292 million they are
/// one and the same.
pub(super) fn millis(time: Timestamp) -> i64 {
    saturating(time.as_millis())
}

pub(super) fn saturating(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}

pub(super) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}

fn versions(row: &Row<'_>) -> Result<Versions, Failure> {
    let corrupt = || Failure::corrupt("list of schema versions");
    match row.get_ref(17)? {
        ValueRef::Null => Ok(Versions::default()),
        text => packed::versions(text.as_str().map_err(|_| corrupt())?).ok_or_else(corrupt),
    }
}

fn blob<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r [u8], Failure> {
    row.get_ref(column)?.as_blob().map_err(|_| Failure::corrupt("record"))
}

/// An id as a parameter.
pub(super) struct Id([u8; SessionId::TEXT]);

impl From<SessionId> for Id {
    fn from(id: SessionId) -> Self {
        let mut text = [0; SessionId::TEXT];
        id.encode(&mut text);
        Self(text)
    }
}

impl ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(&self.0)))
    }
}

/// The JSON of a field as a parameter: readable text, the same bytes.
pub(super) struct Json<'b>(pub(super) &'b [u8]);

impl ToSql for Json<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match std::str::from_utf8(self.0) {
            Ok(_) => ValueRef::Text(self.0),
            Err(_) => ValueRef::Blob(self.0),
        }))
    }
}

/// The bytes of a field.
pub(super) fn json<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r [u8], Failure> {
    row.get_ref(column)?.as_bytes().map_err(|_| Failure::corrupt("field"))
}

/// Collects the fields of a record in one buffer.
#[derive(Default)]
pub(super) struct FieldRows {
    bytes: Vec<u8>,
    /// Where each name and each value ends.
    ends: Vec<(usize, usize)>,
}

impl FieldRows {
    pub(super) fn push(&mut self, name: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(name);
        let name_end = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.ends.push((name_end, self.bytes.len()));
    }

    /// Reads name and value from two columns; NULL is no field.
    pub(super) fn read(&mut self, row: &Row<'_>, column: usize) -> Result<(), Failure> {
        match row.get_ref(column)? {
            ValueRef::Null => Ok(()),
            name => {
                let name = name.as_bytes().map_err(|_| Failure::corrupt("field name"))?;
                self.push(name, json(row, column + 1)?);
                Ok(())
            }
        }
    }

    pub(super) fn finish(&self) -> Result<Fields, Failure> {
        let mut start = 0;
        let mut pairs = Vec::with_capacity(self.ends.len());
        for &(name_end, value_end) in &self.ends {
            let name = std::str::from_utf8(&self.bytes[start..name_end])
                .map_err(|_| Failure::corrupt("field name"))?;
            pairs.push((name, &self.bytes[name_end..value_end]));
            start = value_end;
        }
        Ok(pairs.into_iter().collect())
    }
}
