//! A file of layout 1 goes on living.

use super::*;
use crate::patch::{AtLimit, Cap, Denied, MetaPatch};
use crate::record::{Rotate, Rotation, RotationNonce};
use crate::store::contract::Revoke;
use crate::store::limits::Limits;

/// The tables as layout 1 made them, with a session that signed in, one of
/// nobody, and what was ended lately.
const LAYOUT_1: &str = "
PRAGMA journal_mode = WAL;
CREATE TABLE session (
    id            TEXT    NOT NULL PRIMARY KEY,
    secret        BLOB    NOT NULL,
    epoch         INTEGER NOT NULL,
    rev           INTEGER NOT NULL,
    created       INTEGER NOT NULL,
    last_seen     INTEGER NOT NULL,
    authenticated INTEGER,
    idle          INTEGER,
    absolute      INTEGER,
    expires       INTEGER NOT NULL,
    remember      INTEGER,
    principal     TEXT,
    patches       BLOB    NOT NULL,
    retired       BLOB    NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_expires ON session (expires);
CREATE INDEX session_principal ON session (principal) WHERE principal IS NOT NULL;
CREATE TABLE session_field (
    session_id TEXT NOT NULL,
    name       TEXT NOT NULL,
    value      TEXT NOT NULL,
    PRIMARY KEY (session_id, name)
) WITHOUT ROWID;
CREATE TABLE session_tombstone (
    id     TEXT    NOT NULL,
    secret BLOB    NOT NULL,
    until  INTEGER NOT NULL,
    PRIMARY KEY (id, secret)
) WITHOUT ROWID;
CREATE INDEX session_tombstone_until ON session_tombstone (until);
INSERT INTO session VALUES
    ('AQEBAQEBAQEBAQEBAQEBAQ', unhex('0707070707070707070707070707070707070707070707070707070707070707'),
     1, 5, 1700000000000 - 90000, 1700000000000 - 60000, 1700000000000 - 80000, 3600000,
     1700000000000 + 36000000, 1700000000000 + 3540000, NULL, 'shop:42',
     unhex('2A00000000000000'),
     unhex('0303030303030303030303030303030303030303030303030303030303030303C85BE5CF8B010000')),
    ('AgICAgICAgICAgICAgICAg', unhex('0707070707070707070707070707070707070707070707070707070707070707'),
     1, 1, 1700000000000, 1700000000000, NULL, NULL, NULL, 1734560000000, NULL, NULL, x'', x'');
INSERT INTO session_field VALUES ('AQEBAQEBAQEBAQEBAQEBAQ', 'cart', '[ 1, 2 ]');
INSERT INTO session_tombstone VALUES ('AwMDAwMDAwMDAwMDAwMDAw',
    unhex('0707070707070707070707070707070707070707070707070707070707070707'), 1700000000000 + 30000);
PRAGMA application_id = 1936028531;
PRAGMA user_version = 1;
";

fn customer() -> Principal {
    Principal::new("shop", "42")
}

async fn upgraded(directory: &Directory) -> SqliteStore {
    directory.sql().execute_batch(LAYOUT_1).unwrap();
    open(directory).await.0
}

#[tokio::test]
async fn a_session_of_layout_1_opens_and_everything_works_on_it() {
    let directory = Directory::new();
    let store = upgraded(&directory).await;
    let old = found(&store, 1, Touch::Never).await.unwrap();
    let meta = &old.meta;
    assert_eq!((meta.epoch, meta.rev, meta.idle), (1, 5, Some(3_600_000)));
    assert_eq!(meta.secret_since, meta.created, "nobody knows better");
    assert_eq!(meta.principal, Some(customer()));
    assert_eq!(meta.retired.iter().count(), 1);
    assert_eq!(meta.versions.get(""), 1);
    assert_eq!(old.fields.get("cart"), Some(&b"[ 1, 2 ]"[..]));
    assert!(found(&store, 2, Touch::IfDue).await.is_some());
    let lookup = store.load(id(3), &[SECRET], Touch::IfDue.into()).await.unwrap();
    assert!(matches!(lookup, Lookup::Ended(_)), "{lookup:?}");

    let mut patch = add();
    let next = SecretHash::from_bytes([8; 32]);
    let rotation = Rotation { nonce: RotationNonce([1; 16]), next };
    patch.meta = MetaPatch {
        rotate: Some(Box::new(Rotate { from: old.meta.secret, rotation })),
        versions: vec![("".into(), 2)],
        ..MetaPatch::default()
    };
    assert_eq!(applied(&store, 1, &patch).await.rotation, Some(RotationNonce([1; 16])));
    let Lookup::Found(new) = store.load(id(1), &[next], Touch::Never.into()).await.unwrap() else {
        panic!("the next secret of an old session")
    };
    assert_eq!((new.meta.secret_since, new.meta.versions.get("")), (START, 2));
    let mut patch = Patch::new();
    let max = std::num::NonZeroU32::MIN;
    patch.meta.principal = Some(Some(customer()));
    patch.meta.sign_in.cap = Some(Cap { max, at_limit: AtLimit::Reject });
    let denied = store.apply(id(2), 1, &patch, None).await.unwrap();
    assert!(matches!(denied, Outcome::Denied(Denied::AtLimit)), "{denied:?}");
    assert_eq!(store.revoke(&customer(), Revoke::All, None).await.unwrap().ended, 1);
    patch.meta.sign_in.not_revoked_since = Some(START);
    let denied = store.apply(id(2), 1, &patch, None).await.unwrap();
    assert!(matches!(denied, Outcome::Denied(Denied::Revoked)), "{denied:?}");
}

#[tokio::test]
async fn an_upgraded_file_has_the_tables_of_a_new_one() {
    let (new, old) = (Directory::new(), Directory::new());
    let stores = (open(&new).await, upgraded(&old).await);
    let tables = |directory: &Directory| -> Vec<String> {
        let db = directory.sql();
        let sql = "SELECT m.name || ' ' || c.cid || ' ' || c.name || ' ' || c.type || ' ' || \
                   c.\"notnull\" || ' ' || coalesce(c.dflt_value, '') || ' ' || c.pk \
                   FROM sqlite_schema m, pragma_table_xinfo(m.name) c \
                   UNION ALL SELECT name || ' ' || tbl_name FROM sqlite_schema ORDER BY 1";
        let mut statement = db.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    assert_eq!(tables(&old), tables(&new));
    assert!(tables(&new).len() > 20);
    drop(stores);
}

#[tokio::test]
async fn two_programs_may_upgrade_a_file_at_once() {
    let directory = Directory::new();
    directory.sql().execute_batch(LAYOUT_1).unwrap();
    let clock = Clock::frozen(START);
    let (a, b) = tokio::join!(
        options(&clock).open(directory.file()),
        options(&clock).open(directory.file())
    );
    assert!(found(&a.unwrap(), 1, Touch::Never).await.is_some());
    assert!(found(&b.unwrap(), 1, Touch::Never).await.is_some());
}

#[tokio::test]
async fn what_is_larger_than_lowered_limits_may_shrink_or_stay() {
    let directory = Directory::new();
    let (store, clock) = open(&directory).await;
    let large = "1".repeat(100);
    create(&store, record(1, &[("a", &large), ("b", &large)])).await;
    store.close().await.unwrap();
    let limits = Limits { field: 50, record: 120 };
    let store = options(&clock).limits(limits).open(directory.file()).await.unwrap();
    assert_eq!(store.capabilities().limits, Some(limits));
    let fits = async |name, bytes| {
        let patch = Patch::of(vec![set(name, &vec![b'2'; bytes])]);
        match store.apply(id(1), 1, &patch, None).await.unwrap() {
            Outcome::Applied(_) => true,
            Outcome::Refused(_) => false,
            other => panic!("{other:?}"),
        }
    };
    assert!(fits("a", 100).await, "as large as before");
    assert!(!fits("a", 101).await, "a field grows beyond its limit");
    assert!(fits("a", 20).await, "it shrinks, the record is still too large");
    assert!(!fits("a", 21).await, "the record grows beyond its limit");
    assert!(fits("b", 49).await && fits("a", 49).await, "within both");
}
