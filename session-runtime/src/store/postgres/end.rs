//! Ending sessions: one, those of a principal, those that are due.

use super::Inner;
use super::arg::{Arg, name, text};
use super::row::first;
use super::run::Attempt;
use crate::id::SessionId;
use crate::record::Principal;
use crate::store::contract::{Revoke, Swept};
use crate::store::error::StoreError;

impl Inner {
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
