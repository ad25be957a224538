//! Runs one program in every order that its clients can come in.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderValue, Request, StatusCode, header};
use session_runtime::__private::patch::Lifetime;
use session_runtime::__private::record::{Meta, Principal, Record};
use session_runtime::__private::token::SessionToken;
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::store::{
    MemoryStore, SessionStore,
    contract::{EndReason, Revoke, Touch},
};
use session_runtime::{Realm, SessionId, SessionLayer};
use shuttle::future::{block_on, spawn, yield_now};
use shuttle::scheduler::{DfsScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, FailurePersistence, Runner};
use tower::{Layer, ServiceExt, service_fn};

use crate::program::{Act, Program, Start, Step};
use crate::schema::{Job, Values, Witness, handle};
use crate::store::{Watched, judge, locked, now};
use crate::world::{Fault, World, realm};

const MINUTE: Duration = Duration::from_secs(60);
/// The store's answer is not waited for longer: only lost answers take time.
const STORE_TIMEOUT: Duration = Duration::from_millis(1);

/// Depth first over the order of store calls: nothing else is a choice. The
/// first task starts the clients and waits; the last one lets time pass, and
/// only when everybody waits for it.
#[derive(Debug)]
struct ByCalls {
    dfs: DfsScheduler,
    /// Clients that are at their first call, or past it.
    begun: Vec<TaskId>,
    clients: usize,
    failed: Arc<AtomicBool>,
}

impl Scheduler for ByCalls {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.begun.clear();
        if self.failed.load(Ordering::Relaxed) { None } else { self.dfs.new_execution() }
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let of = |clients: bool| {
            let tasks = runnable.iter().copied();
            let is_client = |task: &&Task| (1..=self.clients).contains(&usize::from(task.id()));
            tasks.filter(move |task| is_client(task) == clients).collect::<Vec<_>>()
        };
        let (others, clients) = (of(false), of(true));
        let first = others.iter().find(|task| usize::from(task.id()) == 0);
        // Up to its first call a client touches nothing that others see.
        let new = clients.iter().find(|task| !self.begun.contains(&task.id()));
        let choices = match first.or(new) {
            Some(only) => vec![*only],
            None if clients.is_empty() => others,
            None => clients,
        };
        if let [only] = *choices {
            // No choice: how often time is let pass must not count.
            self.begun.push(only.id());
            return Some(only.id());
        }
        self.dfs.next_task(&choices, current, is_yielding)
    }

    fn next_u64(&mut self) -> u64 {
        self.dfs.next_u64()
    }
}

/// The number of orders, or the first one in which something is wrong.
pub(crate) fn explore(program: &Program, fault: Option<(usize, Fault)>) -> Result<Found, String> {
    // Once more with a record of what happened: the orders are the same ones.
    run(program, fault, false).or_else(|_| run(program, fault, true))
}

fn run(program: &Program, fault: Option<(usize, Fault)>, verbose: bool) -> Result<Found, String> {
    let world = Arc::new(Mutex::new(World::default()));
    let clock = Clock::frozen(Timestamp::from_millis(0));
    let inner = MemoryStore::with_clock(clock);
    let failed = Arc::new(AtomicBool::new(false));
    let scheduler = ByCalls {
        dfs: DfsScheduler::new(None, false),
        begun: Vec::new(),
        clients: program.clients.len(),
        failed: Arc::clone(&failed),
    };
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = Arc::new(runtime.map_err(|error| error.to_string())?);
    let _context = runtime.enter();
    let calls = Arc::new(AtomicUsize::new(0));
    let execution = {
        let (world, program, calls) = (Arc::clone(&world), program.clone(), Arc::clone(&calls));
        let store = Watched { inner, world: Arc::clone(&world), fault };
        let layer = SessionLayer::new(store.clone()).store_timeout(STORE_TIMEOUT);
        let layers = [layer.clone(), layer.realm(realm(1).as_str())];
        let runtime = Arc::clone(&runtime);
        move || {
            execute(&program, &store, &layers, &runtime, verbose);
            let world = locked(&world);
            calls.fetch_max(world.calls, Ordering::Relaxed);
            failed.store(world.failure.is_some(), Ordering::Relaxed);
        }
    };
    let executions = Runner::new(scheduler, config).run(execution);
    match locked(&world).failure.take() {
        None => Ok(Found { executions, calls: calls.load(Ordering::Relaxed) }),
        Some(failure) => {
            Err(format!("{program:?}, fault {fault:?}, order {executions}:\n  {failure}"))
        }
    }
}

