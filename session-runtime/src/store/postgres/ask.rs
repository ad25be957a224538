//! The operations of the contract as calls, and their answers.

use std::borrow::Cow;
use std::sync::Arc;

use super::Inner;
use super::call::Arg;
use super::failure::{Failure, Unacknowledged};
use super::row::{Answer, millis, saturating, split};
use super::run::Attempt;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::patch::{
    Applied, AtLimit, Conflict, Denied, Expect, Gone, Op, Outcome, Patch, Refused, SignIn, Taken,
};
use crate::record::{MAX_LIFETIME, Principal, Record};
use crate::store::contract::{Created, Cursor, Lookup, Page, Revoke, Swept, Touch, Visit};
use crate::store::error::StoreError;
use crate::store::packed;
use crate::token::SecretHash;

impl Inner {
    /// The time for the server, unless its own clock decides.
    fn now(&self) -> Arg<'static> {
        Arg::Big(self.clock.is_frozen().then(|| millis(self.clock.now())))
    }

    pub(super) async fn load(
        &self,
        id: SessionId,
        secret: &SecretHash,
        visit: Visit,
    ) -> Result<Lookup, StoreError> {
        let args = |attempt: Attempt| {
            vec![
                name(id),
                Arg::Bytes(Some(secret.as_bytes())),
                Arg::Big(visit.arrived.map(millis)),
                Arg::Bool(visit.touch == Touch::IfDue),
                self.now(),
                Arg::Int(attempt.wait),
            ]
        };
        let rows = self.server.call("load", args).await?;
        let answer = Answer(rows.first().ok_or_else(|| Failure::corrupt("answer"))?);
        Ok(match answer.code()? {
            1 => Lookup::Found(Arc::new(answer.record()?)),
            2 => Lookup::Retired,
            3 => Lookup::Replayed,
            _ => Lookup::Absent,
        })
    }

    pub(super) async fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        let args = |_| vec![name(id), Arg::Big(Some(epoch.cast_signed())), self.now()];
        let rows = self.server.call("reload", args).await?;
        Ok(rows.first().map(|row| Answer(row).record().map(Arc::new)).transpose()?)
    }

    pub(super) async fn list(&self, principal: &Principal) -> Result<Vec<Arc<Record>>, StoreError> {
        let principal = text(principal.as_str())?;
        let args = |_| vec![Arg::Text(Some(principal.into())), self.now()];
        let rows = self.server.call("list", args).await?;
        Ok(rows.iter().map(|row| Answer(row).record().map(Arc::new)).collect::<Result<_, _>>()?)
    }

    pub(super) async fn scan(
        &self,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let after = from.map(Cursor::id).transpose()?.map(|id| id.to_string());
        let limit = limit.clamp(1, i32::MAX as usize);
        let args = |_| {
            let after = after.as_deref().map(Cow::Borrowed);
            vec![Arg::Text(after), Arg::Big(Some(limit as i64)), self.now()]
        };
        let rows = self.server.call("scan", args).await?;
        let records = rows.iter().map(|row| Answer(row).record().map(Arc::new));
        let records = records.collect::<Result<Vec<_>, _>>()?;
        let last = records.last().filter(|_| records.len() == limit);
        Ok(Page { next: last.map(|record| Cursor::after(record.id)), records })
    }

    pub(super) async fn count(&self) -> Result<u64, StoreError> {
        let rows = self.server.call("count", |_| vec![self.now()]).await?;
        Ok(first::<i64>(&rows, 0)?.cast_unsigned())
    }

    pub(super) async fn sweep(&self, limit: usize) -> Result<Swept, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let args = |_| vec![Arg::Big(Some(limit)), self.now()];
        let rows = self.server.call("sweep", args).await?;
        let removed: i64 = first(&rows, 0)?;
        Ok(Swept { removed: usize::try_from(removed).unwrap_or(0), more: first(&rows, 1)? })
    }

    pub(super) async fn delete(&self, id: SessionId) -> Result<bool, StoreError> {
        let args = |attempt: Attempt| vec![name(id), self.now(), Arg::Int(attempt.wait)];
        let rows = self.server.call("delete", args).await?;
        Ok(first(&rows, 0)?)
    }

    pub(super) async fn revoke(
        &self,
        principal: &Principal,
        which: Revoke,
    ) -> Result<u64, StoreError> {
        let principal = text(principal.as_str())?;
        let (one, kept) = match which {
            Revoke::One(id) => (Some(id), None),
            Revoke::Others(id) => (None, Some(id)),
            Revoke::All => (None, None),
        };
        let optional = |id: Option<SessionId>| Arg::Text(id.map(|id| id.to_string().into()));
        let args = |attempt: Attempt| {
            vec![
                Arg::Text(Some(principal.into())),
                Arg::Bool(which == Revoke::All),
                optional(one),
                optional(kept),
                self.now(),
                Arg::Int(attempt.wait),
            ]
        };
        let rows = self.server.call("revoke", args).await?;
        Ok(first::<i64>(&rows, 0)?.cast_unsigned())
    }

    pub(super) async fn create(
        &self,
        record: &Record,
        sign_in: SignIn,
    ) -> Result<Created, StoreError> {
        let meta = &record.meta;
        let refused = self.limits.check_new(&record.fields).err();
        let principal = meta.principal.as_ref().map(|it| text(it.as_str())).transpose()?;
        let (mut names, mut texts, mut raws) = (Vec::new(), Vec::new(), Vec::new());
        // What is too large is not even sent.
        for (name, value) in record.fields.iter().filter(|_| refused.is_none()) {
            let (text_, raw) = split(value);
            names.push(Some(text(name)?));
            texts.push(text_);
            raws.push(raw);
        }
        let (pending, previous) = (meta.renewal.pending(), meta.renewal.previous());
        let time = |at: Option<Timestamp>| Arg::Big(at.map(millis));
        let long = |ms: Option<u64>| Arg::Big(ms.map(saturating));
        let args = |attempt: Attempt| {
            let (cap, evict, since) = conditions(sign_in);
            vec![
                name(record.id),
                Arg::Bytes(Some(meta.secret.as_bytes())),
                time(Some(meta.secret_since)),
                Arg::Bytes(pending.map(|it| it.next.as_bytes().as_slice())),
                Arg::Bytes(pending.map(|it| it.nonce.0.as_slice())),
                Arg::Bytes(previous.map(|it| it.secret.as_bytes().as_slice())),
                time(previous.map(|it| it.at)),
                Arg::Big(Some(meta.epoch.cast_signed())),
                Arg::Big(Some(meta.rev.cast_signed())),
                time(Some(meta.created)),
                time(Some(meta.last_seen)),
                time(meta.authenticated),
                long(meta.idle),
                time(meta.absolute),
                long(meta.remember),
                Arg::Text(principal.map(Cow::Borrowed)),
                Arg::Bigs(meta.patches.iter().map(|id| id.as_u64().cast_signed()).collect()),
                Arg::Byteas(
                    meta.retired.iter().map(|it| Some(it.secret.as_bytes().as_slice())).collect(),
                ),
                Arg::Bigs(meta.retired.iter().map(|it| millis(it.at)).collect()),
                Arg::Text(packed::versions_json(&meta.versions).map(Cow::Owned)),
                Arg::Texts(names.clone()),
                Arg::Texts(texts.clone()),
                Arg::Byteas(raws.clone()),
                cap,
                evict,
                since,
                Arg::Bool(refused.is_some()),
                Arg::Bool(attempt.again),
                self.now(),
                Arg::Int(attempt.wait),
            ]
        };
        let rows = self.server.call("create", args).await?;
        Ok(match (first::<i32>(&rows, 0)?, refused) {
            (0, _) => Created::Created,
            (2, Some(refused)) => Created::Refused(refused),
            (7, _) => Created::Denied(Denied::AtLimit),
            (8, _) => Created::Denied(Denied::Revoked),
            _ => Created::Exists,
        })
    }

    pub(super) async fn apply(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
    ) -> Result<Outcome, StoreError> {
        let prepared = Prepared::of(patch)?;
        let args = |attempt: Attempt| {
            let mut args = prepared.args(id, epoch, patch);
            args.push(limit(self.limits.field));
            args.push(limit(self.limits.record));
            args.push(self.now());
            args.push(Arg::Int(attempt.wait));
            args
        };
        match self.server.call("apply", args).await {
            Ok(rows) => {
                let row = rows.first().ok_or_else(|| Failure::corrupt("answer"))?;
                Ok(self.outcome(&Answer(row), patch)?)
            }
            Err(Unacknowledged::NotWritten(failure)) => Err(failure.into()),
            Err(Unacknowledged::Unknown(failure)) => {
                tracing::warn!(%failure, "a patch may or may not have been stored");
                Ok(Outcome::Uncertain)
            }
        }
    }

    fn outcome(&self, answer: &Answer<'_>, patch: &Patch) -> Result<Outcome, Failure> {
        let code = answer.code()?;
        let field = || answer.field().map(Option::unwrap_or_default);
        let too_large = |limit| Ok(Outcome::Refused(Refused::TooLarge { field: field()?, limit }));
        match code {
            0 | 1 => {
                let taken = answer.pairs()?.into_iter();
                let taken = taken.map(|(name, value)| Taken { name: name.into(), value });
                let rotation = answer.nonce()?.filter(|_| patch.meta.rotate.is_some());
                Ok(Outcome::Applied(Applied {
                    rev: answer.get::<i64>("rev")?.cast_unsigned(),
                    epoch: answer.get::<i64>("epoch")?.cast_unsigned(),
                    taken: taken.collect(),
                    repeated: code == 1,
                    rotation,
                }))
            }
            2 => Ok(Outcome::Gone(Gone::Absent)),
            3 => Ok(Outcome::Gone(Gone::Superseded)),
            4 => Ok(Outcome::Conflict(Conflict {
                field: answer.field()?.map(Cow::Owned),
                current: Arc::new(answer.record()?),
            })),
            5 => Ok(Outcome::Refused(Refused::NotAnInteger { field: field()? })),
            6 => too_large(self.limits.field),
            9 => too_large(self.limits.record),
            7 => Ok(Outcome::Denied(Denied::AtLimit)),
            8 => Ok(Outcome::Denied(Denied::Revoked)),
            _ => Err(Failure::corrupt("answer")),
        }
    }
}

