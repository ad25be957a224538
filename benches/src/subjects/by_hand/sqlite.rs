//! A row per session in a file. Threads read, and one writes: what waits for it goes
//! into one transaction, and is answered once that is on disk.

use std::iter::once;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::json::Texts;

/// As our store has it.
const READERS: usize = 2;

/// The durability is that of our store's default.
const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
    CREATE TABLE IF NOT EXISTS session \
        (id TEXT NOT NULL PRIMARY KEY, data TEXT NOT NULL, expires INTEGER NOT NULL)";

type Read = Box<dyn FnOnce(&Connection) + Send>;

struct Write {
    sql: &'static str,
    texts: [String; 2],
    done: oneshot::Sender<()>,
}

/// The ways to the threads, which end with the last of them.
#[derive(Clone)]
pub struct Threads {
    reads: Sender<Read>,
    writes: Sender<Write>,
}

/// Opens the file, or creates it.
///
/// # Panics
///
/// If that is not possible.
#[must_use]
pub fn open(path: &Path) -> Threads {
    let (reads, to_read) = channel::<Read>();
    let (writes, to_write) = channel();
    let open = || {
        let db = Connection::open(path).expect("a file");
        db.execute_batch(SETTINGS).expect("set up");
        db
    };
    let db = open();
    thread::spawn(move || write(&db, &to_write));
    let to_read = Arc::new(Mutex::new(to_read));
    for _ in 0..READERS {
        let (db, to_read) = (open(), to_read.clone());
        thread::spawn(move || read(&db, &to_read));
    }
    Threads { reads, writes }
}

fn read(db: &Connection, queue: &Mutex<Receiver<Read>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(read) = next else { return };
        read(db);
    }
}

fn write(db: &Connection, queue: &Receiver<Write>) {
    while let Ok(first) = queue.recv() {
        db.execute_batch("BEGIN IMMEDIATE").expect("begun");
        let mut batch = Vec::new();
        for Write { sql, texts, done } in once(first).chain(queue.try_iter()) {
            let [one, other] = texts;
            let mut statement = db.prepare_cached(sql).expect("prepared");
            statement.execute(params![one, other]).expect("stored");
            batch.push(done);
        }
        db.execute_batch("COMMIT").expect("committed");
        // A caller that has gone away is not an error.
        for done in batch {
            let _ = done.send(());
        }
    }
}

impl Threads {
    async fn write(&self, sql: &'static str, texts: [String; 2]) {
        let (done, wait) = oneshot::channel();
        self.writes.send(Write { sql, texts, done }).expect("it runs");
        wait.await.expect("stored");
    }
}

impl Texts for Threads {
    async fn get(&mut self, key: &str) -> Vec<u8> {
        const SELECT: &str = "SELECT data FROM session WHERE id = ?1 AND expires > unixepoch()";
        let (done, wait) = oneshot::channel();
        let key = key.to_owned();
        let read = move |db: &Connection| {
            let mut statement = db.prepare_cached(SELECT).expect("prepared");
            let json: String = statement.query_row([key], |row| row.get(0)).expect("stored");
            drop(done.send(json.into_bytes()));
        };
        self.reads.send(Box::new(read)).expect("it runs");
        wait.await.expect("stored")
    }

    async fn set(&mut self, key: &str, json: String) {
        let sql = "UPDATE session SET data = ?1, expires = unixepoch() + 1800 WHERE id = ?2";
        self.write(sql, [json, key.to_owned()]).await;
    }

    async fn add(&mut self, key: &str, json: String) {
        let sql = "INSERT INTO session (data, id, expires) VALUES (?1, ?2, unixepoch() + 1800)";
        self.write(sql, [json, key.to_owned()]).await;
    }

    async fn rename(&mut self, old: &str, new: &str) {
        let sql = "UPDATE session SET id = ?1 WHERE id = ?2";
        self.write(sql, [new.to_owned(), old.to_owned()]).await;
    }
}
