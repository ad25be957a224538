//! Tells the other nodes at once which sessions have changed, by `NOTIFY`.
//!
//! What is told is a hint to look, and may get lost: a socket also looks at the layer's
//! `watch_interval`. So a change does not wait until it is told. That matters, because the server
//! commits transactions that notify one at a time.

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::postgres::{PgListener, PgPool, PgPoolOptions};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::AbortHandle;
use tokio::time::sleep;

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
/// The pause between two messages, and before another attempt to listen.
const BETWEEN: Duration = Duration::from_millis(10);
const BEFORE_RETRY: Duration = Duration::from_secs(1);

/// The tasks that tell and listen, as long as the store lives.
pub(super) struct Push {
    watchers: Watchers,
    tasks: [AbortHandle; 2],
}

impl Push {
    /// Begins to listen, on a connection beside those of `pool`, and with their settings.
    pub(super) async fn start(
        pool: &PgPool,
        topic: String,
        deadline: Duration,
    ) -> Result<Self, Failure> {
        let options = pool.connect_options().as_ref().clone();
        // One listens and one tells.
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .max_lifetime(None)
            .acquire_timeout(deadline.min(FAR))
            .connect_lazy_with(options);
        let listener = listen(&pool, &topic).await;
        let listener =
            listener.map_err(|error| fault(error).failure().during("listening for changes"))?;
        let mut random = [0; 6];
        crate::token::random(&mut random)
            .map_err(|error| Failure::new(StoreErrorKind::Unavailable, error.to_string()))?;
        let node = URL_SAFE_NO_PAD.encode(random);
        let (outlet, told) = channel(WAITING);
        let watchers = Watchers::with_outlet(outlet);
        let hears = hear(pool.clone(), listener, topic.clone(), node.clone(), watchers.clone());
        let tasks = [tokio::spawn(hears), tokio::spawn(tell(pool, topic, node, told))];
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

async fn listen(pool: &PgPool, topic: &str) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(topic).await?;
    Ok(listener)
}

/// Wakes the waiting tasks of this process by what other nodes tell.
async fn hear(
    pool: PgPool,
    mut listener: PgListener,
    topic: String,
    node: String,
    watchers: Watchers,
) {
    loop {
        match listener.recv().await {
            Ok(message) => read(message.payload(), &node).for_each(|told| watchers.heard(told)),
            Err(error) => {
                let failure = fault(error).failure();
                tracing::warn!(
                    %failure,
                    "changes of sessions are not heard of for now, only looked for at `watch_interval`"
                );
                // The listener may keep a connection that is dead.
                listener = loop {
                    sleep(BEFORE_RETRY).await;
                    if let Ok(listener) = listen(&pool, &topic).await {
                        break listener;
                    }
                };
            }
        }
    }
}

/// Tells the other nodes what this process has changed.
async fn tell(pool: PgPool, topic: String, node: String, mut told: Receiver<Told>) {
    let mut hints = Vec::with_capacity(AT_ONCE);
    while told.recv_many(&mut hints, AT_ONCE).await > 0 {
        let text = write(&node, hints.drain(..));
        let notify = format!("NOTIFY \"{topic}\", '{text}'");
        if let Err(error) = sqlx::raw_sql(&notify).execute(&pool).await {
            let failure = fault(error).failure();
            tracing::debug!(%failure, "other nodes are not told of changes of sessions");
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
