//! Encrypted connections, to a server that takes no others.

use session_runtime::store::{EndedBy, MySqlStore, SessionStore, StoreErrorKind};
use session_tests::servers::{Certificate, MariaDb};
use sqlx::{Connection as _, MySqlConnection};

use super::server::{MISSING, add, run, stored};

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
    for query in ["ssl-mode=required", &verified] {
        let store = MySqlStore::connect(&format!("{url}?{query}")).await.unwrap();
        let record = stored(&store, &[("n", b"1")]).await;
        store.apply(record.id, 1, &add(), None).await.unwrap();
        assert!(store.delete(record.id, EndedBy::Browser).await.unwrap(), "{query}");
    }
    // Nobody signed it whom the world knows.
    let refused = async |url: &str| {
        let error = MySqlStore::connect(url).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Config, "{error:?}");
        std::error::Error::source(&error).unwrap().to_string()
    };
    let reason = refused(&format!("{url}?ssl-mode=verify_identity")).await;
    assert!(reason.contains("certificate is refused"), "{reason}");
    assert!(reason.contains("`ssl-ca=…`"), "{reason}");
    // It is for `localhost` and 127.0.0.1.
    let elsewhere = format!("{url}?{verified}").replace("127.0.0.1", "127.0.0.2");
    let reason = refused(&elsewhere).await;
    assert!(reason.contains("connect by a name that stands in it"), "{reason}");
}
