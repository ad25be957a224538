//! The tables: created, printed, left alone, refused.

use session_runtime::store::{AnyStore, PostgresStore, SessionStore, StoreError, StoreErrorKind};
use session_tests::servers::Postgres;

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
    let options = PostgresStore::options().schema(&schema.0).prefix("my_").migrate(false);
    let script = options.migration_sql().unwrap();
    for _ in 0..2 {
        server().psql(DATABASE, &script).unwrap();
    }
    let store = options.connect(&server().url(DATABASE)).await.unwrap();
    assert_eq!(store.count().await.unwrap(), 0);
    let view = format!("SELECT count(*) FROM {}.my_session_view", schema.0);
    assert_eq!(server().psql(DATABASE, &view).unwrap(), "0");
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
async fn tables_of_another_layout_are_refused_with_both_versions_and_the_cure() {
    let Opened { schema, .. } = Opened::with_clock(Default::default()).await;
    for (version, cure) in [(9, "run the newer program"), (1, "drop them")] {
        let sql = format!("UPDATE {}.session_layout SET version = {version}", schema.0);
        server().psql(DATABASE, &sql).unwrap();
        for migrate in [true, false] {
            let options = PostgresStore::options().schema(&schema.0).migrate(migrate);
            let error = options.connect(&server().url(DATABASE)).await.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Config);
            let text = said(&error);
            for part in [&*format!("layout {version}"), "layout 2", cure] {
                assert!(text.contains(part), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_when_connecting() {
    let Opened { schema: Schema(schema), .. } = &Opened::with_clock(Default::default()).await;
    let role = new_schema();
    let grants = format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role}; \
         GRANT SELECT ON {schema}.session_layout TO {role}; \
         GRANT SELECT, INSERT, UPDATE, DELETE \
            ON {schema}.session, {schema}.session_revocation TO {role}"
    );
    server().psql(DATABASE, &grants).unwrap();
    let url = server().url(DATABASE).replace("postgres@", &format!("{role}@"));
    let connect = || PostgresStore::options().schema(schema).connect(&url);
    connect().await.unwrap();
    for (right, table) in [
        ("INSERT", "session"),
        ("UPDATE", "session"),
        ("DELETE", "session"),
        ("SELECT", "session"),
        ("INSERT", "session_revocation"),
        ("UPDATE", "session_revocation"),
        ("DELETE", "session_revocation"),
    ] {
        let change =
            |what: &str, to: &str| format!("{what} {right} ON {schema}.{table} {to} {role}");
        server().psql(DATABASE, &change("REVOKE", "FROM")).unwrap();
        let error = connect().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Config);
        let text = said(&error);
        assert!(text.contains("the role may not"), "{text}");
        assert!(text.contains(right) && text.contains(&format!("\"{table}\"")), "{text}");
        server().psql(DATABASE, &change("GRANT", "TO")).unwrap();
    }
    server().psql(DATABASE, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
}

#[tokio::test]
async fn a_server_that_only_reads_is_found_when_connecting() {
    let server = Postgres::start().unwrap();
    PostgresStore::connect(&server.url(DATABASE)).await.unwrap();
    // As a replica is.
    server.stop();
    std::fs::write(server.directory().join("data/standby.signal"), "").unwrap();
    server.run();
    for migrate in [true, false] {
        let options = PostgresStore::options().migrate(migrate);
        let error = options.connect(&server.url(DATABASE)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Config);
        assert!(said(&error).contains("connect to the primary"), "{}", said(&error));
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
