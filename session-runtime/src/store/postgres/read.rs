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
        secrets: &[SecretHash],
        visit: Visit,
    ) -> Result<Lookup, StoreError> {
        let secrets: Vec<_> = secrets.iter().map(|it| Some(it.as_bytes().as_slice())).collect();
        let args = |touch: bool| {
            let secrets = &secrets;
            move |attempt: Attempt| {
                vec![
                    name(id),
                    Arg::Byteas(secrets.clone()),
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
            2 => Lookup::Ended(answer.ended()?),
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

    pub(super) async fn list(
        &self,
        principal: &Principal,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let principal = text(principal.as_str())?;
        self.page("list", Some(Arg::Text(Some(principal.into()))), from, limit).await
    }

    pub(super) async fn scan(
        &self,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.page("scan", None, from, limit).await
    }

    /// A page in the order of ids.
    async fn page(
        &self,
        function: &'static str,
        of: Option<Arg<'_>>,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let after = from.map(Cursor::id).transpose()?.map(|id| id.to_string());
        let limit = limit.clamp(1, i32::MAX as usize);
        let args = |_| {
            let after = Arg::Text(after.as_deref().map(Cow::Borrowed));
            let page = [after, Arg::Big(Some(limit as i64)), self.now()];
            of.clone().into_iter().chain(page).collect()
        };
        let rows = self.server.call(function, args).await?;
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
