//! Running rules, and concurrent tasks within them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Barrier;
use tokio::task::{JoinError, JoinSet};

use super::fixture::Fixture;
use super::needs::lacking;
use crate::store::SessionStore;

/// Runs `tasks` copies of a task that all start at the same time; returns their results in order.
pub(super) async fn together<T, F>(tasks: usize, task: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(tasks));
    let mut running = JoinSet::new();
    for index in 0..tasks {
        let (start, task) = (start.clone(), task(index));
        running.spawn(async move {
            start.wait().await;
            (index, task.await)
        });
    }
    let mut results = Vec::with_capacity(tasks);
    while let Some(result) = running.join_next().await {
        results.push(joined(result));
    }
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Runs two tasks that start at the same time.
pub(super) async fn both<A, B>(
    one: impl Future<Output = A> + Send + 'static,
    other: impl Future<Output = B> + Send + 'static,
) -> (A, B)
where
    A: Send + 'static,
    B: Send + 'static,
{
    let start = Arc::new(Barrier::new(2));
    let go = start.clone();
    let one = tokio::spawn(async move {
        go.wait().await;
        one.await
    });
    let other = tokio::spawn(async move {
        start.wait().await;
        other.await
    });
    (joined(one.await), joined(other.await))
}

/// Runs `round` up to `most` times; with a slow store it stops after two seconds, but not before
/// the hundredth round.
pub(super) async fn rounds(most: usize, mut round: impl AsyncFnMut(usize)) {
    // Measures the suite itself; no session's lifetime depends on it.
    let start = tokio::time::Instant::now();
    for index in 0..most {
        if index >= 100 && start.elapsed() > Duration::from_secs(2) {
            return;
        }
        round(index).await;
    }
}

/// Opens a store and runs the test of one rule, unless the store does not promise what the rule
/// needs, which is then printed.
#[doc(hidden)]
pub fn check<S, T>(
    rule: &str,
    open: impl Future<Output = Fixture<S>>,
    test: impl FnOnce(Fixture<S>) -> T,
) where
    S: SessionStore,
    T: Future<Output = ()>,
{
    run(rule, async {
        let fixture = open.await;
        match lacking(rule, &fixture.capabilities()) {
            None => test(fixture).await,
            Some(need) => eprintln!("{rule}: not promised by this store (`{need:?}`)"),
        }
    });
}

/// Runs the test of one rule, which fails if the store hangs.
#[doc(hidden)]
pub fn run(rule: &str, test: impl Future<Output = ()>) {
    const PATIENCE: Duration = Duration::from_secs(120);
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    let runtime = built.unwrap_or_else(|error| panic!("{rule}: no tokio runtime: {error}"));
    let outcome = runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await });
    if outcome.is_err() {
        runtime.shutdown_background();
        panic!("{rule}: the store gave no answer within {PATIENCE:?}: a dead-lock?");
    }
}

fn joined<T>(result: Result<T, JoinError>) -> T {
    result.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => panic!("a task of the suite ended early: {error}"),
    })
}