pub(crate) struct Found {
    pub(crate) executions: usize,
    /// Of the store, in the order that had the most.
    pub(crate) calls: usize,
}

fn execute(
    program: &Program,
    store: &Watched,
    layers: &[SessionLayer; 2],
    runtime: &Arc<tokio::runtime::Runtime>,
    verbose: bool,
) {
    let clients = program.clients.len();
    store.inner.clock().set(Timestamp::from_millis(0));
    *locked(&store.world) = World::new(clients, verbose);
    begin(program.start, store);
    let tasks: Vec<_> = (0..clients)
        .map(|client| {
            let (steps, store) = (program.clients[client].clone(), store.clone());
            spawn(act(client, steps, store, layers.clone()))
        })
        .collect();
    let done = Arc::new(AtomicBool::new(false));
    let time = {
        let (done, runtime) = (Arc::clone(&done), Arc::clone(runtime));
        spawn(async move {
            while !done.load(Ordering::Relaxed) {
                runtime.block_on(tokio::time::sleep(STORE_TIMEOUT));
                yield_now().await;
            }
        })
    };
    for task in tasks {
        let _ = block_on(task);
    }
    done.store(true, Ordering::Relaxed);
    let _ = block_on(time);
    // What nobody waits for is a task of the runtime.
    let waits = || !locked(&store.world).orphans.is_empty();
    for _ in 0..100 {
        if waits() {
            runtime.block_on(tokio::time::sleep(STORE_TIMEOUT));
        }
    }
    end(store);
}

fn begin(start: Start, store: &Watched) {
    let values: &[(&str, &str)] = match start {
        Start::Nothing => return,
        Start::Anonymous => {
            &[("a", "1"), ("n", "1"), ("flash", "1"), ("plant", "1"), ("code", "1")]
        }
        Start::SignedIn => &[("user", "1"), ("a", "1"), ("role", "1"), ("flash", "1"), ("n", "1")],
    };
    let token = SessionToken::generate().expect("random bytes");
    let lifetime =
        Lifetime { idle: Some(30 * MINUTE), absolute: Some(720 * MINUTE), remember: false };
    let at = Timestamp::from_millis(0);
    let mut meta = Meta::new(token.secret_hash(&Realm::default()), at, lifetime);
    if start == Start::SignedIn {
        (meta.principal, meta.authenticated) = (Some(Principal::new("", "1")), Some(at));
    }
    let record = Record::new(token.id(), meta, values.iter().copied().collect());
    let begun = locked(&store.world).begin_with(&record, token.expose());
    locked(&store.world).failure = begun.err();
    let _ = now(store.inner.create(record.into(), Default::default()));
}

async fn act(client: usize, steps: Vec<Step>, store: Watched, layers: [SessionLayer; 2]) {
    for step in steps {
        let (layer, text, acts) = match step {
            Step::Ask(cookie, acts) => {
                (&layers[0], locked(&store.world).asks(client, cookie), acts)
            }
            Step::Elsewhere(acts) => {
                (&layers[1], locked(&store.world).asks_elsewhere(client), acts)
            }
            Step::Wait(minutes) => {
                yield_now().await;
                store.inner.clock().advance(MINUTE * minutes as u32);
                judge(
                    &store.world,
                    || format!("{minutes} minutes"),
                    |world| {
                        world.waited(minutes);
                        Ok(())
                    },
                );
                continue;
            }
            Step::Sweep => {
                yield_now().await;
                while now(store.inner.sweep(1000)).is_ok_and(|swept| swept.more) {}
                judge(
                    &store.world,
                    || "sweep".to_owned(),
                    |world| {
                        world.swept();
                        Ok(())
                    },
                );
                continue;
            }
            Step::RevokeAll(user) => {
                yield_now().await;
                let _ = now(store.inner.revoke(
                    &Principal::new("", &user.to_string()),
                    Revoke::All,
                    EndReason::OtherDevice,
                    None,
                ));
                judge(
                    &store.world,
                    || format!("revoke all of {user}"),
                    |world| {
                        world.revoked(user as i64);
                        Ok(())
                    },
                );
                continue;
            }
        };
        let witness = Client { client, store: store.clone() };
        let mut request = Request::post("/").extension(Job { acts, witness });
        if let Some(text) = text {
            request = request.header(header::COOKIE, format!("__Host-session={text}"));
        }
        let request = request.body(()).expect("a request");
        let service = layer.layer(service_fn(handle::<Client>));
        let Ok(response) = service.oneshot(request).await;
        let cookies = response.headers().get_all(header::SET_COOKIE).iter();
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let cookies: Vec<_> = cookies.map(text).collect();
        let status = response.status().as_u16();
        judge(
            &store.world,
            || format!("answers {status}, {} cookies", cookies.len()),
            |world| world.responds(client, status, &cookies),
        );
    }
}

