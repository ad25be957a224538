//! A map in memory that can compare and swap, as a server would: it lets others in
//! between, says that another write was faster, and loses answers, when it is told to.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use session_runtime::clock::{Clock, Timestamp};
use session_runtime::store::cas::{CompareAndSwap, Keys, ListKeys, Put};
use session_runtime::store::{StoreError, StoreErrorKind, contract::Cursor};

/// What goes wrong with swaps: each with every so many of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trouble {
    /// Another program puts the same value again, just before.
    pub conflict: Option<u64>,
    /// It is done, and its answer never comes.
    pub lost_answer: Option<u64>,
    /// It never arrives, and nobody knows.
    pub lost_request: Option<u64>,
    /// Others come first at every call.
    pub yields: bool,
}

#[derive(Clone, Default)]
pub struct CasMap {
    clock: Clock,
    trouble: Trouble,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    values: BTreeMap<String, Value>,
    versions: u64,
    swaps: u64,
    gets: u64,
}

#[derive(Clone)]
struct Value {
    bytes: Vec<u8>,
    version: u64,
    keep_until: Timestamp,
}

impl State {
    /// A value that need not be kept is gone at once.
    fn live(&self, key: &str, now: Timestamp) -> Option<&Value> {
        self.values.get(key).filter(|value| now < value.keep_until)
    }

    fn next_version(&mut self) -> u64 {
        self.versions += 1;
        self.versions
    }
}

impl CasMap {
    pub fn new(clock: Clock) -> Self {
        Self { clock, ..Self::default() }
    }

    pub fn with(clock: Clock, trouble: Trouble) -> Self {
        Self { clock, trouble, ..Self::default() }
    }

    /// How many reads and swaps there were since the last time.
    pub fn take_calls(&self) -> (u64, u64) {
        let mut state = self.state.lock().unwrap();
        (std::mem::take(&mut state.gets), std::mem::take(&mut state.swaps))
    }

    /// The values whose keys begin with this, and their keys.
    pub fn values(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let state = self.state.lock().unwrap();
        let all = state.values.iter().filter(|(key, _)| key.starts_with(prefix));
        all.map(|(key, value)| (key.clone(), value.bytes.clone())).collect()
    }

    /// Puts a value as it was left by another program.
    pub fn put(&self, key: &str, bytes: Vec<u8>) {
        let mut state = self.state.lock().unwrap();
        let version = state.next_version();
        let value = Value { bytes, version, keep_until: Timestamp::MAX };
        state.values.insert(key.to_owned(), value);
    }

    /// Changes a value behind everybody's back.
    pub fn edit(&self, key: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state.lock().unwrap();
        let version = state.next_version();
        let value = state.values.get_mut(key).unwrap();
        edit(&mut value.bytes);
        value.version = version;
    }

    async fn let_others(&self) {
        if self.trouble.yields {
            let turns = self.state.lock().unwrap().versions % 3;
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        }
    }
}

fn is_due(every: Option<u64>, count: u64) -> bool {
    every.is_some_and(|every| count.is_multiple_of(every))
}

impl CompareAndSwap for CasMap {
    type Version = u64;

    fn clock(&self) -> &Clock {
        &self.clock
    }

    async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
        self.let_others().await;
        let mut state = self.state.lock().unwrap();
        state.gets += 1;
        let value = state.live(key, self.clock.now());
        Ok(value.map(|value| (value.bytes.clone(), value.version)))
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<&u64>,
        put: Option<Put<'_>>,
    ) -> Result<bool, StoreError> {
        self.let_others().await;
        let mut state = self.state.lock().unwrap();
        state.swaps += 1;
        let version = state.next_version();
        if is_due(self.trouble.lost_request, state.swaps) {
            return Err(StoreError::new(StoreErrorKind::Unavailable));
        }
        if is_due(self.trouble.conflict, state.swaps)
            && let Some(value) = state.values.get_mut(key)
        {
            value.version = version;
        }
        let now = self.clock.now();
        if state.live(key, now).map(|value| value.version) != expected.copied() {
            return Ok(false);
        }
        match put {
            Some(Put { value, keep_until }) => {
                let bytes = value.to_vec();
                state.values.insert(key.to_owned(), Value { bytes, version, keep_until });
            }
            None => drop(state.values.remove(key)),
        }
        if is_due(self.trouble.lost_answer, state.swaps) {
            return Err(StoreError::new(StoreErrorKind::Timeout));
        }
        Ok(true)
    }
}

impl ListKeys for CasMap {
    async fn keys(&self, from: Option<&Cursor>, limit: usize) -> Result<Keys, StoreError> {
        self.let_others().await;
        let state = self.state.lock().unwrap();
        let start = from.map_or(Bound::Unbounded, |from| Bound::Excluded(from.as_str()));
        let mut rest = state.values.range::<str, _>((start, Bound::Unbounded));
        let keys: Vec<_> = rest.by_ref().take(limit).map(|(key, _)| key.clone()).collect();
        let last = keys.last().filter(|_| rest.next().is_some());
        Ok(Keys { next: last.map(|last| Cursor::new(last.as_str())), keys })
    }
}
