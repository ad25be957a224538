//! The store itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::Dialect;
use super::list::{Count, List, Scan};
use super::place::Place;
use super::server::Server;
use super::sweep::{self, Sweep};
use super::{apply, create, end, load};
use crate::clock::Clock;
use crate::id::SessionId;
use crate::record::patch::{Outcome, Patch, SignIn};
use crate::record::{Principal, Record};
use crate::store::contract::{
    Capabilities, Created, Cursor, EndReason, Lookup, Page, Revoke, Revoked, Swept, Visit,
};
use crate::store::error::StoreError;
use crate::store::{SessionStore, StoreFuture};
use crate::token::SecretHash;

/// A store on a SQL server.
pub(in crate::store) struct Store<D>(Arc<Running<D>>);

struct Running<D> {
    server: Arc<Server<D>>,
    sweeper: Option<AbortHandle>,
}

impl<D> Drop for Running<D> {
    fn drop(&mut self) {
        if let Some(sweeper) = &self.sweeper {
            sweeper.abort();
        }
    }
}

impl<D> Clone for Store<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Dialect> Store<D> {
    pub(super) fn new(server: Server<D>, sweep_interval: Option<Duration>) -> Self {
        let server = Arc::new(server);
        let sweeper = sweep_interval
            .map(|every| tokio::spawn(sweep::run(Arc::clone(&server), every)).abort_handle());
        Self(Arc::new(Running { server, sweeper }))
    }

    pub(in crate::store) fn server(&self) -> &Server<D> {
        &self.0.server
    }
}

impl<D: Dialect> SessionStore for Store<D> {
    fn clock(&self) -> &Clock {
        &self.server().clock
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::FULL.with_limits(self.server().limits)
    }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secrets: &'a [SecretHash],
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        StoreFuture::new(async move { Ok(load::load(self.server(), id, secrets, visit).await?) })
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>> {
        StoreFuture::new(async move { Ok(load::reload(self.server(), id, epoch).await?) })
    }

    fn create(
        &self,
        record: Arc<Record>,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        StoreFuture::new(async move { Ok(create::create(self.server(), &record, sign_in).await?) })
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        read: Option<&'a Arc<Record>>,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        StoreFuture::new(
            async move { Ok(apply::apply(self.server(), id, epoch, patch, read).await?) },
        )
    }

    fn delete(
        &self,
        id: SessionId,
        because: EndReason,
    ) -> StoreFuture<'_, Result<bool, StoreError>> {
        StoreFuture::new(async move { Ok(end::delete(self.server(), id, because).await?) })
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        StoreFuture::new(async move {
            let after = from.map(Place::of_cursor).transpose()?;
            Ok(self.server().perform(&mut List { principal, after, limit }).await?)
        })
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
        because: EndReason,
        from: Option<&'a Cursor>,
    ) -> StoreFuture<'a, Result<Revoked, StoreError>> {
        StoreFuture::new(async move {
            Ok(end::revoke(self.server(), principal, which, because, from).await?)
        })
    }

    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>> {
        StoreFuture::new(async move { Ok(self.server().perform(&mut Count).await?) })
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>> {
        StoreFuture::new(async move { Ok(self.server().perform(&mut Sweep { limit }).await?) })
    }

    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        StoreFuture::new(async move {
            let after = from.map(Cursor::id).transpose()?;
            Ok(self.server().perform(&mut Scan { after, limit }).await?)
        })
    }
}

impl<D: Dialect> fmt::Debug for Store<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(D::NAME).field("clock", &self.server().clock).finish_non_exhaustive()
    }
}
