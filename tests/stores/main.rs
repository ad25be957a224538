//! Every store passes the published conformance suite, and for every rule of
//! the suite there is a broken store that fails it.

#![allow(clippy::unwrap_used)] // the factories below are part of the tests

mod breaks;
mod cache;
mod cas;
mod crowd;
mod defect;
mod mutant;
mod tower_sessions;
mod whole;

use session_runtime::store::{MemoryStore, SessionStore, SqliteStore, conformance};

use defect::Defect;
use mutant::Mutant;

session_runtime::store_conformance! { memory, |clock| async move { MemoryStore::with_clock(clock) } }

session_runtime::store_conformance! {
    sqlite, |clock| async move {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("sessions.db");
        (SqliteStore::options().clock(clock).open(file).await.unwrap(), directory)
    }
}

// In the application's own file, whose mode is not WAL.
session_runtime::store_conformance! {
    sqlite_beside_other_tables, |clock| async move {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("app.db");
        let tables = "CREATE TABLE users (id INTEGER PRIMARY KEY); PRAGMA user_version = 7";
        rusqlite::Connection::open(&file).unwrap().execute_batch(tables).unwrap();
        let options = SqliteStore::options().shared_file("web_session").clock(clock);
        (options.open(file).await.unwrap(), directory)
    }
}

// What the mutants add of their own fails no rule.
session_runtime::store_conformance! {
    the_wrapper_without_a_defect, |clock| async move { Mutant::new(clock, Defect::None) }
}

#[test]
fn both_stores_promise_every_rule() {
    let capabilities = MemoryStore::new().capabilities();
    assert_eq!(conformance::not_promised(&capabilities), [""; 0]);
    let file = tempfile::NamedTempFile::new().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sqlite = runtime.block_on(SqliteStore::open(file.path())).unwrap();
    assert_eq!(sqlite.capabilities(), capabilities);
}
