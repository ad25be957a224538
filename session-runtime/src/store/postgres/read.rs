//! What is read: a session by its secret or its epoch, and several of them.

use std::borrow::Cow;
use std::sync::Arc;

use super::Inner;
use super::arg::{Arg, name, text};
use super::failure::Failure;
use super::row::{Answer, first, millis};
use super::run::Attempt;
use crate::id::SessionId;
use crate::record::{Principal, Record};
use crate::store::contract::{Cursor, Lookup, Page, Touch, Visit};
use crate::store::error::StoreError;
use crate::token::SecretHash;

impl Inner {
    pub(super) async fn load(
        &self,
        id: SessionId,
        secret: &SecretHash,
        visit: Visit,
    ) -> Result<Lookup, StoreError> {
        let args = |touch: bool| {
            move |attempt: Attempt| {
                vec![
                    name(id),
                    Arg::Bytes(Some(secret.as_bytes())),
                    Arg::Big(visit.arrived.map(millis)),
                    Arg::Bool(touch),
                    self.now(),
                    Arg::Int(attempt.wait),
                ]
            }
        };
        let touch = visit.touch == Touch::IfDue;
        let rows = match self.server.call("load", args(touch)).await {
            // That there is no room for its activity is not worth a failed request.
            Err(why) if touch && why.is_full() => self.server.call("load", args(false)).await?,
            rows => rows?,
        };
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
}
