//! More connections than the server takes.

use std::time::Duration;

use session_runtime::store::{MySqlStore, SessionStore, StoreErrorKind, contract::EndReason};
use session_tests::servers::MariaDb;
use sqlx::{Connection as _, MySqlConnection};

use super::server::{MISSING, run, stored};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_more_connections_is_said_so_within_the_deadline() {
    let Some(server) = MariaDb::start_under(Vec::new(), vec!["--max-connections=10".to_owned()])
    else {
        panic!("{MISSING}")
    };
    let mut first = MySqlConnection::connect(&server.url("")).await.unwrap();
    run(&mut first, "CREATE DATABASE app").await;
    let deadline = Duration::from_millis(600);
    let options = || MySqlStore::options().deadline(deadline).connections(1).sweep_interval(None);
    let store = options().connect(&server.url("app")).await.unwrap();
    let record = stored(&store, &[("n", b"1")]).await;

    // What the store had is gone, and others take all there are.
    let list = "SELECT CAST(id AS CHAR) FROM information_schema.PROCESSLIST WHERE db = 'app'";
    for row in run(&mut first, list).await {
        let id: String = sqlx::Row::get(&row, 0);
        run(&mut first, &format!("KILL {id}")).await;
    }
    let mut others = Vec::new();
    while let Ok(other) = MySqlConnection::connect(&server.url("")).await {
        others.push(other);
        assert!(others.len() < 20, "there is a limit");
    }
    let began = tokio::time::Instant::now();
    let error = store.reload(record.id, 1).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert!(reason.contains("takes no more connections"), "{reason}");
    assert!(began.elapsed() < 5 * deadline, "{:?}", began.elapsed());
    let error = options().connect(&server.url("app")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");

    for other in others {
        other.close().await.unwrap();
    }
    let mut tries = 0;
    while let Err(error) = store.reload(record.id, 1).await {
        tries += 1;
        assert!(tries < 10, "there is room again: {error:?}");
    }
    assert!(store.delete(record.id, EndReason::SignedOut).await.unwrap());
}