/// The lists of a patch, column by column.
struct Prepared<'p> {
    expect: (Vec<i32>, Columns<'p>, Vec<i64>),
    ops: (Vec<i32>, Columns<'p>),
    versions: (Vec<Option<&'p str>>, Vec<i64>),
}

#[derive(Default)]
struct Columns<'p> {
    names: Vec<Option<&'p str>>,
    texts: Vec<Option<Cow<'p, str>>>,
    raws: Vec<Option<&'p [u8]>>,
}

impl<'p> Columns<'p> {
    fn push(&mut self, name: &'p str, value: Option<&'p [u8]>) -> Result<(), Failure> {
        let (text, raw) = value.map_or((None, None), split);
        self.push_text(name, text.map(Cow::Borrowed), raw)
    }

    fn push_text(
        &mut self,
        name: &'p str,
        value: Option<Cow<'p, str>>,
        raw: Option<&'p [u8]>,
    ) -> Result<(), Failure> {
        self.names.push(Some(text(name)?));
        self.texts.push(value);
        self.raws.push(raw);
        Ok(())
    }
}

impl<'p> Prepared<'p> {
    fn of(patch: &'p Patch) -> Result<Self, Failure> {
        let mut expect = (Vec::new(), Columns::default(), Vec::new());
        for it in &patch.expect {
            let (kind, name, value, number): (_, &str, Option<&[u8]>, _) = match it {
                Expect::Rev(rev) => (0, "", None, rev.cast_signed()),
                Expect::Field { name, value } => (1, name, value.as_deref(), 0),
                Expect::Version { namespace, version } => (2, namespace, None, i64::from(*version)),
            };
            expect.0.push(kind);
            expect.1.push(name, value)?;
            expect.2.push(number);
        }
        let mut ops = (Vec::new(), Columns::default());
        for it in &patch.ops {
            let name = &*it.name;
            let kind = match &it.op {
                Op::Set(value) => {
                    ops.1.push(name, Some(value))?;
                    0
                }
                Op::Remove => {
                    ops.1.push(name, None)?;
                    1
                }
                Op::RemoveIf(value) => {
                    ops.1.push(name, Some(value))?;
                    2
                }
                Op::Add(add) => {
                    let sum = format!("{} {} {} {}", add.delta, add.absent, add.min, add.max);
                    ops.1.push_text(name, Some(sum.into()), None)?;
                    3
                }
                Op::Take => {
                    ops.1.push(name, None)?;
                    4
                }
            };
            ops.0.push(kind);
        }
        let mut versions = (Vec::new(), Vec::new());
        for (namespace, version) in &patch.meta.versions {
            versions.0.push(Some(text(namespace)?));
            versions.1.push(i64::from(*version));
        }
        if let Some(Some(principal)) = &patch.meta.principal {
            text(principal.as_str())?;
        }
        Ok(Self { expect, ops, versions })
    }

    fn args(&self, id: SessionId, epoch: u64, patch: &'p Patch) -> Vec<Arg<'p>> {
        let meta = &patch.meta;
        let principal = meta.principal.as_ref().and_then(Option::as_ref);
        let capped = |length: std::time::Duration| {
            saturating(crate::clock::millis(length.min(MAX_LIFETIME)))
        };
        let life = meta.lifetime;
        let remember = life.filter(|it| it.remember).and_then(|it| it.absolute);
        let rotate = meta.rotate.as_deref();
        let (cap, evict, since) = conditions(meta.sign_in);
        vec![
            name(id),
            Arg::Big(Some(epoch.cast_signed())),
            Arg::Big(Some(patch.id.as_u64().cast_signed())),
            Arg::Ints(self.expect.0.clone()),
            Arg::Texts(self.expect.1.names.clone()),
            Arg::Bigs(self.expect.2.clone()),
            Arg::OwnTexts(self.expect.1.texts.clone()),
            Arg::Byteas(self.expect.1.raws.clone()),
            Arg::Ints(self.ops.0.clone()),
            Arg::Texts(self.ops.1.names.clone()),
            Arg::OwnTexts(self.ops.1.texts.clone()),
            Arg::Byteas(self.ops.1.raws.clone()),
            Arg::Bytes(meta.renew.as_ref().map(|it| it.as_bytes().as_slice())),
            Arg::Bool(meta.authenticated),
            Arg::Bool(meta.principal.is_some()),
            Arg::Text(principal.map(|it| it.as_str().into())),
            Arg::Bool(life.is_some()),
            Arg::Big(life.and_then(|it| it.idle).map(capped)),
            Arg::Big(life.and_then(|it| it.absolute).map(capped)),
            Arg::Big(remember.map(|it| saturating(crate::clock::millis(it)))),
            Arg::Bytes(rotate.map(|it| it.from.as_bytes().as_slice())),
            Arg::Bytes(rotate.map(|it| it.rotation.nonce.0.as_slice())),
            Arg::Bytes(rotate.map(|it| it.rotation.next.as_bytes().as_slice())),
            Arg::Texts(self.versions.0.clone()),
            Arg::Bigs(self.versions.1.clone()),
            cap,
            evict,
            since,
        ]
    }
}

fn conditions(sign_in: SignIn) -> (Arg<'static>, Arg<'static>, Arg<'static>) {
    let cap = sign_in.cap.map(|cap| i64::from(cap.max.get()));
    let evict = sign_in.cap.is_some_and(|cap| cap.at_limit == AtLimit::EvictOldest);
    let since = sign_in.not_revoked_since.map(millis);
    (Arg::Big(cap), Arg::Bool(evict), Arg::Big(since))
}

/// `usize::MAX` is no limit.
fn limit(bytes: usize) -> Arg<'static> {
    Arg::Big(i64::try_from(bytes).ok())
}

fn name(id: SessionId) -> Arg<'static> {
    Arg::Text(Some(id.to_string().into()))
}

/// A name, or whatever else PostgreSQL must be able to store as text.
fn text(text: &str) -> Result<&str, Failure> {
    if text.contains('\0') { Err(Failure::nul()) } else { Ok(text) }
}

fn first<'r, T>(rows: &'r [sqlx::postgres::PgRow], column: usize) -> Result<T, Failure>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    use sqlx::Row as _;
    let row = rows.first().ok_or_else(|| Failure::corrupt("answer"))?;
    row.try_get(column).map_err(|_| Failure::corrupt("answer"))
}
