//! The task that removes what is due.

use std::time::Duration;

use session_runtime::clock::Clock;
use session_runtime::store::{
    PostgresStore, SessionStore,
    contract::{EndReason, Lookup, Touch},
};
use session_tests::servers::Postgres;
use session_tests::traced::Traced;

use super::kit::{DATABASE, Opened, insert, options, server};
use super::sweeping::{due, rows};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn the_background_goes_on_where_a_whole_step_lives_on() {
    let clock = Clock::frozen(Clock::system().now());
    let opened = Opened::with_clock(clock.clone()).await;
    // More than a step of those whom a visit kept alive, and behind them one
    // that ended.
    let id = "lpad(n::text, 22, 'A')";
    let sql = format!(
        "INSERT INTO {0}.session SELECT (jsonb_populate_record(s, jsonb_build_object(\
            'id', {id}, 'due', 500))).* FROM {0}.session s, generate_series(1, 300) n",
        opened.schema.0
    );
    insert(&opened.store, HOUR).await;
    server().psql(DATABASE, &sql).unwrap();
    due(&opened.store).await;
    assert_eq!(rows(server(), DATABASE, &opened.schema.0), 302);
    let began = tokio::time::Instant::now();
    let options = options(clock).schema(&opened.schema.0).sweep_interval(Duration::from_secs(4));
    let _store = options.connect(&server().url(DATABASE)).await.unwrap();
    until("swept", || rows(server(), DATABASE, &opened.schema.0) == 301).await;
    assert!(began.elapsed() < Duration::from_secs(7), "in the first round");
}

/// Until `so`, for at most ten seconds.
async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..500 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {what}");
}

// On one thread: that is whose events are collected.
#[tokio::test]
async fn the_background_survives_a_restart_of_the_server_and_ends_with_the_last_clone() {
    let traced = Traced::start();
    let server = Postgres::start().unwrap();
    let (every, deadline) = (Duration::from_millis(20), Duration::from_secs(2));
    let options = options(Clock::system()).sweep_interval(every).deadline(deadline);
    let store = options.connect(&server.url(DATABASE)).await.unwrap();
    let sweeps = async |store: &PostgresStore| {
        let (live, secret) = insert(store, HOUR).await;
        due(store).await;
        // What is left of those that were deleted stays for a minute.
        let sessions = "SELECT count(*) FROM sessions.session_view WHERE kind = 'session'";
        until("swept", || server.psql(DATABASE, sessions).unwrap() == "1").await;
        let found = store.load(live, &[secret], Touch::Never.into()).await.unwrap();
        assert!(matches!(found, Lookup::Found(_)), "{found:?}");
        store.delete(live, EndReason::SignedOut).await.unwrap();
    };
    sweeps(&store).await;
    server.stop();
    until("an error is logged", || traced.text().contains("trying again later")).await;
    server.run();
    let mut tries = 0;
    while store.count().await.is_err() {
        tries += 1;
        assert!(tries < 20, "the server is there again");
    }
    sweeps(&store).await;

    let clone = store.clone();
    drop(store);
    sweeps(&clone).await;
    let connected =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'session-runtime'";
    assert_ne!(server.psql(DATABASE, connected).unwrap(), "0");
    drop(clone);
    // The connections go with the store: nobody can be sweeping any more.
    until("disconnected", || server.psql(DATABASE, connected).unwrap() == "0").await;
}
