//! What goes over all keys: counting and sweeping.
//!
//! The servers remove what has expired by themselves, by their own clocks. A
//! sweep only matters under a frozen clock, and for a clock that was moved.

use std::collections::VecDeque;

use futures_util::future::try_join_all;
use redis::Value;
use tokio::time::Instant;

use super::ask::{bytes, int};
use super::failure::Failure;
use super::script::Script;
use super::server::Server;
use crate::store::contract::Swept;

/// Keys that a server looks at in one step: well below a millisecond.
const STEP: usize = 256;
/// Steps of one sweep: a quarter of a million keys, in well under a second.
const STEPS: usize = 1024;

/// Where a sweep goes on.
#[derive(Default)]
pub(super) struct Position {
    /// One slot of every primary that was not finished yet.
    slots: VecDeque<u16>,
    cursor: Vec<u8>,
    /// Found, and not looked at.
    keys: Vec<String>,
    /// Whether all that was gone over since the walk began.
    begun: bool,
}

impl Position {
    const fn is_at_start(&self) -> bool {
        !self.begun
    }
}

impl Server {
    /// One slot of every primary; of a single server some slot.
    async fn slots(&self, deadline: Instant) -> Result<VecDeque<u16>, Failure> {
        if !self.link.is_cluster() {
            return Ok([0].into());
        }
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let answer = self.at(0, &command, deadline).await?;
        let Value::Array(ranges) = answer else { return Err(Failure::corrupt("answer")) };
        let mut primaries = Vec::new();
        let mut slots = VecDeque::new();
        for range in ranges {
            let Value::Array(range) = range else { continue };
            let [Value::Int(first), _, Value::Array(primary), ..] = range.as_slice() else {
                continue;
            };
            let address = primary.get(..2).map(<[Value]>::to_vec);
            if let (Ok(slot), false) = (u16::try_from(*first), primaries.contains(&address)) {
                slots.push_back(slot);
                primaries.push(address);
            }
        }
        Ok(slots)
    }

    /// The next keys of ours; `false` once all servers are done.
    async fn advance(&self, position: &mut Position, deadline: Instant) -> Result<bool, Failure> {
        if !position.begun {
            position.slots = self.slots(deadline).await?;
            position.cursor = b"0".to_vec();
            position.begun = true;
        }
        let Some(&slot) = position.slots.front() else {
            *position = Position::default();
            return Ok(false);
        };
        let mut command = redis::cmd("SCAN");
        command.arg(&position.cursor[..]).arg("MATCH").arg(self.pattern()).arg("COUNT").arg(STEP);
        let answer = self.at(slot, &command, deadline).await?;
        let Value::Array(answer) = answer else { return Err(Failure::corrupt("answer")) };
        let [cursor, Value::Array(keys)] = answer.as_slice() else {
            return Err(Failure::corrupt("answer"));
        };
        position.cursor = bytes(cursor).unwrap_or(b"0").to_vec();
        if position.cursor == b"0" {
            position.slots.pop_front();
        }
        let keys =
            keys.iter().filter_map(bytes).filter_map(|key| String::from_utf8(key.to_vec()).ok());
        position.keys.extend(keys);
        Ok(true)
    }

    fn is_index(&self, key: &str) -> bool {
        let rest = key.strip_prefix(&*self.options.prefix);
        rest.and_then(|rest| rest.strip_prefix("p:")).is_some_and(|hash| hash.len() == 43)
    }

    pub(super) async fn of_all(
        &self,
        script: &Script,
        keys: &[String],
        args: &[&str],
    ) -> Result<Vec<Value>, Failure> {
        let deadline = self.deadline();
        try_join_all(
            keys.iter()
                .map(|key| async move { self.run(script, &[key.as_str()], args, deadline).await }),
        )
        .await
    }

    /// Every step has a deadline of its own: there may be many.
    pub(super) async fn count(&self) -> Result<u64, Failure> {
        let mut position = Position::default();
        // While a server resizes its tables it may show a key twice.
        let mut seen = std::collections::HashSet::new();
        let mut live = 0;
        while self.advance(&mut position, self.deadline()).await? {
            let keys: Vec<_> = position
                .keys
                .drain(..)
                .filter(|key| self.is_session(key) && seen.insert(key.clone()))
                .collect();
            let now = self.now();
            for answer in self.of_all(&self.scripts.look, &keys, &[&now, ""]).await? {
                live += u64::from(matches!(answer, Value::Array(_)));
            }
        }
        Ok(live)
    }

    pub(super) async fn sweep(
        &self,
        position: &mut Position,
        limit: usize,
    ) -> Result<Swept, Failure> {
        let mut removed = 0;
        for _ in 0..STEPS {
            while !position.keys.is_empty() {
                if removed == limit {
                    return Ok(Swept { removed, more: true });
                }
                let some = position.keys.len().min(limit - removed).min(STEP);
                let keys: Vec<_> = position.keys.drain(..some).collect();
                let (sessions, others): (Vec<_>, Vec<_>) =
                    keys.into_iter().partition(|key| self.is_session(key));
                let indexes: Vec<_> = others.into_iter().filter(|key| self.is_index(key)).collect();
                let now = self.now();
                for answer in self.of_all(&self.scripts.reap, &sessions, &[&now]).await? {
                    removed += usize::from(int(&answer) == Some(1));
                }
                self.of_all(&self.scripts.tidy, &indexes, &[&now]).await?;
            }
            if !self.advance(position, self.deadline()).await? {
                return Ok(Swept { removed, more: false });
            }
        }
        Ok(Swept { removed, more: !position.is_at_start() })
    }
}

/// `text` as a pattern that matches only itself.
pub(super) fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
