//! Encrypted connections, to a server that takes no others.

use session_runtime::store::{MySqlStore, SessionStore, StoreErrorKind, contract::EndReason};
use session_tests::servers::{Certificate, MariaDb};
use session_tests::traced::Traced;
use sqlx::{Connection as _, MySqlConnection};

use super::server::{MISSING, add, fresh, run, stored};

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_encrypted_where_the_url_asks_for_it_and_verified_likewise() {
    let directory = tempfile::tempdir().unwrap();
    let Some(files) = Certificate::in_directory(directory.path()) else { return };
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let mut settings = vec![format!("--ssl-cert={certificate}"), format!("--ssl-key={key}")];
    settings.push("--bind-address=127.0.0.1,127.0.0.2".to_owned());
    let Some(server) = MariaDb::start_under(Vec::new(), settings) else { panic!("{MISSING}") };
    let mut db = MySqlConnection::connect(&server.url("")).await.unwrap();
    run(&mut db, "CREATE DATABASE app").await;
    // This one gets in only with TLS.
    run(&mut db, "CREATE USER web@'127.0.0.1' REQUIRE SSL").await;
    run(&mut db, "GRANT ALL ON app.* TO web@'127.0.0.1'").await;
    let url = server.url("app").replace("root@", "web@");

    let plain = MySqlStore::connect(&format!("{url}?ssl-mode=disabled")).await;
    assert_eq!(plain.unwrap_err().kind(), StoreErrorKind::Config);
    let verified = format!("ssl-mode=verify_identity&ssl-ca={certificate}");
    let required = format!("ssl-mode=required&ssl-ca={certificate}");
    for query in ["ssl-mode=preferred", &required, &verified] {
        let store = MySqlStore::connect(&format!("{url}?{query}")).await.unwrap();
        let record = stored(&store, &[("n", b"1")]).await;
        store.apply(record.id, 1, &add(), None).await.unwrap();
        assert!(store.delete(record.id, EndReason::SignedOut).await.unwrap(), "{query}");
    }
    // Nobody signed it whom the world knows.
    let refused = async |url: &str| {
        let error = MySqlStore::connect(url).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Config, "{error:?}");
        std::error::Error::source(&error).unwrap().to_string()
    };
    for mode in ["required", "verify_identity"] {
        let reason = refused(&format!("{url}?ssl-mode={mode}")).await;
        assert!(reason.contains("certificate is refused"), "{reason}");
        assert!(reason.contains("`ssl-ca=…`"), "{reason}");
    }
    // It is for `localhost` and 127.0.0.1.
    for query in [&required, &verified] {
        let elsewhere = format!("{url}?{query}").replace("127.0.0.1", "127.0.0.2");
        let reason = refused(&elsewhere).await;
        assert!(reason.contains("connect by a name that stands in it"), "{reason}");
    }
}

#[tokio::test]
async fn a_server_elsewhere_without_tls_is_reported_and_refused_where_tls_was_asked_for() {
    let tables = fresh().await;
    let traced = Traced::start();
    tables.store().await;
    assert_eq!(traced.warnings("unencrypted"), 0, "this machine: {}", traced.text());
    // Another way to write this machine, and none that has to mean it.
    let url = tables.url.replace("127.0.0.1", "127.1");
    tables.options().connect(&url).await.unwrap();
    assert_eq!(traced.warnings("unencrypted"), 1, "{}", traced.text());
    let pool = sqlx::MySqlPool::connect(&url).await.unwrap();
    tables.options().with_pool(pool).await.unwrap();
    assert_eq!(traced.warnings("unencrypted"), 2, "{}", traced.text());
    // So does whoever stands in between.
    for mode in ["REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"] {
        let error = tables.options().connect(&format!("{url}?ssl-mode={mode}")).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Config, "{mode}: {error:?}");
    }
}
