//! The content of the file, and which files are refused.

use super::*;
use crate::clock::Millis;
use crate::store::error::StoreErrorKind;

#[tokio::test]
async fn the_file_is_readable_with_plain_sql() {
    let directory = Directory::new();
    let (store, _) = open(&directory).await;
    let mut new =
        record(1, &[("locale", "\"de:at\""), ("note", "\"a\u{fc}\nb\""), ("visits", "3")]);
    new.meta.principal = Some(Principal::new("shop", "42"));
    new.meta.authenticated = Some(START);
    create(&store, new).await;
    create(&store, record(2, &[])).await;
    create(&store, record(3, &[("gone", "1")])).await;
    store.delete(id(3), EndReason::SignedOut).await.unwrap();
    let db = directory.sql();
    let sql = "SELECT concat_ws('|', kind, principal, created, expires, epoch, rev, fields)
               FROM session_readable ORDER BY id";
    let mut statement = db.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    let rows: Vec<String> = rows.collect::<Result<_, _>>().unwrap();
    let (created, ends) = ("2023-11-14 22:13:20", "2023-11-14 23:13:20");
    assert_eq!(
        rows,
        [
            format!(
                "session|session:shop:42|{created}|{ends}|1|1|\
                 locale = \"de:at\"\nnote = \"a\u{fc}\nb\"\nvisits = 3\n"
            ),
            format!("session|{created}|{ends}|1|1"),
            format!("ended|{created}|{created}|1|1"),
        ]
    );
}

#[tokio::test]
async fn columns_say_what_the_form_says_after_every_kind_of_change() {
    let directory = Directory::new();
    let (store, clock) = open(&directory).await;
    create(&store, record(1, &[])).await;
    let row = || -> (i64, Option<String>, i64, i64) {
        let sql = "SELECT expires, principal, authenticated, created FROM session";
        let read =
            |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        directory.sql().query_row(sql, [], read).unwrap()
    };
    let ms = |time: Timestamp| time.as_millis() as i64;
    assert_eq!(row(), (ms(START.after(HOUR)), None, -1, ms(START)));
    clock.advance(HOUR / 2);
    let mut patch = add();
    patch.meta.principal = Some(Some(Principal::new("shop", "42")));
    patch.meta.authenticated = true;
    applied(&store, 1, &patch).await;
    let signed_in = clock.now();
    let theirs = Some("session:shop:42".to_owned());
    assert_eq!(row(), (ms(START.after(HOUR)), theirs.clone(), ms(signed_in), ms(START)));
    found(&store, 1, Touch::IfDue).await.unwrap();
    assert!(store.reload(id(1), 1).await.unwrap().is_some());
    assert_eq!(row(), (ms(signed_in.after(HOUR)), theirs, ms(signed_in), ms(START)));
    patch = Patch::new();
    patch.meta.principal = Some(None);
    applied(&store, 1, &patch).await;
    assert_eq!(row(), (ms(signed_in.after(HOUR)), None, -1, ms(START)));
    store.delete(id(1), EndReason::SignedOut).await.unwrap();
    assert_eq!(row(), (ms(signed_in), None, -1, ms(START)));
}

#[tokio::test]
async fn a_record_comes_back_exactly_as_it_was_created() {
    let directory = Directory::new();
    let (store, _) = open(&directory).await;
    let mut full = record(1, &[("a", "1"), ("", ""), ("ü", "\"\\u0000\"")]);
    full.meta.epoch = 9_999_999_999;
    full.meta.rev = 9_999_999_998;
    full.meta.authenticated = Some(START);
    full.meta.remember = Some(Millis::new(5));
    full.meta.principal = Some(Principal::new("ns", "\"a:b\""));
    full.meta.retired.push(SecretHash::from_bytes([3; 32]), START);
    full.meta.patches.push(Patch::new().id);
    full.meta.patches.push(Patch::new().id);
    create(&store, full.clone()).await;
    let mut bare = record(2, &[]);
    (bare.meta.idle, bare.meta.absolute) = (None, None);
    create(&store, bare.clone()).await;
    assert_eq!(*found(&store, 1, Touch::Never).await.unwrap(), full);
    assert_eq!(*found(&store, 2, Touch::Never).await.unwrap(), bare);
    let listed = listed(&store, full.meta.principal.as_ref().unwrap(), 9).await;
    assert_eq!(*listed[0], full);
}

