//! Goes through every order in which a few calls of a store can ask its map.
//!
//! Each call of the map waits until it is let through, one at a time: between two of
//! them nothing happens that others see. Time stands still; it passes only where all
//! calls of the store are pausing.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use session_runtime::clock::Clock;
use session_runtime::store::cas::{CasStore, CompareAndSwap, Keys, ListKeys, Put};
use session_runtime::store::{StoreError, StoreErrorKind, contract::Cursor};
use session_tests::cas::CasMap;
use tokio::sync::oneshot;

tokio::task_local! {
    /// Which of the calls of the store asks.
    static CALL: usize;
}

pub(super) type Store = CasStore<Turns>;
/// One call of the store, and what it says.
pub(super) type Task = Pin<Box<dyn Future<Output = String> + Send>>;

/// A map whose calls wait for their turn.
#[derive(Clone)]
pub(super) struct Turns {
    pub(super) map: CasMap,
    waiting: Arc<Mutex<Vec<Waiting>>>,
}

struct Waiting {
    call: usize,
    is_swap: bool,
    turn: oneshot::Sender<Turn>,
}

/// What becomes of a call whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Done,
    /// It is done, and its answer is lost.
    AnswerLost,
    /// It is lost on the way.
    RequestLost,
}

impl Turns {
    fn new(clock: Clock) -> Self {
        Self { map: CasMap::new(clock), waiting: Arc::default() }
    }

    /// What is done before and after the tasks has no turns.
    async fn turn(&self, is_swap: bool) -> Turn {
        let Ok(call) = CALL.try_with(|call| *call) else { return Turn::Done };
        let (turn, mine) = oneshot::channel();
        self.waiting.lock().unwrap().push(Waiting { call, is_swap, turn });
        mine.await.unwrap()
    }
}

impl CompareAndSwap for Turns {
    type Version = u64;

    fn clock(&self) -> &Clock {
        self.map.clock()
    }

    async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
        self.turn(false).await;
        self.map.get(key).await
    }

    async fn swap(
        &self,
        key: &str,
        expected: Option<&u64>,
        put: Option<Put<'_>>,
    ) -> Result<bool, StoreError> {
        let turn = self.turn(true).await;
        if turn == Turn::RequestLost {
            return Err(lost());
        }
        let done = self.map.swap(key, expected, put).await;
        if turn == Turn::AnswerLost { Err(lost()) } else { done }
    }
}

fn lost() -> StoreError {
    StoreError::new(StoreErrorKind::Timeout)
}

impl ListKeys for Turns {
    async fn keys(&self, from: Option<&Cursor>, limit: usize) -> Result<Keys, StoreError> {
        self.map.keys(from, limit).await
    }
}

/// What happens in one order.
pub(super) struct World {
    pub(super) store: Store,
    pub(super) tasks: Vec<Task>,
}

impl World {
    pub(super) fn new(clock: Clock) -> Self {
        let store = CasStore::listing(Turns::new(clock)).deadline(Duration::from_secs(10));
        Self { store, tasks: Vec::new() }
    }

    /// Another call that runs beside the others.
    pub(super) fn task<F: Future<Output: Into<String>> + Send + 'static>(
        &mut self,
        task: impl FnOnce(Store) -> F,
    ) {
        let task = task(self.store.clone());
        self.tasks.push(Box::pin(async move { task.await.into() }));
    }
}

/// Longer than any pause between two tries.
const PAUSE: Duration = Duration::from_millis(60);

/// Lets everybody come as far as they can: those who pause, too.
async fn settle() {
    tokio::time::sleep(PAUSE).await;
}

/// A way through the choices.
#[derive(Debug)]
enum Path {
    /// Depth first: which choice was taken, of how many.
    All { taken: Vec<(usize, usize)>, at: usize },
    /// By dice, so many times more.
    Some { dice: u64, left: usize },
}

