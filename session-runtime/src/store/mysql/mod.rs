//! Sessions in MySQL 8 or MariaDB.
//!
//! - [`layout`], [`connect`]: the tables, the server, what is checked before
//! - [`sql`], [`row`]: values → statements, rows → records
//! - [`line`], [`work`]: a connection during a call; deadline and tries
//! - [`read`]: what needs no lock
//! - [`apply`], [`create`], [`confirm`], [`end`]: transactions; [`sign_in`] is
//!   what several of them share, [`write`] what they write
//! - [`sweep`]: removing what is due
//! - [`options`], [`failure`]: settings and errors
//!
//! A transaction locks the row of the session, reads the clock after that,
//! decides with [`Record::apply`] here, writes and commits. What it asks first
//! and what it writes last are one packet each.

mod apply;
mod confirm;
mod connect;
mod create;
mod end;
mod failure;
mod layout;
mod line;
mod options;
mod read;
mod row;
mod sign_in;
mod sql;
mod sweep;
mod work;
mod write;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::MySqlPool;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use self::failure::Failure;
use self::layout::Tables;
pub use self::options::MySqlOptions;
use self::read::{Load, Loaded};
use self::sql::Now;
use super::contract::{
    Capabilities, Created, Cursor, EndedBy, Lookup, Page, Revoke, Revoked, SessionStore,
    StoreFuture, Swept, Visit,
};
use super::error::StoreError;
use super::limits::Limits;
use crate::clock::{Clock, Timestamp};
use crate::id::SessionId;
use crate::patch::{Outcome, Patch, SignIn};
use crate::record::{Principal, Record};
use crate::token::SecretHash;

/// Sessions in MySQL 8 or MariaDB (from 10.6 on).
///
/// For those who have one already: any number of nodes share the sessions.
/// The server's clock decides expiry. Layout, transactions and settings are
/// described in `docs/mysql.md`.
///
/// Clones share one store. Its sweeper ends with the last clone.
///
/// ```no_run
/// # async fn open() -> Result<(), session_runtime::store::StoreError> {
/// use session_runtime::store::MySqlStore;
///
/// let store = MySqlStore::connect("mysql://app:secret@localhost/app").await?;
/// // or, with settings:
/// let options = MySqlStore::options().table_prefix("shop_").connections(20);
/// let store = options.connect("mariadb://app:secret@localhost/app").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MySqlStore(Arc<Running>);

/// What every call works with.
struct Inner {
    pool: MySqlPool,
    tables: Tables,
    clock: Clock,
    limits: Limits,
    deadline: Duration,
    /// The largest packet that the server takes.
    packet: usize,
}

struct Running {
    inner: Arc<Inner>,
    sweeper: Option<AbortHandle>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(sweeper) = &self.sweeper {
            sweeper.abort();
        }
    }
}

impl MySqlStore {
    /// Connects with the default [options](Self::options).
    ///
    /// # Errors
    ///
    /// As [`MySqlOptions::connect`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::options().connect(url).await
    }

    /// Settings to [connect](MySqlOptions::connect) with.
    pub fn options() -> MySqlOptions {
        MySqlOptions::new()
    }

    fn new(inner: Inner, sweep_interval: Option<Duration>) -> Self {
        let inner = Arc::new(inner);
        let sweeper = sweep_interval.map(|interval| {
            tokio::spawn(sweep::run(Arc::downgrade(&inner), interval)).abort_handle()
        });
        Self(Arc::new(Running { inner, sweeper }))
    }

    fn inner(&self) -> &Inner {
        &self.0.inner
    }
}

impl Inner {
    async fn load(
        &self,
        id: SessionId,
        secrets: &[SecretHash],
        visit: Visit,
    ) -> Result<Lookup, Failure> {
        let load = || Load { tables: &self.tables, now: Now::of(&self.clock), id, secrets, visit };
        let deadline = Instant::now() + self.deadline;
        match self.perform_by(deadline, &mut load()).await? {
            Loaded::Answer(answer) => Ok(answer),
            Loaded::Due(record, now) => Ok(Lookup::Found(Arc::from(self.touch(record, now).await))),
            Loaded::Pending => self.perform_by(deadline, &mut confirm::Confirm(load())).await,
        }
    }

    /// Writes the activity of a record that was just loaded. That it could not
    /// be written is not worth a failed request, nor a long wait.
    async fn touch(&self, mut record: Box<Record>, now: Timestamp) -> Box<Record> {
        let (tables, id) = (&self.tables, record.id);
        let mut touching = read::Touching { tables, id, meta: &record.meta, at: now };
        match self.perform_by(Instant::now() + self.deadline / 4, &mut touching).await {
            Ok(()) => record.meta.last_seen = now,
            Err(failure) => {
                tracing::warn!(%failure, %id, "the last activity of a session was not stored");
            }
        }
        record
    }

