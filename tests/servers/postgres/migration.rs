//! The tables: created, printed, left alone, refused.

use session_runtime::store::{AnyStore, PostgresStore, SessionStore, StoreError, StoreErrorKind};

use super::kit::{DATABASE, Opened, Schema, new_schema, server};

fn said(error: &StoreError) -> String {
    std::error::Error::source(error).unwrap().to_string()
}

#[tokio::test]
async fn without_migration_missing_tables_are_named_with_the_cure() {
    let options = PostgresStore::options().schema(new_schema()).migrate(false);
    let error = options.connect(&server().url(DATABASE)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    assert!(said(&error).contains("run `migrate()`"), "{}", said(&error));
}

#[tokio::test]
async fn the_printed_script_can_be_run_by_hand_and_twice() {
    let schema = Schema(new_schema());
    let options = PostgresStore::options().schema(&schema.0).table_prefix("my_").migrate(false);
    let script = PostgresStore::migration_sql(&options).unwrap();
    for _ in 0..2 {
        server().psql(DATABASE, &script).unwrap();
    }
    let store = options.connect(&server().url(DATABASE)).await.unwrap();
    assert_eq!(store.count().await.unwrap(), 0);
    let tables = format!("SELECT count(*) FROM {}.my_session_field", schema.0);
    assert_eq!(server().psql(DATABASE, &tables).unwrap(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_create_the_tables_once() {
    let schema = Schema(new_schema());
    let start = |_| {
        let options = PostgresStore::options().schema(&schema.0);
        tokio::spawn(async move { options.connect(&server().url(DATABASE)).await })
    };
    let starting: Vec<_> = (0..4).map(start).collect();
    for node in starting {
        let store = node.await.unwrap().unwrap();
        store.migrate().await.unwrap();
        assert_eq!(store.count().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn tables_of_a_newer_program_are_refused_with_both_versions() {
    let Opened { schema, .. } = Opened::with_clock(Default::default()).await;
    let sql = format!("UPDATE {}.session_layout SET version = 9", schema.0);
    server().psql(DATABASE, &sql).unwrap();
    for migrate in [true, false] {
        let options = PostgresStore::options().schema(&schema.0).migrate(migrate);
        let error = options.connect(&server().url(DATABASE)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Config);
        let text = said(&error);
        assert!(text.contains("layout 9") && text.contains("layout 1"), "{text}");
    }
}

#[tokio::test]
async fn a_table_of_another_program_is_left_alone() {
    let schema = Schema(new_schema());
    let sql = format!("CREATE SCHEMA {0}; CREATE TABLE {0}.session (theirs int)", schema.0);
    server().psql(DATABASE, &sql).unwrap();
    let options = PostgresStore::options().schema(&schema.0);
    let error = options.connect(&server().url(DATABASE)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    assert!(said(&error).contains("belongs to another program"), "{}", said(&error));
}

#[tokio::test]
async fn nobody_at_the_address_is_said_at_once_and_no_password_is_repeated() {
    let port = session_tests::servers::free_port();
    let url = format!("postgres://web:hunter2@127.0.0.1:{port}/shop");
    let error = PostgresStore::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(!format!("{error:?}{}", said(&error)).contains("hunter2"));
    let error = PostgresStore::connect("postgres://web:hunter2@:x/").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    assert!(!format!("{error:?}{}", said(&error)).contains("hunter2"));
}

#[tokio::test]
async fn any_store_opens_it_by_its_url() {
    let store = AnyStore::connect(&server().url(DATABASE)).await.unwrap();
    store.count().await.unwrap();
}
