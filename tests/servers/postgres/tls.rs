//! Encrypted connections, to a server that takes no others.

use session_runtime::clock::Clock;
use session_runtime::store::{PostgresStore, SessionStore, StoreErrorKind, contract::EndReason};
use session_tests::servers::postgres::give;
use session_tests::servers::{Certificate, Postgres};
use session_tests::traced::Traced;

use super::kit::{DATABASE, add, insert, options, server};

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_encrypted_where_the_url_asks_for_it_and_verified_likewise() {
    let server = Postgres::start_with(&["listen_addresses=127.0.0.1,127.0.0.2"]).unwrap();
    let Some(files) = Certificate::in_directory(server.directory()) else { return };
    let (certificate, key) = (files.certificate.display(), files.key.display());
    for sql in [
        "ALTER SYSTEM SET ssl = on",
        &format!("ALTER SYSTEM SET ssl_cert_file = '{certificate}'"),
        &format!("ALTER SYSTEM SET ssl_key_file = '{key}'"),
    ] {
        server.psql(DATABASE, sql).unwrap();
    }
    server.stop();
    give(&files.key);
    let rules = "local all all trust\nhostssl all all 127.0.0.1/32 trust\n";
    std::fs::write(server.directory().join("data/pg_hba.conf"), rules).unwrap();
    server.run();
    let url =
        |query: &str| format!("postgres://postgres@127.0.0.1:{}/{DATABASE}?{query}", server.port());

    let error = PostgresStore::connect(&url("sslmode=disable")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config, "{error:?}");
    let verified = format!("sslmode=verify-full&sslrootcert={certificate}");
    let required = format!("sslmode=require&sslrootcert={certificate}");
    for query in ["sslmode=prefer", &required, &verified] {
        let store = PostgresStore::connect(&url(query)).await.unwrap();
        let (id, _) = insert(&store, std::time::Duration::from_secs(60)).await;
        store.apply(id, 1, &add("n"), None).await.unwrap();
        assert!(store.delete(id, EndReason::SignedOut).await.unwrap());
        let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                         WHERE application_name = 'session-runtime'";
        assert_eq!(server.psql(DATABASE, encrypted).unwrap(), "t", "{query}");
    }
    // Nobody signed it whom the world knows.
    let refused = async |url: &str| {
        let error = PostgresStore::connect(url).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Config, "{error:?}");
        std::error::Error::source(&error).unwrap().to_string()
    };
    for mode in ["require", "verify-full"] {
        let reason = refused(&url(&format!("sslmode={mode}"))).await;
        assert!(reason.contains("certificate is refused"), "{reason}");
        assert!(reason.contains("`sslrootcert=…`"), "{reason}");
    }
    // It is for `localhost` and 127.0.0.1.
    for query in [&required, &verified] {
        let elsewhere = url(query).replace("127.0.0.1", "127.0.0.2");
        let reason = refused(&elsewhere).await;
        assert!(reason.contains("connect by a name that stands in it"), "{reason}");
    }
}

#[tokio::test]
async fn a_server_elsewhere_without_tls_is_reported_and_refused_where_tls_was_asked_for() {
    let traced = Traced::start();
    let options = || options(Clock::system()).schema("public").prefix("tls_");
    options().connect(&server().url(DATABASE)).await.unwrap();
    assert_eq!(traced.warnings("unencrypted"), 0, "this machine: {}", traced.text());
    // Another way to write this machine, and none that has to mean it.
    let url = format!("postgres://postgres:hunter2@127.1:{}/{DATABASE}", server().port());
    options().connect(&url).await.unwrap();
    assert_eq!(traced.warnings("unencrypted"), 1, "{}", traced.text());
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    options().with_pool(pool).await.unwrap();
    assert_eq!(traced.warnings("unencrypted"), 2, "{}", traced.text());
    assert!(!traced.text().contains("hunter2"), "{}", traced.text());
    // So does whoever stands in between.
    for mode in ["require", "verify-ca", "verify-full"] {
        let error = options().connect(&format!("{url}?sslmode={mode}")).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Config, "{mode}: {error:?}");
    }
}
