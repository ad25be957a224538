//! Reading sessions: the time and both values of each, from primaries only.

use futures_util::future::try_join_all;
use redis::{Cmd, Pipeline, Value};
use tokio::time::Instant;

use super::ask::{as_it_stands, into_bytes};
use super::failure::Failure;
use super::layout::Key;
use super::offset::Offset;
use super::server::Server;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::form::Head;
use crate::store::engine::Read;

/// How many requests are in flight at once.
pub(super) const ABREAST: usize = 64;
/// How many sessions one command reads.
const TOGETHER: usize = 128;

impl Server {
    /// Reads one session.
    pub(super) async fn look_at(&self, id: SessionId, deadline: Instant) -> Result<Read, Failure> {
        if self.options.split && !self.link.is_cluster() {
            let script = &self.scripts.read;
            return as_it_stands(self.run(script, &[self.session(id)], &[], deadline).await?);
        }
        match self.mget(&[id], true, deadline).await {
            Ok((now, mut values)) => {
                let mut next = || values.next().and_then(into_bytes);
                Ok(Read { value: next(), base: next(), now })
            }
            // Its slot is migrating to another server, so each value may be on either.
            Err(failure) if failure.is_on_its_way() => self.look_for(id, deadline).await,
            Err(failure) => Err(failure),
        }
    }

    /// Reads the values of a session one by one, from whichever server has each.
    async fn look_for(&self, id: SessionId, deadline: Instant) -> Result<Read, Failure> {
        let mut value = self.get(self.session(id), deadline).await?;
        loop {
            let base = self.get(self.base(id), deadline).await?;
            let still = self.get(self.session(id), deadline).await?;
            // A base changes only together with the value.
            if still == value {
                return Ok(Read { value, base, now: self.offset.now() });
            }
            value = still;
        }
    }

    async fn get(&self, key: Key<'_>, deadline: Instant) -> Result<Option<Vec<u8>>, Failure> {
        let mut get = Cmd::with_capacity(2, 64);
        get.arg("GET").arg(key);
        Ok(into_bytes(self.at_holder(key, &get, deadline).await?.value))
    }

    /// Completes what a script in a cluster has read of a session: while its slot is migrating, its
    /// base may be on another server.
    pub(super) async fn with_base(
        &self,
        id: SessionId,
        read: Read,
        deadline: Instant,
    ) -> Result<Read, Failure> {
        let head = read.value.as_deref().map(Head::read).transpose()?;
        let lacks_base = head.is_some_and(|head| head.apart.is_some()) && read.base.is_none();
        if lacks_base && self.link.is_cluster() {
            return self.look_for(id, deadline).await;
        }
        Ok(read)
    }

    /// Reads several sessions, in order; with `with_bases`, separate bases too.
    pub(super) async fn look_at_all(
        &self,
        ids: &[SessionId],
        with_bases: bool,
        deadline: Instant,
    ) -> Result<Vec<Read>, Failure> {
        let mut all = Vec::with_capacity(ids.len());
        if self.is_split() {
            for some in ids.chunks(ABREAST) {
                let reads = some.iter().map(|id| self.look_at(*id, deadline));
                all.extend(try_join_all(reads).await?);
            }
            return Ok(all);
        }
        for some in ids.chunks(TOGETHER) {
            let (now, mut values) = self.mget(some, with_bases, deadline).await?;
            for _ in some {
                let value = values.next().and_then(into_bytes);
                let base = if with_bases { values.next().and_then(into_bytes) } else { None };
                all.push(Read { value, base, now });
            }
        }
        Ok(all)
    }

    async fn mget(
        &self,
        ids: &[SessionId],
        with_bases: bool,
        deadline: Instant,
    ) -> Result<(Timestamp, std::vec::IntoIter<Value>), Failure> {
        let corrupt = || Failure::corrupt("answer");
        let [first, ..] = ids else { return Err(corrupt()) };
        let room = self.options.prefix.len() + SessionId::TEXT + 3;
        let mut get = Cmd::with_capacity(1 + 2 * ids.len(), 8 + 2 * ids.len() * room);
        get.arg("MGET");
        for id in ids {
            get.arg(self.session(*id));
            if with_bases {
                get.arg(self.base(*id));
            }
        }
        let mut time = Cmd::with_capacity(1, 4);
        time.arg("TIME");
        let mut both = Pipeline::with_capacity(2);
        both.add_command(time).add_command(get);
        let asked = self.offset.local();
        let answers = self.several(self.session(*first), &both, deadline).await?;
        let mut answers = answers.into_iter();
        let told = answers.next().as_ref().and_then(Offset::told).ok_or_else(corrupt)?;
        let Some(Value::Array(values)) = answers.next() else { return Err(corrupt()) };
        self.offset.learn(told, asked);
        let now = if self.options.clock.is_frozen() { asked } else { told };
        Ok((now, values.into_iter()))
    }
}
