//! Tests of what is specific to SQLite. The conformance suite tests the contract.

mod any;
mod closing;
mod file;
mod limits;
mod log;
mod losing;
mod many;
mod shared;
mod sharing;
mod writing;

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use super::{SqliteOptions, SqliteStore};
use crate::clock::{Clock, Timestamp};
use crate::id::SessionId;
use crate::record::patch::{Add, Applied, FieldOp, Lifetime, Op, Outcome, Patch, SignIn};
use crate::record::{Fields, Meta, Principal, Record};
use crate::store::SessionStore as _;
use crate::store::contract::{Created, EndReason, Lookup, Revoke, Touch};
use crate::store::error::StoreError;
use crate::store::sqlite::db::Db;
use crate::token::SecretHash;

const SECRET: SecretHash = SecretHash::from_bytes([7; 32]);
const HOUR: Duration = Duration::from_secs(3600);
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A temporary directory, removed when the test ends.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("session-sqlite-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("sessions.db")
    }

    fn wal(&self) -> PathBuf {
        self.0.join("sessions.db-wal")
    }

    fn sql(&self) -> Connection {
        Connection::open(self.file()).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn options(clock: &Clock) -> SqliteOptions {
    SqliteStore::options().clock(clock.clone()).sweep_interval(None)
}

async fn open(directory: &Directory) -> (SqliteStore, Clock) {
    let clock = Clock::frozen(START);
    (options(&clock).open(directory.file()).await.unwrap(), clock)
}

async fn refusal(path: &Path) -> (StoreError, String) {
    let error = SqliteStore::open(path).await.unwrap_err();
    let source = error.source().unwrap().to_string();
    (error, source)
}

fn id(number: u8) -> SessionId {
    SessionId::from_bytes([number; 16])
}

fn record(number: u8, fields: &[(&str, &str)]) -> Record {
    let lifetime = Lifetime { idle: Some(HOUR), absolute: Some(12 * HOUR), remember: false };
    let meta = Meta::new(SECRET, START, lifetime);
    let fields: Fields = fields.iter().map(|(n, v)| (*n, v.as_bytes())).collect();
    Record::new(id(number), meta, fields)
}

async fn create(store: &SqliteStore, record: Record) {
    assert_eq!(store.create(record.into(), SignIn::default()).await.unwrap(), Created::ALONE);
}

async fn found(store: &SqliteStore, number: u8, touch: Touch) -> Option<Arc<Record>> {
    match store.load(id(number), &[SECRET], touch.into()).await.unwrap() {
        Lookup::Found(record) | Lookup::Cached(record) => Some(record),
        Lookup::Absent | Lookup::Expired(_) | Lookup::Ended(_) | Lookup::Replayed(_) => None,
    }
}

/// Returns all pages of a listing, with `limit` sessions per page.
async fn listed(store: &SqliteStore, principal: &Principal, limit: usize) -> Vec<Arc<Record>> {
    let (mut all, mut from) = (Vec::new(), None);
    loop {
        let page = store.list(principal, from.as_ref(), limit).await.unwrap();
        all.extend(page.records);
        match page.next {
            Some(next) => from = Some(next),
            None => return all,
        }
    }
}

/// Runs a revocation to its end; returns how many sessions it ended.
async fn revoked(store: &SqliteStore, principal: &Principal, which: Revoke) -> u64 {
    let (mut ended, mut from) = (0, None);
    loop {
        let revoked =
            store.revoke(principal, which, EndReason::OtherDevice, from.as_ref()).await.unwrap();
        ended += revoked.ended;
        match revoked.next {
            Some(next) => from = Some(next),
            None => return ended,
        }
    }
}

fn set(name: &'static str, value: &[u8]) -> FieldOp {
    FieldOp::new(name, Op::set(value.to_vec()))
}

fn add() -> Patch {
    Patch::of(vec![FieldOp::new("n", Op::Add(Add::unsigned(1, 0)))])
}

async fn applied(store: &SqliteStore, number: u8, patch: &Patch) -> Applied {
    match store.apply(id(number), 1, patch, None).await.unwrap() {
        Outcome::Applied(applied) => applied,
        other => panic!("{other:?}"),
    }
}

/// Waits until `holds` returns true because of what another thread does.
async fn eventually(mut holds: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not come to hold within five seconds");
}
