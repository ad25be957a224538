//! Walks over all keys: counting and sweeping.
//!
//! The servers remove expired sessions by themselves, by their own clocks. A sweep only matters
//! with a frozen clock, or if a clock was set.

use std::collections::VecDeque;

use futures_util::future::try_join_all;
use redis::Value;
use tokio::time::Instant;

use super::ask::{bytes, int};
use super::failure::Failure;
use super::layout::{Key, is_index, session_in};
use super::read::ABREAST;
use super::server::Server;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::form::{Head, Kind};
use crate::store::contract::Swept;
use crate::store::engine::is_over;

/// How many keys a server looks at in one step: well below a millisecond.
const STEP: usize = 256;
/// How many steps one sweep makes: a quarter of a million keys, in well under a second.
const STEPS: usize = 1024;

/// Where a sweep continues.
#[derive(Default)]
pub(super) struct Position {
    /// One slot of every primary that is not finished.
    slots: VecDeque<u16>,
    cursor: Vec<u8>,
    /// Keys that were found but not looked at.
    keys: Vec<Vec<u8>>,
    /// Whether the walk has begun.
    begun: bool,
}

impl Position {
    const fn is_at_start(&self) -> bool {
        !self.begun
    }
}

impl Server {
    /// Returns one slot of every primary; any slot for a single server.
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

    /// Finds the next keys of this store; returns `false` once all servers are done.
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
        position.keys.extend(keys.iter().filter_map(bytes).map(<[u8]>::to_vec));
        Ok(true)
    }

    /// Counts the live sessions. Every step has its own deadline, because there may be many.
    pub(super) async fn count(&self) -> Result<u64, Failure> {
        let mut position = Position::default();
        // While a server resizes its tables, it may return a key twice.
        let mut seen = std::collections::HashSet::new();
        let mut live = 0;
        while self.advance(&mut position, self.deadline()).await? {
            let keys = position.keys.drain(..);
            let ids = keys.filter_map(|key| session_in(&self.options.prefix, &key));
            let ids: Vec<_> = ids.filter(|id| seen.insert(*id)).collect();
            let reads = self.look_at_all(&ids, false, self.deadline()).await?;
            let values = reads.iter().filter_map(|it| Some((it.value.as_deref()?, it.now)));
            live += values.filter(|(value, now)| is_live(value, *now)).count() as u64;
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
                let (mut ids, mut indexes) = (Vec::with_capacity(some), Vec::new());
                for key in position.keys.drain(..some) {
                    match session_in(&self.options.prefix, &key) {
                        Some(id) => ids.push(id),
                        None if is_index(&self.options.prefix, &key) => indexes.push(key),
                        None => {}
                    }
                }
                removed += self.reap(&ids).await?;
                self.tidy(&indexes).await?;
            }
            if !self.advance(position, self.deadline()).await? {
                return Ok(Swept { removed, more: false });
            }
        }
        Ok(Swept { removed, more: !position.is_at_start() })
    }

    /// Removes those that are over, if they have not changed since they were read; returns how many
    /// sessions were among them.
    async fn reap(&self, ids: &[SessionId]) -> Result<usize, Failure> {
        let deadline = self.deadline();
        let reads = self.look_at_all(ids, false, deadline).await?;
        let values =
            ids.iter().zip(&reads).filter_map(|(id, it)| Some((*id, it.value.as_deref()?, it.now)));
        let over: Vec<_> = values.filter(|(_, value, now)| is_over(value, *now)).collect();
        let mut removed = 0;
        for some in over.chunks(ABREAST) {
            let reaping = some.iter().map(|(id, value, _)| async move {
                let (script, key) = (&self.scripts.reap, self.session(*id));
                let answer = self.run(script, &[key], &[value], deadline).await?;
                let was_session = Head::read(value).is_ok_and(|it| it.kind != Kind::Tombstone);
                Ok::<_, Failure>(int(&answer) == Some(1) && was_session)
            });
            let reaped = try_join_all(reaping).await?;
            removed += reaped.into_iter().filter(|removed| *removed).count();
        }
        Ok(removed)
    }

    /// Removes what is over from these indexes, some entries of each.
    async fn tidy(&self, indexes: &[Vec<u8>]) -> Result<(), Failure> {
        let deadline = self.deadline();
        for some in indexes.chunks(ABREAST) {
            let keys = some.iter().filter_map(|key| Key::read_index(&self.options.prefix, key));
            let tidying =
                keys.map(
                    |key| async move { self.run(&self.scripts.tidy, &[key], &[], deadline).await },
                );
            try_join_all(tidying).await?;
        }
        Ok(())
    }
}

fn is_live(value: &[u8], now: Timestamp) -> bool {
    Head::read(value).is_ok_and(|it| it.kind != Kind::Tombstone && now < it.expires)
}

/// Returns a pattern that matches only `text`.
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