#[tokio::test]
async fn field_bytes_are_kept_whatever_they_are() {
    let directory = Directory::new();
    let (store, _) = open(&directory).await;
    create(&store, record(1, &[])).await;
    let values: [&[u8]; 8] = [
        b"1e3",
        b"1.0",
        b" {\"b\":1, \"a\":1} ",
        b"\"\\u0000\"",
        b"a\0b",
        b"",
        b"\xff\xfe",
        b"null",
    ];
    for value in values {
        applied(&store, 1, &Patch::of(vec![set("x", value)])).await;
        let record = found(&store, 1, Touch::Never).await.unwrap();
        assert_eq!(record.fields.get("x"), Some(value));
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening_and_after_a_kill() {
    let (directory, killed) = (Directory::new(), Directory::new());
    let (store, clock) = open(&directory).await;
    create(&store, record(1, &[("a", "1")])).await;
    applied(&store, 1, &Patch::of(vec![set("b", b"2")])).await;
    // A killed process leaves what is on disk at this moment.
    std::fs::copy(directory.file(), killed.file()).unwrap();
    std::fs::copy(directory.wal(), killed.wal()).unwrap();
    drop(store);
    for directory in [&directory, &killed] {
        let store = options(&clock).open(directory.file()).await.unwrap();
        let record = found(&store, 1, Touch::Never).await.unwrap();
        assert_eq!(record.fields.get("b"), Some(&b"2"[..]));
    }
}

#[tokio::test]
async fn the_threads_end_with_the_last_handle_and_leave_one_file() {
    let directory = Directory::new();
    let (store, _) = open(&directory).await;
    let other = store.clone();
    drop(store);
    create(&other, record(1, &[])).await;
    assert!(directory.wal().exists());
    drop(other);
    eventually(|| !directory.wal().exists()).await;
    let count: i64 =
        directory.sql().query_row("SELECT count(*) FROM session", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn another_layout_is_refused_and_left_alone() {
    let directory = Directory::new();
    drop(open(&directory).await);
    directory.sql().pragma_update(None, "user_version", 2).unwrap();
    let (error, source) = refusal(&directory.file()).await;
    assert_eq!(error.kind(), StoreErrorKind::Config);
    assert!(source.contains("layout 2") && source.contains("layout 1"), "{source}");
    assert!(source.contains("sessions.db"), "{source}");
}

#[tokio::test]
async fn a_file_that_is_not_a_session_database_is_refused_and_left_alone() {
    let directory = Directory::new();
    let text = "this is no database, ".repeat(100);
    std::fs::write(directory.file(), &text).unwrap();
    let (error, source) = refusal(&directory.file()).await;
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert!(source.contains("sessions.db"), "{source}");
    assert_eq!(std::fs::read_to_string(directory.file()).unwrap(), text);

    let directory = Directory::new();
    directory.sql().execute_batch("CREATE TABLE invoice (id)").unwrap();
    let before = std::fs::read(directory.file()).unwrap();
    let (error, source) = refusal(&directory.file()).await;
    assert_eq!(error.kind(), StoreErrorKind::Config);
    assert!(source.contains("another program"), "{source}");
    assert_eq!(std::fs::read(directory.file()).unwrap(), before);
}

#[tokio::test]
async fn a_path_that_makes_no_sense_is_refused_with_its_cure() {
    let directory = Directory::new();
    for (path, cure) in [
        (directory.0.join("missing/sessions.db"), "create it first"),
        (directory.0.clone(), "name a file in it"),
        (PathBuf::from(":memory:"), "MemoryStore"),
        (PathBuf::new(), "MemoryStore"),
        ("file::memory:?cache=shared".into(), "MemoryStore"),
        ("file:f.db".into(), "alone: `f.db`"),
        ("FILE:f.db?mode=rwc".into(), "alone: `f.db`"),
        ("file:///var/lib/f.db".into(), "alone: `/var/lib/f.db`"),
        ("f.db?mode=rwc".into(), "alone, `f.db`"),
        ("f.db?".into(), "alone, `f.db`"),
        ("sqlite:f.db".into(), "alone: `f.db`"),
        ("sqlite:///f.db?mode=rwc".into(), "alone: `/f.db`"),
    ] {
        let (error, source) = refusal(&path).await;
        assert_eq!(error.kind(), StoreErrorKind::Config);
        assert!(source.contains(cure), "{source}");
    }
    let error = SqliteStore::options().readers(0).open(directory.file()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
}

#[tokio::test]
async fn a_question_mark_in_a_name_is_one() {
    let directory = Directory::new();
    let file = directory.0.join("what? me.db");
    SqliteStore::open(&file).await.unwrap().close().await.unwrap();
    assert!(file.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = Directory::new();
    let (store, _) = open(&directory).await;
    create(&store, record(1, &[])).await;
    for file in [directory.file(), directory.wal()] {
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