/// Presents every token that ever left the server.
fn end(store: &Watched) {
    let mut world = locked(&store.world);
    if world.failure.is_some() {
        return;
    }
    let (handed, arrived) = (world.handed.clone(), world.now);
    let verdict = handed.iter().try_for_each(|(text, token)| {
        let presented = SessionToken::parse(text).ok_or("a cookie that is no token")?;
        (0..2).try_for_each(|number| {
            let hash = presented.secret_hash(&realm(number));
            let found = now(store.inner.load(presented.id(), &[hash], Touch::Never.into()));
            let found = found.map_err(|error| error.to_string())?;
            world.agrees(*token, number, arrived, &found)
        })
    });
    let users = (0..2).flat_map(|realm| (1..=3).map(move |user| (realm, user)));
    let listed = users.into_iter().try_for_each(|(number, user)| {
        let principal = Principal::of(&realm(number), "", &user.to_string());
        let listed = now(store.inner.list(&principal, None, 1_000));
        let mut listed: Vec<SessionId> =
            listed.unwrap_or_default().records.iter().map(|it| it.id).collect();
        let theirs = |rec: &&crate::world::Rec| {
            rec.is_live(world.now) && rec.realm == number && rec.values.get("user") == Some(&user)
        };
        let mut must: Vec<_> = world.records.iter().filter(theirs).map(|rec| rec.id).collect();
        listed.sort_unstable();
        must.sort_unstable();
        if listed == must {
            Ok(())
        } else {
            Err(format!("of {user} listed: {listed:?}, must be {must:?}"))
        }
    });
    let count = now(store.inner.count()).unwrap_or(u64::MAX) as usize;
    let live = world.records.iter().filter(|rec| rec.is_live(world.now)).count();
    let counted = if count == live { Ok(()) } else { Err(format!("{count} live, must be {live}")) };
    let left = match world.orphans.is_empty() {
        true => Ok(()),
        false => Err("a session that nobody can open is left".to_owned()),
    };
    if let Err(failure) = verdict.and(listed).and(counted).and(left) {
        world.failure = Some(format!("at the end: {failure}\n    after {:#?}", world.history));
    }
    // The store serves the next order too.
    for rec in &world.records {
        let _ = now(store.inner.delete(rec.id, EndReason::SignedOut));
    }
}

/// Tells the model what a handler does.
#[derive(Clone)]
struct Client {
    client: usize,
    store: Watched,
}

impl Witness for Client {
    fn opened(&self, shown: Values) {
        judge(&self.store.world, || "opened".to_owned(), |world| world.opened(self.client, &shown));
    }

    fn acts(&self, act: Act) {
        judge(
            &self.store.world,
            || format!("{act:?}"),
            |world| {
                // Taking is done when its result is known.
                if let (Some(run), true) = (&mut world.runs[self.client], act != Act::Take) {
                    run.act(act);
                }
                Ok(())
            },
        );
    }

    fn acted(&self, act: Act, result: Result<Option<u32>, StatusCode>, shown: Values) {
        let result = result.map_err(|status| status.as_u16());
        judge(
            &self.store.world,
            || format!("{act:?} → {result:?}"),
            |world| world.acted(self.client, act, result, &shown),
        );
    }

    fn answers(&self, status: StatusCode) {
        let mut world = locked(&self.store.world);
        if let Some(run) = &mut world.runs[self.client] {
            run.answered = Some(status.as_u16());
            // Not even a session: what happened is known to the handler.
            run.error = None;
        }
    }
}
