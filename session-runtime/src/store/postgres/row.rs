//! Rows ↔ records.

use std::sync::Arc;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::failure::Failure;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::realm::Realm;
use crate::record::{
    Ended, EndedBy, Fields, Meta, Principal, PrincipalHash, Record, Renewal, RetiredSecret,
    Rotation,
};
use crate::store::packed;
use crate::token::{PatchId, RotationNonce, SecretHash};

/// A name and its value, if there is one.
type Pair = (String, Option<Vec<u8>>);

/// An answer of a function, column by column.
pub(super) struct Answer<'r>(pub(super) &'r PgRow);

impl Answer<'_> {
    pub(super) fn get<'r, T>(&'r self, column: &'static str) -> Result<T, Failure>
    where
        T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        self.0.try_get(column).map_err(|_| Failure::corrupt(column))
    }

    pub(super) fn code(&self) -> Result<i32, Failure> {
        self.get("code")
    }

    pub(super) fn field(&self) -> Result<Option<String>, Failure> {
        self.get("field")
    }

    /// Who ended the session, and when.
    pub(super) fn ended(&self) -> Result<Ended, Failure> {
        let by = match self.get("elsewhere")? {
            true => EndedBy::Elsewhere,
            false => EndedBy::Browser,
        };
        Ok(Ended::new(by, time(self.get("ended_at")?)))
    }

    pub(super) fn record(&self) -> Result<Record, Failure> {
        let id: &str = self.get("id")?;
        let id: SessionId = id.parse().map_err(|_| Failure::corrupt("session id"))?;
        let fields = self.pairs()?;
        let fields: Fields =
            fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Ok(Record::new(id, self.meta()?, fields))
    }

    fn meta(&self) -> Result<Meta, Failure> {
        let number = |column| self.get::<i64>(column);
        let optional = |column| self.get::<Option<i64>>(column);
        let patches: Vec<i64> = self.get("patches")?;
        let retired: Vec<Vec<u8>> = self.get("retired")?;
        let retired_at: Vec<i64> = self.get("retired_at")?;
        if retired.len() != retired_at.len() {
            return Err(Failure::corrupt("list of replaced secrets"));
        }
        let retired = retired.iter().zip(retired_at).map(|(secret, at)| {
            Ok::<_, Failure>(RetiredSecret { secret: hash(secret)?, at: time(at) })
        });
        let versions: Option<&str> = self.get("versions")?;
        let versions = versions.map(|json| {
            packed::versions(json).ok_or_else(|| Failure::corrupt("list of schema versions"))
        });
        let realm = self.get::<Option<&str>>("realm")?.map(Realm::new).transpose();
        let last: Option<Vec<u8>> = self.get("last_principal")?;
        let last = last.map(|it| it.try_into().map_err(|_| Failure::corrupt("last principal")));
        Ok(Meta {
            realm: realm.map_err(|_| Failure::corrupt("realm"))?.unwrap_or_default(),
            last_principal: last.transpose()?.map(|it| Arc::new(PrincipalHash::from_bytes(it))),
            secret: hash(&self.get::<Vec<u8>>("secret")?)?,
            secret_since: time(number("secret_since")?),
            renewal: self.renewal()?,
            epoch: number("epoch")?.cast_unsigned(),
            rev: number("rev")?.cast_unsigned(),
            created: time(number("created")?),
            last_seen: time(number("last_seen")?),
            authenticated: optional("authenticated")?.map(time),
            idle: optional("idle")?.map(i64::cast_unsigned),
            absolute: optional("absolute")?.map(time),
            remember: optional("remember")?.map(i64::cast_unsigned),
            principal: self.get::<Option<&str>>("principal")?.map(Principal::from_stored),
            patches: patches.into_iter().map(|id| PatchId::from_u64(id.cast_unsigned())).collect(),
            retired: retired.collect::<Result<_, _>>()?,
            versions: versions.transpose()?.unwrap_or_default(),
        })
    }

    fn renewal(&self) -> Result<Renewal, Failure> {
        let pending = match (self.get::<Option<Vec<u8>>>("next_secret")?, self.nonce()?) {
            (Some(next), Some(nonce)) => Some(Rotation { nonce, next: hash(&next)? }),
            (None, None) => None,
            _ => return Err(Failure::corrupt("renewal")),
        };
        let previous: (Option<Vec<u8>>, Option<i64>) =
            (self.get("previous_secret")?, self.get("previous_at")?);
        let previous = match previous {
            (Some(secret), Some(at)) => {
                Some(RetiredSecret { secret: hash(&secret)?, at: time(at) })
            }
            (None, None) => None,
            _ => return Err(Failure::corrupt("renewal")),
        };
        Ok(Renewal::new(pending, previous))
    }

    pub(super) fn nonce(&self) -> Result<Option<RotationNonce>, Failure> {
        let nonce: Option<Vec<u8>> = self.get("next_nonce")?;
        let fixed = |bytes: Vec<u8>| bytes.try_into().map_err(|_| Failure::corrupt("renewal"));
        Ok(nonce.map(fixed).transpose()?.map(RotationNonce))
    }

    /// Names and values: of all fields, or of those that were taken.
    pub(super) fn pairs(&self) -> Result<Vec<Pair>, Failure> {
        let names: Option<Vec<String>> = self.get("names")?;
        let texts: Option<Vec<Option<String>>> = self.get("texts")?;
        let raws: Option<Vec<Option<Vec<u8>>>> = self.get("raws")?;
        let (names, texts, raws) =
            (names.unwrap_or_default(), texts.unwrap_or_default(), raws.unwrap_or_default());
        if names.len() != texts.len() || names.len() != raws.len() {
            return Err(Failure::corrupt("list of fields"));
        }
        let value = |text: Option<String>, raw| text.map(String::into_bytes).or(raw);
        let values = texts.into_iter().zip(raws).map(|(text, raw)| value(text, raw));
        Ok(names.into_iter().zip(values).collect())
    }
}

/// A column of the only row.
pub(super) fn first<'r, T>(rows: &'r [PgRow], column: usize) -> Result<T, Failure>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let row = rows.first().ok_or_else(|| Failure::corrupt("answer"))?;
    row.try_get(column).map_err(|_| Failure::corrupt("answer"))
}

fn hash(bytes: &[u8]) -> Result<SecretHash, Failure> {
    let bytes = bytes.try_into().map_err(|_| Failure::corrupt("secret"))?;
    Ok(SecretHash::from_bytes(bytes))
}

/// Milliseconds as PostgreSQL stores them: beyond the year 292 million they
/// are one and the same.
pub(super) fn millis(time: Timestamp) -> i64 {
    saturating(time.as_millis())
}

pub(super) fn saturating(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// The bytes of a field as the text column or the other one: what PostgreSQL
/// takes as text stands there for everybody to read.
pub(super) fn split(value: &[u8]) -> (Option<&str>, Option<&[u8]>) {
    match std::str::from_utf8(value) {
        Ok(text) if !value.contains(&0) => (Some(text), None),
        _ => (None, Some(value)),
    }
}
