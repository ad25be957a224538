//! Sign-ins with a cap, patches, sweeps, revocations and deletes at once.

use std::time::Duration;

use session_runtime::__private::patch::{AtLimit, Cap, SignIn};
use session_runtime::__private::record::Principal;
use session_runtime::clock::Clock;
use session_runtime::store::{
    SessionStore,
    contract::{EndReason, Revoke},
};
use tokio::task::JoinSet;

use super::kit::{DATABASE, add, new_schema, options, record, server};

const HOUR: Duration = Duration::from_secs(3600);
const TASKS: u64 = 6;
const ROUNDS: u64 = 80;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_at_once_dead_locks_nobody_and_keeps_every_cap() {
    // A database of its own: the server counts dead-locks per database.
    let database = new_schema();
    server().psql(DATABASE, &format!("CREATE DATABASE {database}")).unwrap();
    let store = options(Clock::system()).connect(&server().url(&database)).await.unwrap();
    let max = 3;
    let cap = Cap { max: max.try_into().unwrap(), at_limit: AtLimit::EvictOldest };
    let sign_in = SignIn { cap: Some(cap), not_revoked_since: None };
    let who = |n: u64| Principal::new("shop", &(n % 2).to_string());
    let mut running = JoinSet::new();
    for task in 0..TASKS {
        let store = store.clone();
        running.spawn(async move {
            for round in 0..ROUNDS {
                let (mut new, _) = record(&store, HOUR);
                let id = new.id;
                new.meta.principal = Some(who(task + round));
                store.create(new.into(), sign_in).await.unwrap();
                let mut patch = add("n");
                patch.meta.principal = Some(Some(who(task + round + 1)));
                patch.meta.sign_in = sign_in;
                store.apply(id, 1, &patch, None).await.unwrap();
                for other in store.list(&who(round), None, 1_000).await.unwrap().records {
                    store.apply(other.id, other.meta.epoch, &add("n"), None).await.unwrap();
                }
                match round % 8 {
                    0 => drop(store.delete(id, EndReason::SignedOut).await.unwrap()),
                    1 => drop(
                        store
                            .revoke(&who(round), Revoke::Others(id), EndReason::OtherDevice, None)
                            .await
                            .unwrap()
                            .ended,
                    ),
                    2 => drop(
                        store
                            .revoke(&who(round), Revoke::All, EndReason::OtherDevice, None)
                            .await
                            .unwrap()
                            .ended,
                    ),
                    3 => drop(store.sweep(100).await.unwrap()),
                    _ => {}
                }
                for n in 0..2 {
                    let live = store.list(&who(n), None, 1_000).await.unwrap().records.len();
                    assert!(live <= max as usize, "{live} sessions of one");
                }
            }
        });
    }
    running.join_all().await;
    // The counters of a backend arrive a moment later.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let sql = format!("SELECT deadlocks FROM pg_stat_database WHERE datname = '{database}'");
    assert_eq!(server().psql(DATABASE, &sql).unwrap(), "0");
}
