//! The application's own file.

use super::*;
use crate::record::patch::{AtLimit, Cap};
use crate::store::error::StoreErrorKind;

const TABLES: &str = "
CREATE TABLE invoice (number INTEGER PRIMARY KEY, sum INTEGER);
CREATE TABLE session (key TEXT);
INSERT INTO invoice VALUES (1, 100);
PRAGMA application_id = 4711;
PRAGMA user_version = 12;
";

/// Opens the application's file and creates its tables.
fn application(directory: &Directory) -> Connection {
    let db = directory.sql();
    db.execute_batch(TABLES).unwrap();
    db
}

async fn beside(directory: &Directory) -> SqliteStore {
    let clock = Clock::frozen(START);
    options(&clock).shared_file("web_session").open(directory.file()).await.unwrap()
}

fn theirs(db: &Connection) -> (i64, i64, String, i64) {
    let sql = "SELECT application_id, user_version, journal_mode, (SELECT sum(sum) FROM invoice)
               FROM pragma_application_id, pragma_user_version, pragma_journal_mode";
    db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap()
}

/// Calls every operation of a store.
async fn everything(store: &SqliteStore) {
    let shop = Principal::new("shop", "42");
    for number in 1..=3 {
        let mut new = record(number, &[("a", "\"\u{fc}\"")]);
        new.meta.principal = Some(shop.clone());
        let max = std::num::NonZeroU32::new(2).unwrap();
        let cap = Some(Cap { max, at_limit: AtLimit::EvictOldest });
        let sign_in = SignIn { cap, not_revoked_since: Some(START) };
        assert!(store.create(new.into(), sign_in).await.unwrap().is_created());
    }
    applied(store, 2, &Patch::of(vec![set("b", b"\xff\0")])).await;
    let patched = found(store, 2, Touch::Never).await.unwrap();
    assert_eq!(patched.fields.get("a"), Some("\"\u{fc}\"".as_bytes()));
    assert_eq!(patched.fields.get("b"), Some(&b"\xff\0"[..]));
    assert_eq!((store.count().await.unwrap(), listed(store, &shop, 1).await.len()), (2, 2));
    assert_eq!(revoked(store, &shop, Revoke::All).await, 2);
    assert_eq!(store.scan(None, 5).await.unwrap().records.len(), 0);
    store.sweep(10).await.unwrap();
}

#[tokio::test]
async fn sessions_live_beside_the_tables_of_the_application_and_change_nothing_of_it() {
    let directory = Directory::new();
    let db = application(&directory);
    let before = theirs(&db);
    assert_eq!(before, (4711, 12, "delete".into(), 100));
    let store = beside(&directory).await;
    everything(&store).await;
    assert_eq!(theirs(&db), before);
    store.close().await.unwrap();
    let names = "SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_schema \
                 WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE 'web\\_session%' ESCAPE '\\')";
    let names: String = db.query_row(names, [], |row| row.get(0)).unwrap();
    assert_eq!(names, "invoice session");
    // Again, with the tables already there.
    let store = beside(&directory).await;
    assert!(matches!(
        store.load(id(2), &[SECRET], Touch::Never.into()).await.unwrap(),
        Lookup::Ended(_)
    ));
}

#[tokio::test]
async fn the_application_writes_and_changes_its_tables_meanwhile() {
    for mode in ["delete", "wal"] {
        let directory = Directory::new();
        let db = application(&directory);
        db.pragma_update_and_check(None, "journal_mode", mode, |_| Ok(())).unwrap();
        let store = beside(&directory).await;
        create(&store, record(1, &[])).await;
        let writes = std::thread::spawn(move || {
            db.busy_timeout(Duration::from_secs(30)).unwrap();
            for number in 2..200 {
                db.execute("INSERT INTO invoice VALUES (?1, 1)", [number]).unwrap();
            }
            db.execute_batch("ALTER TABLE invoice ADD COLUMN paid; CREATE TABLE late (a)").unwrap();
            theirs(&db)
        });
        for _ in 0..100 {
            applied(&store, 1, &add()).await;
            found(&store, 1, Touch::Never).await.unwrap();
        }
        assert_eq!(writes.join().unwrap(), (4711, 12, mode.into(), 298));
        applied(&store, 1, &add()).await;
        let record = found(&store, 1, Touch::Never).await.unwrap();
        assert_eq!(record.fields.get("n"), Some(&b"101"[..]));
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_new_file_is_in_wal_mode_and_bears_no_mark() {
    let directory = Directory::new();
    let store = beside(&directory).await;
    everything(&store).await;
    let db = directory.sql();
    db.execute_batch("CREATE TABLE invoice (sum)").unwrap();
    let sql = "SELECT application_id || ' ' || user_version || ' ' || journal_mode
               FROM pragma_application_id, pragma_user_version, pragma_journal_mode";
    let marks: String = db.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(marks, "0 0 wal");
}

#[tokio::test]
async fn the_encoding_of_the_file_is_the_applications() {
    let directory = Directory::new();
    let db = directory.sql();
    db.execute_batch("PRAGMA encoding = 'UTF-16'").unwrap();
    db.execute_batch(TABLES).unwrap();
    let store = beside(&directory).await;
    everything(&store).await;
}

#[tokio::test]
async fn two_names_in_one_file_are_two_stores() {
    let directory = Directory::new();
    let clock = Clock::frozen(START);
    let open = |table: &'static str| options(&clock).shared_file(table).open(directory.file());
    let (a, b) = tokio::join!(open("a"), open("order"));
    let (a, b) = (a.unwrap(), b.unwrap());
    create(&a, record(1, &[])).await;
    assert!(found(&b, 1, Touch::Never).await.is_none());
    create(&b, record(1, &[])).await;
    everything_ends(&a).await;
    assert_eq!(b.count().await.unwrap(), 1);
}

async fn everything_ends(store: &SqliteStore) {
    assert!(store.delete(id(1), EndReason::SignedOut).await.unwrap());
}

#[tokio::test]
async fn a_name_that_is_taken_or_makes_no_sense_is_refused() {
    let directory = Directory::new();
    let db = application(&directory);
    let before = std::fs::read(directory.file()).unwrap();
    let long = "a".repeat(49);
    for (name, cure) in [
        ("session", "`session` is there already"),
        ("Web", "a to z"),
        ("", "a to z"),
        ("1a", "beginning with a letter"),
        ("a-b", "a to z"),
        ("sqlite_a", "SQLite's"),
        (&long, "48"),
    ] {
        let refused = SqliteStore::options().shared_file(name).open(directory.file()).await;
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Config);
        let source = error.source().unwrap().to_string();
        assert!(source.contains(cure), "{source}");
    }
    assert_eq!(std::fs::read(directory.file()).unwrap(), before);
    drop(db);
    let store = beside(&directory).await;
    let sql = "UPDATE web_session_layout SET version = 2";
    directory.sql().execute_batch(sql).unwrap();
    let again = SqliteStore::options().shared_file("web_session").open(directory.file()).await;
    let source = again.unwrap_err().source().unwrap().to_string();
    assert!(source.contains("layout 2") && source.contains("layout 1"), "{source}");
    drop(store);
}
