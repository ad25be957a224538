//! More connections than the server takes.

use std::time::Duration;

use session_runtime::clock::Clock;
use session_runtime::store::{
    SessionStore, StoreErrorKind,
    contract::{Lookup, Touch},
};
use sqlx::{Connection as _, PgConnection};

use super::kit::{DATABASE, Opened, insert, new_schema, options, server};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_more_connections_is_said_so_within_the_deadline() {
    let role = new_schema();
    let sql = format!("CREATE ROLE {role} SUPERUSER LOGIN");
    server().psql(DATABASE, &sql).unwrap();
    let url = server().url(DATABASE).replace("postgres@", &format!("{role}@"));
    let deadline = Duration::from_millis(600);
    let options = || options(Clock::system()).deadline(deadline).connections(1);
    let opened = Opened::with(&url, options()).await;
    let (id, secret) = insert(&opened.store, HOUR).await;

    // No superuser from here on, for whom no limit holds; and others have
    // taken all there were. What the store had is gone.
    let grants = format!(
        "ALTER ROLE {role} NOSUPERUSER CONNECTION LIMIT 1; \
         GRANT USAGE ON SCHEMA {0} TO {role}; \
         GRANT ALL ON ALL TABLES IN SCHEMA {0} TO {role};",
        opened.schema.0
    );
    server().psql(DATABASE, &grants).unwrap();
    let end = format!(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{role}'"
    );
    server().psql(DATABASE, &end).unwrap();
    let theirs = PgConnection::connect(&url).await.unwrap();

    let began = tokio::time::Instant::now();
    let error = opened.store.load(id, &[secret], Touch::Never.into()).await.unwrap_err();
    assert!(
        matches!(error.kind(), StoreErrorKind::Timeout | StoreErrorKind::Unavailable),
        "{error:?}"
    );
    assert!(began.elapsed() < 5 * deadline, "{:?}", began.elapsed());
    // Who connects only now is told the reason.
    let error = options().connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert!(reason.contains("too many connections"), "{reason}");

    theirs.close().await.unwrap();
    let mut tries = 0;
    let found = loop {
        match opened.store.load(id, &[secret], Touch::Never.into()).await {
            Ok(found) => break found,
            Err(error) => {
                tries += 1;
                assert!(tries < 10, "there is room again: {error:?}");
            }
        }
    };
    assert!(matches!(found, Lookup::Found(_)), "{found:?}");
}
