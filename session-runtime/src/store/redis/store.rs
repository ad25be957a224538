//! The store itself.

use std::fmt;
use std::sync::Arc;

use super::failure::Failure;
use super::options::RedisOptions;
use super::server::Server;
use super::target::Target;
use super::walk::Position;
use crate::clock::Clock;
use crate::id::SessionId;
use crate::record::patch::{Outcome, Patch, SignIn};
use crate::record::{Principal, Record};
use crate::store::contract::{
    Capabilities, Created, Cursor, EndReason, Lookup, Page, Revoke, Revoked, Swept, Visit,
};
use crate::store::engine::{self, Doubt};
use crate::store::error::StoreError;
use crate::store::{SessionStore, StoreFuture};
use crate::token::SecretHash;

/// A store in Redis or Valkey, version 7.0 or later: one server, Sentinel or Cluster.
///
/// A load, a change and the creation of a session are one round trip each; `docs/redis.md` lists
/// the exceptions, such as a sign-in in a cluster. A session is one value, or two if it is large,
/// readable with `GET`; the server removes it after it has expired.
///
/// Clones share one store and its connections, which are restored after a restart or a failover.
///
/// An acknowledged write is as durable as the server makes it. If a primary is lost just after it
/// has acknowledged a write, the replica that takes over may lack that write, even a logout: see
/// [`wait_replicas`](RedisOptions::wait_replicas).
///
/// ```no_run
/// # async fn open() -> Result<(), session_runtime::store::StoreError> {
/// use std::time::Duration;
/// use session_runtime::store::RedisStore;
///
/// let store = RedisStore::connect("redis://127.0.0.1:6379").await?;
/// // or, with settings:
/// let options = RedisStore::options().prefix("shop:").deadline(Duration::from_secs(1));
/// let store = options.connect("redis+cluster://10.0.0.1:6379,10.0.0.2:6379").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisStore(Arc<Inner>);

pub(super) struct Inner {
    pub(super) server: Server,
    sweeping: tokio::sync::Mutex<Position>,
}

impl RedisStore {
    /// Connects with the default [options](Self::options).
    ///
    /// | URL | what it names |
    /// |---|---|
    /// | `redis://user:password@host:6379/0` | one server |
    /// | `redis+unix:///run/redis.sock` | one server on this machine |
    /// | `redis+cluster://user:password@host1:6379,host2:6379` | a cluster, by some of its nodes |
    /// | `redis+sentinel://user:password@host1:26379,host2:26379/mymaster` | the server that Sentinel calls the master of that name |
    ///
    /// With `rediss` for `redis` the servers are reached over TLS (feature With `rediss` instead of
    /// `redis`, the servers are reached over TLS (feature `redis-tls`). `valkey` and `valkeys` mean
    /// the same as `redis` and `rediss`.
    ///
    /// # Errors
    ///
    /// Same as [`RedisOptions::connect`]; immediately, if nothing answers at that address.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::options().connect(url).await
    }

    /// Returns the settings to [connect](RedisOptions::connect) with.
    pub fn options() -> RedisOptions {
        RedisOptions::new()
    }

    pub(super) fn server(&self) -> &Server {
        &self.0.server
    }

    pub(super) async fn open(target: Target, options: RedisOptions) -> Result<Self, Failure> {
        options.check()?;
        #[cfg(feature = "redis-tls")]
        super::target::provide_crypto();
        let mut server = Server::open(target.clone(), options).await?;
        if server.options.wait_replicas > 0 {
            server.open_waiting(target).await?;
        }
        server.look_around().await?;
        Ok(Self(Arc::new(Inner { server, sweeping: tokio::sync::Mutex::default() })))
    }
}

impl SessionStore for RedisStore {
    fn clock(&self) -> &Clock {
        &self.0.server.options.clock
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::FULL.with_limits(self.0.server.options.limits)
    }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secrets: &'a [SecretHash],
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        let server = &self.0.server;
        StoreFuture::new(async move {
            Ok(engine::load(server, id, secrets, visit, server.deadline()).await?)
        })
    }

    fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> StoreFuture<'_, Result<Option<Arc<Record>>, StoreError>> {
        let server = &self.0.server;
        StoreFuture::new(
            async move { Ok(engine::reload(server, id, epoch, server.deadline()).await?) },
        )
    }

    fn create(
        &self,
        record: Arc<Record>,
        sign_in: SignIn,
    ) -> StoreFuture<'_, Result<Created, StoreError>> {
        let server = &self.0.server;
        StoreFuture::new(async move {
            Ok(engine::create(server, &record, sign_in, server.deadline()).await?)
        })
    }

    fn apply<'a>(
        &'a self,
        id: SessionId,
        epoch: u64,
        patch: &'a Patch,
        read: Option<&'a Arc<Record>>,
    ) -> StoreFuture<'a, Result<Outcome, StoreError>> {
        let server = &self.0.server;
        StoreFuture::new(async move {
            match engine::apply(server, id, epoch, patch, read, server.deadline()).await {
                Ok(outcome) => Ok(outcome),
                Err(failure) if failure.doubt == Doubt::MaybeDone => {
                    tracing::warn!(%failure, "a patch may or may not have been stored");
                    Ok(Outcome::Uncertain)
                }
                Err(failure) => Err(failure.into()),
            }
        })
    }

    fn delete(
        &self,
        id: SessionId,
        because: EndReason,
    ) -> StoreFuture<'_, Result<bool, StoreError>> {
        let server = &self.0.server;
        StoreFuture::new(async move {
            Ok(engine::delete(server, id, because, server.deadline()).await?)
        })
    }

    fn list<'a>(
        &'a self,
        principal: &'a Principal,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        StoreFuture::new(async move { Ok(self.0.server.list(principal, from, limit).await?) })
    }

    fn revoke<'a>(
        &'a self,
        principal: &'a Principal,
        which: Revoke,
        because: EndReason,
        from: Option<&'a Cursor>,
    ) -> StoreFuture<'a, Result<Revoked, StoreError>> {
        StoreFuture::new(
            async move { Ok(self.0.server.revoke(principal, which, because, from).await?) },
        )
    }

    fn count(&self) -> StoreFuture<'_, Result<u64, StoreError>> {
        StoreFuture::new(async move { Ok(self.0.server.count().await?) })
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, Result<Swept, StoreError>> {
        StoreFuture::new(async move {
            let mut position = self.0.sweeping.lock().await;
            Ok(self.0.server.sweep(&mut position, limit).await?)
        })
    }

    fn scan<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Result<Page, StoreError>> {
        StoreFuture::new(async move { Ok(self.0.server.scan(from, limit).await?) })
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("options", &self.0.server.options)
            .finish_non_exhaustive()
    }
}
