//! Tables: made once, by whoever comes first; recognised; refused.

use std::error::Error;

use session_runtime::store::{AnyStore, MySqlStore, SessionStore, StoreError, StoreErrorKind};
use session_tests::servers::free_port;

use super::server::{found, fresh, run, stored};

fn refused(result: Result<MySqlStore, StoreError>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config, "{error:?}");
    error.source().unwrap().to_string()
}

#[tokio::test]
async fn many_may_migrate_at_once_and_again() {
    let tables = fresh().await;
    let options = || tables.options().connections(1);
    let all = (0..12).map(|_| tokio::spawn(options().connect(tables.url.clone().leak())));
    for store in all.collect::<Vec<_>>() {
        store.await.unwrap().unwrap();
    }
    let store = tables.store().await;
    let record = stored(&store, &[("a", b"1")]).await;
    assert_eq!(found(&tables.store().await, &record).await.fields, record.fields);
}

#[tokio::test]
async fn without_a_migration_missing_tables_are_named_and_the_printed_one_makes_them() {
    let tables = fresh().await;
    let options = || tables.options().migrate(false);
    let text = refused(options().connect(&tables.url).await);
    assert!(text.contains(&format!("{}session", tables.prefix)), "{text}");
    run(&mut tables.db().await, &options().migration_sql().unwrap()).await;
    let store = options().connect(&tables.url).await.unwrap();
    stored(&store, &[]).await;
    // Run again, it leaves everything as it is.
    run(&mut tables.db().await, &options().migration_sql().unwrap()).await;
    assert_eq!(store.count().await.unwrap(), 1);
}

#[tokio::test]
async fn tables_of_another_layout_or_of_somebody_else_are_refused_and_left_alone() {
    let tables = fresh().await;
    tables.store().await;
    let mut db = tables.db().await;
    run(&mut db, &format!("UPDATE {}session_layout SET version = 7", tables.prefix)).await;
    for migrate in [true, false] {
        let text = refused(tables.options().migrate(migrate).connect(&tables.url).await);
        assert!(text.contains("layout 7"), "{text}");
    }
    let tables = fresh().await;
    run(&mut db, &format!("CREATE TABLE {}session (id INT, data TEXT)", tables.prefix)).await;
    let text = refused(tables.options().connect(&tables.url).await);
    assert!(text.contains("prefix"), "{text}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_words() {
    let tables = fresh().await;
    for prefix in ["Shop_", "a-b", "x`; DROP TABLE y", "ü", &"a".repeat(41)] {
        let text = refused(MySqlStore::options().prefix(prefix).connect(&tables.url).await);
        assert!(text.contains("prefix"), "{text}");
    }
    let nothing = tables.url.replace("/sessions", "/nothing");
    assert!(refused(tables.options().connect(&nothing).await).contains("no such database"));
    let text = refused(tables.options().connect(&tables.url.replace("/sessions", "")).await);
    assert!(text.contains("no database"), "{text}");
    let stranger = tables.url.replace("root@", "stranger:hunter2@");
    let text = refused(tables.options().connect(&stranger).await);
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn where_nothing_answers_that_is_said_at_once() {
    let url = format!("mysql://root@127.0.0.1:{}/sessions", free_port());
    let patient = MySqlStore::options().deadline(std::time::Duration::from_secs(3_600));
    let error = patient.connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}

#[tokio::test]
async fn a_url_and_a_pool_open_the_same_store() {
    let tables = fresh().await;
    let pool = sqlx::MySqlPool::connect(&tables.url).await.unwrap();
    let store = tables.options().with_pool(pool).await.unwrap();
    let record = stored(&store, &[("a", b"1")]).await;
    assert_eq!(found(&tables.store().await, &record).await.fields, record.fields);
    // A database of its own: `AnyStore` has no prefix.
    let name = format!("{}any", tables.prefix);
    run(&mut tables.db().await, &format!("CREATE DATABASE {name}")).await;
    let url = tables.url.replace("mysql:", "mariadb:").replace("/sessions", &format!("/{name}"));
    let any = AnyStore::connect(&url).await.unwrap();
    assert_eq!(any.count().await.unwrap(), 0);
    run(&mut tables.db().await, &format!("DROP DATABASE {name}")).await;
}
