//! Tells the other nodes at once which sessions have changed, by `NOTIFY`.
//!
//! What is told is a hint to look, and may get lost: a socket also looks at the layer's
//! `watch_interval`. So a change does not wait until it is told. That matters, because the server
//! commits transactions that notify one at a time.

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Executor as _};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::failure::fault;
use crate::clock::FAR;
use crate::id::SessionId;
use crate::record::PrincipalHash;
use crate::store::engine::Failure;
use crate::store::error::StoreErrorKind;
use crate::store::watchers::{Told, Watchers};

/// How many hints wait to be told. Further ones are dropped.
const WAITING: usize = 4_096;
/// How many are told in one message, which is shorter than 8,000 bytes.
const AT_ONCE: usize = 300;
/// The pause between two messages.
const BETWEEN: Duration = Duration::from_millis(10);
/// The pause before another attempt to listen.
const BEFORE_RETRY: Duration = Duration::from_secs(1);
/// A node that has nothing to tell says so after this time, so that it hears whether it would hear.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// After this time without a message, the connection that listens is taken for dead.
const SILENCE: Duration = Duration::from_secs(15);

/// The tasks that tell and listen, as long as the store lives.
pub(super) struct Push {
    watchers: Watchers,
    tasks: [AbortHandle; 2],
}

/// What both tasks need.
#[derive(Clone)]
struct Nodes {
    /// The store's pool, whose settings may change: those of the next connection are asked for.
    pool: PgPool,
    topic: String,
    /// This node, which does not listen to itself.
    own: String,
    deadline: Duration,
}

impl Push {
    /// Begins to listen, on connections beside those of `pool`, and with their settings.
    pub(super) async fn start(
        pool: PgPool,
        topic: String,
        deadline: Duration,
    ) -> Result<Self, Failure> {
        let mut random = [0; 6];
        crate::token::random(&mut random)
            .map_err(|error| Failure::new(StoreErrorKind::Unavailable, error.to_string()))?;
        let own = URL_SAFE_NO_PAD.encode(random);
        let nodes = Nodes { pool, topic, own, deadline: deadline.min(FAR) };
        let listener = nodes.listen().await;
        let listener = listener.map_err(|failure| failure.during("listening for changes"))?;
        let (outlet, told) = channel(WAITING);
        let watchers = Watchers::with_outlet(outlet);
        let hears = hear(nodes.clone(), listener, watchers.clone());
        let tasks = [tokio::spawn(hears), tokio::spawn(tell(nodes, told))];
        Ok(Self { watchers, tasks: tasks.map(|task| task.abort_handle()) })
    }

