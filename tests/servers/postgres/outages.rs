//! Restarts, pauses and lost connections. Each test has a server of its own.

use std::time::Duration;

use session_runtime::__private::patch::Outcome;
use session_runtime::clock::Clock;
use session_runtime::store::{
    PostgresStore, SessionStore, StoreErrorKind,
    contract::{Lookup, Touch},
};
use session_tests::servers::Postgres;

use super::kit::{DATABASE, Opened, add, insert, options, server, value};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_and_a_pause_of_the_server_everything_goes_on() {
    let server = Postgres::start().unwrap();
    let deadline = Duration::from_secs(1);
    let options = options(Clock::system()).deadline(deadline).connections(2);
    let store: PostgresStore = options.connect(&server.url(DATABASE)).await.unwrap();
    let (id, secret) = insert(&store, HOUR).await;

    server.stop();
    let began = tokio::time::Instant::now();
    let error = store.load(id, &[secret], Touch::Never.into()).await.unwrap_err();
    assert!(
        matches!(error.kind(), StoreErrorKind::Unavailable | StoreErrorKind::Timeout),
        "{error:?}"
    );
    assert!(began.elapsed() < 5 * deadline, "{:?}", began.elapsed());
    server.run();
    let found = store.load(id, &[secret], Touch::Never.into()).await.unwrap();
    assert!(matches!(found, Lookup::Found(_)), "{found:?}");

    server.signal("STOP");
    let began = tokio::time::Instant::now();
    let error = store.load(id, &[secret], Touch::Never.into()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error:?}");
    let patch = add("n");
    let outcome = store.apply(id, 1, &patch, None).await;
    assert!(
        matches!(&outcome, Ok(Outcome::Uncertain) | Err(_)),
        "nobody answered, and it says {outcome:?}"
    );
    assert!(began.elapsed() < 10 * deadline, "{:?}", began.elapsed());
    server.signal("CONT");
    let outcome = store.apply(id, 1, &patch, None).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    let Lookup::Found(record) = store.load(id, &[secret], Touch::Never.into()).await.unwrap()
    else {
        panic!("found")
    };
    assert_eq!(record.fields.get("n"), Some(&b"1"[..]), "once, however often it was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_addition_whose_connection_is_killed_counts_once() {
    let opened = Opened::with_clock(Clock::system()).await;
    let schema = opened.schema.0.clone();
    let (id, _) = insert(&opened.store, HOUR).await;
    let (done, mut over) = tokio::sync::oneshot::channel::<()>();
    let killer = tokio::task::spawn_blocking(move || {
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE query LIKE '%{schema}%' AND pid <> pg_backend_pid()"
        );
        let mut killed = 0;
        while over.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Empty) {
            killed += server().psql(DATABASE, &sql).unwrap().parse::<u32>().unwrap();
        }
        killed
    });
    const WRITERS: u32 = 4;
    const EACH: u32 = 100;
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let store = opened.store.clone();
        writers.spawn(async move {
            let mut uncertain = 0;
            for _ in 0..EACH {
                match store.apply(id, 1, &add("n"), None).await.unwrap() {
                    Outcome::Applied(_) => {}
                    // Four others came before it could ask again.
                    Outcome::Uncertain => uncertain += 1,
                    other => panic!("{other:?}"),
                }
            }
            uncertain
        });
    }
    let uncertain: u32 = writers.join_all().await.into_iter().sum();
    done.send(()).unwrap();
    assert!(killed_some(killer.await.unwrap()), "nothing was killed");
    let n: u32 = value(&opened.schema.0, id, "n").parse().unwrap();
    let all = WRITERS * EACH;
    assert!((all - uncertain..=all).contains(&n), "{n} of {all}, {uncertain} uncertain");
}

fn killed_some(killed: u32) -> bool {
    killed > 0
}
