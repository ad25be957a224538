//! The change feed of the servers: client-side caching with broadcasts.
//!
//! It uses one dedicated connection per primary. A feed is alive once tracking is on everywhere,
//! and from then on for [`silence`](super::RedisOptions::silence) after a question that every
//! primary has answered: all notifications sent before an answer arrive before it. Any error, and
//! any change of the primaries, ends the feed, empties the cache, and starts again.
//!
//! It uses broadcasts rather than tracking of keys per connection: the server keeps no table that
//! grows with what is read, and any connection may read. The price is one small message per changed
//! session and process.

use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::{sleep, timeout};

use super::failure::Failure;
use super::line::{Ear, Line};
use super::nodes::Primary;
use super::server::Server;
use super::store::RedisStore;
use crate::store::{ChangeFeed, ChangeSink, StoreFuture};

const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl ChangeFeed for RedisStore {
    fn follow(&self, sink: ChangeSink) -> StoreFuture<'static, ()> {
        let store = self.clone();
        StoreFuture::new(async move { follow(store.server(), &sink).await })
    }
}

async fn follow(server: &Server, sink: &ChangeSink) {
    let mut pause = SHORTEST_PAUSE;
    while sink.now().is_some() {
        let (was_alive, why) = match listen(server, sink).await {
            Ok(why) => (true, Failure::timeout(why)),
            Err(failure) => (false, failure),
        };
        sink.lost();
        if was_alive {
            pause = SHORTEST_PAUSE;
        }
        // Logged once, not for every attempt.
        if pause == SHORTEST_PAUSE {
            tracing::warn!(?why, "nothing is cached until the servers' change feed is back");
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Follows the feed. Returns why it ended after it was alive, or an error if it never was.
async fn listen(server: &Server, sink: &ChangeSink) -> Result<&'static str, Failure> {
    let bound = server.options.silence;
    let number = server.link.number();
    let ear = Ear::new(&server.options.prefix, sink);
    let opening = async {
        let connect = server.options.connect_timeout;
        let primaries = server.link.primaries(connect).await?;
        let lines = primaries.into_iter().map(|to| Line::open(to, ear.clone(), connect));
        try_join_all(lines).await.map_err(|error| Failure::of(&error))
    };
    let mut lines = match timeout(server.options.connect_timeout.saturating_mul(3), opening).await {
        Ok(lines) => lines?,
        Err(_) => return Err(Failure::timeout("no answer to the first connection")),
    };
    // Discards the answers of loads that were in progress while nothing was reported.
    sink.everything();
    let cluster = server.link.is_cluster();
    let mut known: Option<Vec<Primary>> = None;
    let mut alive = false;
    loop {
        let Some(asked) = sink.now() else { return Ok("nobody listens") };
        let beats = try_join_all(lines.iter_mut().map(|line| line.beat(cluster)));
        let views = match timeout(bound, beats).await {
            Ok(Ok(views)) => views,
            Ok(Err(error)) if !alive => return Err(Failure::of(&error)),
            Ok(Err(_)) => return Ok("a connection has failed"),
            Err(_) if !alive => return Err(Failure::timeout("no sign of life")),
            Err(_) => return Ok("no sign of life"),
        };
        // All nodes agree, and on the nodes that are being listened to.
        if let Some(first) = views.first().filter(|_| cluster) {
            let known = known.get_or_insert_with(|| first.clone());
            let agree = views.iter().all(|view| Primary::same(view, known));
            if !agree || known.len() != lines.len() {
                if alive {
                    return Ok("the primaries of the cluster are others now");
                }
                return Err(Failure::timeout("the nodes of the cluster disagree"));
            }
        }
        if server.link.number() != number {
            return Ok("the store has a new connection, maybe to another server");
        }
        if ear.is_over() {
            return Ok("a connection has ended");
        }
        sink.alive_until(asked.after(bound));
        alive = true;
        if timeout(bound / 2, ear.over()).await.is_ok() {
            return Ok("a connection has ended");
        }
    }
}