    pub(super) fn watchers(&self) -> Watchers {
        self.watchers.clone()
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Nodes {
    fn options(&self) -> PgConnectOptions {
        // What is told is nothing for the log.
        self.pool.connect_options().as_ref().clone().disable_statement_logging()
    }

    async fn listen(&self) -> Result<PgListener, Failure> {
        match timeout(self.deadline, self.begin_to_listen()).await {
            Ok(listener) => listener.map_err(|error| fault(error).failure()),
            Err(_) => Err(Failure::timeout("no answer within the deadline")),
        }
    }

    async fn begin_to_listen(&self) -> Result<PgListener, sqlx::Error> {
        // A new one each time: a listener that is given up may keep a dead connection for long.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .acquire_timeout(self.deadline)
            .connect_lazy_with(self.options());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(&self.topic).await?;
        Ok(listener)
    }

    async fn tell(
        &self,
        connection: &mut Option<PgConnection>,
        text: &str,
    ) -> Result<(), sqlx::Error> {
        let notify = format!("NOTIFY \"{}\", '{text}'", self.topic);
        let mut open = match connection.take() {
            Some(open) => open,
            None => self.options().connect().await?,
        };
        open.execute(sqlx::raw_sql(&notify)).await?;
        *connection = Some(open);
        Ok(())
    }
}

/// Wakes the waiting tasks of this process by what other nodes tell.
async fn hear(nodes: Nodes, mut listener: PgListener, watchers: Watchers) {
    loop {
        let failure = match timeout(SILENCE, listener.recv()).await {
            Ok(Ok(message)) => {
                read(message.payload(), &nodes.own).for_each(|told| watchers.heard(told));
                continue;
            }
            Ok(Err(error)) => fault(error).failure(),
            Err(_) => Failure::timeout("nothing was heard, not even of this node"),
        };
        tracing::warn!(
            %failure,
            "changes of sessions are not heard of for now, only looked for at `watch_interval`"
        );
        drop(listener);
        listener = loop {
            sleep(BEFORE_RETRY).await;
            match nodes.listen().await {
                Ok(listener) => break listener,
                Err(failure) => {
                    tracing::debug!(%failure, "changes of sessions are still not heard of");
                }
            }
        };
        tracing::info!("changes of sessions are heard of again");
    }
}

/// Tells the other nodes what this process has changed.
async fn tell(nodes: Nodes, mut told: Receiver<Told>) {
    let mut connection = None;
    let mut hints = Vec::with_capacity(AT_ONCE);
    // It ends with the store: the channel is never closed before.
    while timeout(HEARTBEAT, told.recv_many(&mut hints, AT_ONCE)).await != Ok(0) {
        let text = write(&nodes.own, hints.drain(..));
        match timeout(nodes.deadline, nodes.tell(&mut connection, &text)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let failure = fault(error).failure();
                tracing::debug!(%failure, "other nodes are not told of changes of sessions");
            }
            Err(_) => {
                tracing::debug!("other nodes are not told of changes of sessions: no answer");
            }
        }
        sleep(BETWEEN).await;
    }
}

/// Returns the message: the node, and each hint once.
fn write(node: &str, hints: impl Iterator<Item = Told>) -> String {
    let mut text = node.to_owned();
    let mut known = HashSet::new();
    for hint in hints.filter(|hint| known.insert(*hint)) {
        let (kind, bytes) = match &hint {
            Told::Changed(id) => (" s", id.as_bytes()),
            Told::EndedOf(principal) => (" p", principal.as_bytes()),
        };
        text.push_str(kind);
        URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    }
    text
}

/// Returns the hints in a message of another node. What is not understood is left out.
fn read<'m>(message: &'m str, node: &str) -> impl Iterator<Item = Told> + use<'m> {
    let (sender, hints) = message.split_once(' ').unwrap_or_default();
    let hints = if sender == node { "" } else { hints };
    hints.split(' ').filter_map(|hint| {
        let (kind, text) = hint.split_at_checked(1)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        match kind {
            "s" => Some(Told::Changed(SessionId::from_bytes(bytes))),
            "p" => Some(Told::EndedOf(PrincipalHash::from_bytes(bytes))),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_by_other_nodes_alone() {
        let id = |number| Told::Changed(SessionId::from_bytes([number; 16]));
        let ended = Told::EndedOf(PrincipalHash::from_bytes([7; 16]));
        let message = write("aaaaaaaa", [id(1), ended, id(2), id(1)].into_iter());
        let read = |node| read(&message, node).collect::<Vec<_>>();
        assert_eq!(read("bbbbbbbb"), [id(1), ended, id(2)], "each once");
        assert_eq!(read("aaaaaaaa"), []);
    }

    #[test]
    fn the_longest_message_is_one_that_the_server_takes() {
        let ids = (0..AT_ONCE as u16).map(|number| {
            let mut bytes = [0; 16];
            bytes[..2].copy_from_slice(&number.to_le_bytes());
            Told::Changed(SessionId::from_bytes(bytes))
        });
        assert!(write("aaaaaaaa", ids).len() < 8_000);
    }

    #[test]
    fn what_somebody_else_says_on_the_topic_is_left_out() {
        for message in
            ["", " ", "hello", "x s", "x sAAAA", "x ä", "x qAAAAAAAAAAAAAAAAAAAAAA", "x  "]
        {
            assert_eq!(read(message, "aaaaaaaa").count(), 0, "{message}");
        }
    }
}
