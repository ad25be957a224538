//! Connections with hostile settings, or left in the middle of a transaction.

use session_runtime::__private::record::Principal;
use session_runtime::store::{MySqlStore, SessionStore, StoreErrorKind, contract::EndReason};
use sqlx::mysql::MySqlPoolOptions;
use sqlx::{Executor as _, MySqlPool};

use super::server::{Tables, add, found, fresh, record, run, stored};
use crate::lent::{a_cap_of_two_holds, capped, nobody_is_signed_in};

/// What applications, servers and frameworks set for all of their connections.
const SETTINGS: [&str; 6] = [
    "SET autocommit = 0",
    "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'",
    "SET sql_mode = '', sql_select_limit = 0, sql_safe_updates = 1, time_zone = '-11:00'",
    "SET NAMES latin1, autocommit = 0, innodb_lock_wait_timeout = 1, max_sort_length = 8",
];

/// A pool whose connections are set up like that.
async fn pool(tables: &Tables, setting: &'static str) -> MySqlPool {
    let options = MySqlPoolOptions::new().max_connections(8).after_connect(move |it, _| {
        Box::pin(async move { it.execute(sqlx::raw_sql(setting)).await.map(drop) })
    });
    options.connect(&tables.url).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_setting_of_a_pool_changes_an_answer() {
    for setting in SETTINGS {
        let tables = fresh().await;
        // No connection that only reads can make tables.
        let other = tables.store().await;
        let store = tables.options().with_pool(pool(&tables, setting).await).await.unwrap();
        let session = stored(&store, &[("n", b"0")]).await;
        for n in 1..=3 {
            let read = found(&other, &session).await;
            store.apply(session.id, 1, &add(), Some(&read)).await.unwrap();
            let seen = found(&other, &session).await;
            assert_eq!(seen.fields.get("n"), Some(n.to_string().as_bytes()), "{setting}");
            assert_eq!(found(&store, &session).await.fields, seen.fields, "{setting}");
        }
        assert_eq!(store.count().await.unwrap(), 1, "{setting}");
        assert!(store.delete(session.id, EndReason::SignedOut).await.unwrap(), "{setting}");
        assert!(other.reload(session.id, 1).await.unwrap().is_none(), "{setting}");
    }
}

/// Connections are left in the middle of a transaction that has read the session: one that
/// the setting began, or one that was begun by name.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_logout_nobody_is_signed_in_whatever_was_left_open() {
    for (setting, begin) in [("SET autocommit = 0", ""), ("SELECT 1", "START TRANSACTION; ")] {
        let tables = fresh().await;
        let pool = pool(&tables, setting).await;
        let store = tables.options().with_pool(pool.clone()).await.unwrap();
        let session = stored(&store, &[("n", b"0")]).await;
        let select = format!("{begin}SELECT form FROM {}session", tables.prefix);
        for _ in 0..8 {
            let mut left = pool.acquire().await.unwrap();
            left.execute(sqlx::raw_sql(&select)).await.unwrap();
        }
        assert!(tables.store().await.delete(session.id, EndReason::SignedOut).await.unwrap());
        nobody_is_signed_in(&store, session.id, session.meta.secret).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_of_two_holds_under_many_sign_ins_at_once() {
    for setting in ["SET autocommit = 0", SETTINGS[1]] {
        let tables = fresh().await;
        let store = tables.options().with_pool(pool(&tables, setting).await).await.unwrap();
        a_cap_of_two_holds(&store, || record(&[])).await;
    }
}

/// The rights that `docs/mysql.md` names are enough, and each of them is missed by name.
#[tokio::test(flavor = "multi_thread")]
async fn the_least_rights_are_enough_and_each_missing_one_is_found_when_connecting() {
    let tables = fresh().await;
    tables.store().await;
    let mut db = tables.db().await;
    let user = format!("{}web", tables.prefix);
    run(&mut db, &format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'hunter2'")).await;
    let url = tables.url.replace("root@", &format!("{user}:hunter2@"));
    let all = ["SELECT", "INSERT", "UPDATE", "DELETE"];
    let table = |name: &str| format!("{}session{name}", tables.prefix);
    let connect = || tables.options().migrate(false).connect(url.clone().leak());
    for (left_out, on) in all.iter().flat_map(|right| ["", "_revocation"].map(|on| (*right, on))) {
        run(&mut db, &format!("GRANT SELECT ON {} TO '{user}'@'%'", table("_layout"))).await;
        for name in ["", "_revocation"] {
            let rights = all.iter().filter(|right| name != on || **right != left_out);
            let rights = rights.copied().collect::<Vec<_>>().join(", ");
            run(&mut db, &format!("GRANT {rights} ON {} TO '{user}'@'%'", table(name))).await;
        }
        let error = connect().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Config, "without {left_out}: {error:?}");
        let why = std::error::Error::source(&error).unwrap().to_string();
        assert!(why.contains(&table(on)), "without {left_out} on {}: {why}", table(on));
        run(&mut db, &format!("REVOKE ALL PRIVILEGES, GRANT OPTION FROM '{user}'@'%'")).await;
    }
    run(&mut db, &format!("GRANT SELECT ON {} TO '{user}'@'%'", table("_layout"))).await;
    for name in ["", "_revocation"] {
        let rights = all.join(", ");
        run(&mut db, &format!("GRANT {rights} ON {} TO '{user}'@'%'", table(name))).await;
    }
    let store: MySqlStore = connect().await.unwrap();
    let mut mine = record(&[("n", b"0")]);
    mine.meta.principal = Some(Principal::new("customer", "42"));
    store.create(mine.clone().into(), capped(2)).await.unwrap();
    store.apply(mine.id, 1, &add(), None).await.unwrap();
    assert!(store.delete(mine.id, EndReason::SignedOut).await.unwrap());
    store.sweep(10).await.unwrap();
    run(&mut db, &format!("DROP USER '{user}'@'%'")).await;
}