    async fn apply(&self, id: SessionId, epoch: u64, patch: &Patch) -> Result<Outcome, Failure> {
        let (tables, limits) = (&self.tables, &self.limits);
        let now = Now::of(&self.clock);
        let mut apply = apply::Apply { tables, now, limits, id, epoch, patch, doubt: None };
        match self.perform(&mut apply).await {
            Err(failure) if apply.doubt.is_some() => {
                tracing::warn!(%failure, %id, "a patch may or may not have been stored");
                Ok(Outcome::Uncertain)
            }
            answer => answer,
        }
    }

    async fn revoke(
        &self,
        principal: &Principal,
        which: Revoke,
        after: Option<SessionId>,
    ) -> Result<Revoked, Failure> {
        let (tables, now) = (&self.tables, Now::of(&self.clock));
        match which {
            Revoke::One(id) => {
                let only_of = Some(principal);
                let by = EndedBy::Elsewhere;
                let mut end = end::End { tables, now, id, by, only_of, doubt: None };
                Ok(Revoked::done(u64::from(self.perform(&mut end).await?)))
            }
            Revoke::Others(_) | Revoke::All => {
                let mut end = end::EndAll {
                    tables,
                    now,
                    principal,
                    which,
                    after,
                    doubt: end::Doubt::default(),
                };
                self.perform(&mut end).await
            }
        }
    }
}

impl SessionStore for MySqlStore {
    fn clock(&self) -> &Clock {
        &self.inner().clock
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::FULL.with_limits(self.inner().limits)
    }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secrets: &'a [SecretHash],
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        StoreFuture::new(async move { Ok(self.inner().load(id, secrets, visit).await?) })
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>> {
        StoreFuture::new(async move {
            let Inner { tables, clock, .. } = self.inner();
            let mut reload = read::Reload { tables, now: Now::of(clock), id, epoch };
            Ok(self.inner().perform(&mut reload).await?)
        })
    }

    fn create(
        &self,
        record: Record,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        StoreFuture::new(async move {
            let Inner { tables, clock, limits, .. } = self.inner();
            let (now, record) = (Now::of(clock), &record);
            let mut create = create::Create { tables, now, limits, record, sign_in, doubt: false };
            Ok(self.inner().perform(&mut create).await?)
        })
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        _: Option<&'a Arc<Record>>,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        StoreFuture::new(async move { Ok(self.inner().apply(id, epoch, patch).await?) })
    }

    fn delete(&self, id: SessionId, by: EndedBy) -> StoreFuture<'_, Result<bool, StoreError>> {
        StoreFuture::new(async move {
            let Inner { tables, clock, .. } = self.inner();
            let now = Now::of(clock);
            let mut end = end::End { tables, now, id, by, only_of: None, doubt: None };
            Ok(self.inner().perform(&mut end).await?)
        })
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        let after = from.map(Cursor::id).transpose();
        StoreFuture::new(async move {
            let (Inner { tables, clock, .. }, after) = (self.inner(), after?);
            let mut list = read::List { tables, now: Now::of(clock), principal, after, limit };
            Ok(self.inner().perform(&mut list).await?)
        })
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
        from: Option<&'a Cursor>,
    ) -> StoreFuture<'a, Result<Revoked, StoreError>> {
        let after = from.map(Cursor::id).transpose();
        StoreFuture::new(async move { Ok(self.inner().revoke(principal, which, after?).await?) })
    }

    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>> {
        StoreFuture::new(async move {
            let Inner { tables, clock, .. } = self.inner();
            let mut count = read::Count { tables, now: Now::of(clock) };
            Ok(self.inner().perform(&mut count).await?)
        })
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>> {
        StoreFuture::new(async move {
            let Inner { tables, clock, .. } = self.inner();
            let mut sweep = sweep::Sweep { tables, now: Now::of(clock), limit };
            Ok(self.inner().perform(&mut sweep).await?)
        })
    }

    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        let after = from.map(Cursor::id).transpose();
        StoreFuture::new(async move {
            let Inner { tables, clock, .. } = self.inner();
            let mut scan = read::Scan { tables, now: Now::of(clock), after: after?, limit };
            Ok(self.inner().perform(&mut scan).await?)
        })
    }
}

impl fmt::Debug for MySqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { tables, clock, .. } = self.inner();
        f.debug_struct("MySqlStore")
            .field("tables", &tables.session)
            .field("clock", clock)
            .finish_non_exhaustive()
    }
}
