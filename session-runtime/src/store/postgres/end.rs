//! Ending sessions: one, those of a principal, those that are due.

use super::Inner;
use super::arg::{Arg, name, text};
use super::row::first;
use super::run::Attempt;
use crate::id::SessionId;
use crate::record::Principal;
use crate::store::contract::{Cursor, EndedBy, Revoke, Revoked, Swept};
use crate::store::error::StoreError;

/// How many sessions one step of a revocation ends.
const REVOKE_STEP: i64 = 500;

impl Inner {
    pub(super) async fn delete(&self, id: SessionId, by: EndedBy) -> Result<bool, StoreError> {
        let elsewhere = Arg::Bool(by == EndedBy::Elsewhere);
        let args = |attempt: Attempt| {
            vec![name(id), elsewhere.clone(), self.now(), Arg::Int(attempt.wait)]
        };
        let rows = self.server.call("delete", args).await?;
        Ok(first(&rows, 0)?)
    }

    pub(super) async fn revoke(
        &self,
        principal: &Principal,
        which: Revoke,
        from: Option<&Cursor>,
    ) -> Result<Revoked, StoreError> {
        let after = from.map(Cursor::id).transpose()?;
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
                Arg::Bool(which == Revoke::All && after.is_none()),
                optional(one),
                optional(kept),
                optional(after),
                Arg::Big(Some(REVOKE_STEP)),
                self.now(),
                Arg::Int(attempt.wait),
            ]
        };
        let rows = self.server.call("revoke", args).await?;
        let next = first::<Option<&str>>(&rows, 1)?.map(Cursor::new);
        Ok(Revoked::done(first::<i64>(&rows, 0)?.cast_unsigned()).and_then(next))
    }

    pub(super) async fn sweep(&self, limit: usize) -> Result<Swept, StoreError> {
        Ok(self.sweep_step(limit).await?.0)
    }

    /// And whether it got on: what is due and stays so is held by somebody.
    pub(super) async fn sweep_step(&self, limit: usize) -> Result<(Swept, bool), StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let args = |_| vec![Arg::Big(Some(limit)), self.now()];
        let rows = self.server.call("sweep", args).await?;
        let removed: i64 = first(&rows, 0)?;
        let swept =
            Swept { removed: usize::try_from(removed).unwrap_or(0), more: first(&rows, 1)? };
        Ok((swept, removed > 0 || first(&rows, 2)?))
    }
}