impl Path {
    fn choose(&mut self, among: usize) -> usize {
        match self {
            Self::All { taken, at } => {
                if *at == taken.len() {
                    taken.push((0, among));
                }
                let (choice, of) = &mut taken[*at];
                *of = among;
                *at += 1;
                (*choice).min(among - 1)
            }
            Self::Some { dice, .. } => {
                *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (*dice >> 33) as usize % among
            }
        }
    }

    /// `false` after the last.
    fn next(&mut self) -> bool {
        match self {
            Self::Some { left, .. } => {
                *left -= 1;
                *left > 0
            }
            Self::All { taken, at } => {
                taken.truncate(*at);
                *at = 0;
                while let Some((choice, of)) = taken.last_mut() {
                    *choice += 1;
                    if *choice < *of {
                        return true;
                    }
                    taken.pop();
                }
                false
            }
        }
    }
}

/// Runs what `make` makes in every order, and says how many there are. `faults` of the
/// swaps lose their answer, or never arrive, wherever that may be. `check` gets the
/// answers of the tasks.
pub(super) fn explore(
    faults: usize,
    make: impl AsyncFn() -> World,
    check: impl AsyncFn(Store, Vec<String>),
) -> usize {
    go(Path::All { taken: Vec::new(), at: 0 }, faults, make, check)
}

/// The same for some orders of so many that nobody can wait for all of them.
pub(super) fn sample(
    orders: usize,
    faults: usize,
    make: impl AsyncFn() -> World,
    check: impl AsyncFn(Store, Vec<String>),
) {
    go(Path::Some { dice: 42, left: orders }, faults, make, check);
}

fn go(
    mut path: Path,
    faults: usize,
    make: impl AsyncFn() -> World,
    check: impl AsyncFn(Store, Vec<String>),
) -> usize {
    let mut orders = 0;
    loop {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let world = make().await;
            let (answers, trace) = run(&world.store, world.tasks, faults, &mut path).await;
            let context = Context(Some(format!("{trace:?}, answers {answers:?}")));
            check(world.store, answers).await;
            context.passed();
        });
        orders += 1;
        assert!(orders < 200_000, "too many orders");
        if !path.next() {
            return orders;
        }
    }
}

/// Says in which order a check failed.
struct Context(Option<String>);

impl Context {
    fn passed(mut self) {
        self.0 = None;
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(trace) = &self.0 {
            eprintln!("in this order: {trace}");
        }
    }
}

async fn run(
    store: &Store,
    tasks: Vec<Task>,
    faults: usize,
    path: &mut Path,
) -> (Vec<String>, Vec<(usize, Turn)>) {
    let map = store.map().clone();
    let running: Vec<_> = tasks
        .into_iter()
        .enumerate()
        .map(|(call, task)| tokio::spawn(CALL.scope(call, task)))
        .collect();
    let (mut trace, mut faults) = (Vec::new(), faults);
    loop {
        settle().await;
        let mut waiting: Vec<_> = {
            let mut waiting = map.waiting.lock().unwrap();
            // Who gave up waits no more.
            waiting.retain(|it| !it.turn.is_closed());
            std::mem::take(&mut *waiting)
        };
        if waiting.is_empty() {
            if running.iter().all(tokio::task::JoinHandle::is_finished) {
                break;
            }
            continue;
        }
        waiting.sort_by_key(|it| it.call);
        let choice = path.choose(waiting.len());
        let chosen = waiting.remove(choice);
        let turn = match if faults > 0 && chosen.is_swap { path.choose(3) } else { 0 } {
            0 => Turn::Done,
            1 => Turn::AnswerLost,
            _ => Turn::RequestLost,
        };
        faults -= usize::from(turn != Turn::Done);
        trace.push((chosen.call, turn));
        let _ = chosen.turn.send(turn);
        map.waiting.lock().unwrap().extend(waiting);
    }
    let mut answers = Vec::new();
    for task in running {
        answers.push(task.await.unwrap());
    }
    (answers, trace)
}
