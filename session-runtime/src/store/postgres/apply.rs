//! Patches.

use std::borrow::Cow;
use std::sync::Arc;

use super::Inner;
use super::arg::{Arg, conditions, limit, name, text};
use super::failure::{Failure, Unacknowledged};
use super::row::{Answer, saturating, split};
use super::run::Attempt;
use crate::id::SessionId;
use crate::patch::{Applied, Conflict, Denied, Expect, Gone, Op, Outcome, Patch, Refused, Taken};
use crate::record::MAX_LIFETIME;
use crate::store::error::StoreError;

impl Inner {
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
            10 => Ok(Outcome::Uncertain),
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
            Arg::Big(patch.again.map(u64::cast_signed)),
        ]
    }
}
