//! What concurrent clients really saw, on both stores, explained by some order
//! of the steps of their requests on the plain model.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use http::{Request, StatusCode, header};
use session_runtime::SessionLayer;
use session_runtime::store::{MemoryStore, SessionStore, SqliteStore};
use tower::{Layer, ServiceExt, service_fn};

use crate::program::Act::{self, *};
use crate::run::{Ending, Need, Origin, Run, SetCookie, Token, Wanted, last_after};
use crate::schema::{Job, Values, Witness, handle};

const CLIENTS: usize = 4;

/// One request as its client saw it.
#[derive(Clone, Debug, Default)]
struct Seen {
    asked: u64,
    answered: u64,
    cookie: Option<String>,
    acts: Vec<Act>,
    shown: Values,
    taken: Vec<Option<u32>>,
    handler: u16,
    status: u16,
    set: Option<String>,
}

/// A record and its tokens; a token is named after the request that got it.
#[derive(Clone, Debug, Hash)]
struct Plain {
    values: Values,
    /// Whose it was last, if it is nobody's.
    last: Option<i64>,
    epoch: u64,
    token: Token,
    retired: Vec<Token>,
    ended: bool,
}

#[derive(Clone, Debug, Default, Hash)]
struct State {
    records: Vec<Plain>,
    /// Requests that are under way.
    runs: Vec<Option<Run>>,
    done: Vec<bool>,
}

struct History {
    requests: Vec<Seen>,
    /// Of each request, the one whose answer gave it its cookie.
    presented: Vec<Option<Token>>,
}

impl History {
    fn new(requests: Vec<Seen>) -> Self {
        let from = |cookie: &String| requests.iter().position(|it| it.set.as_ref() == Some(cookie));
        let presented = requests.iter().map(|it| it.cookie.as_ref().and_then(from)).collect();
        Self { requests, presented }
    }

    /// Whether some order explains all that was seen (Wing and Gong's search:
    /// a request may begin once all that were answered before are done).
    fn is_explained(&self) -> bool {
        let all = self.requests.len();
        let begin = State { runs: vec![None; all], done: vec![false; all], ..State::default() };
        let (mut open, mut known) = (vec![begin], HashSet::new());
        while let Some(state) = open.pop() {
            if state.done.iter().all(|done| *done) {
                return true;
            }
            let undone = (0..all).filter(|it| !state.done[*it]);
            let first = undone.clone().map(|it| self.requests[it].answered).min().unwrap_or(0);
            for request in undone.filter(|it| self.requests[*it].asked < first) {
                let mut next = state.clone();
                if self.step(&mut next, request) {
                    let mut hasher = DefaultHasher::new();
                    next.hash(&mut hasher);
                    if known.insert(hasher.finish()) {
                        open.push(next);
                    }
                }
            }
        }
        false
    }

    /// One step of a request: its load, one write, or its end. `false` if that
    /// is not what was seen.
    fn step(&self, state: &mut State, request: usize) -> bool {
        let seen = &self.requests[request];
        let Some(mut run) = state.runs[request].take() else {
            let mut run = load(state, self.presented[request]);
            if visible(&run.view()) != visible(&seen.shown) {
                return false;
            }
            let mut taken = seen.taken.iter();
            for act in &seen.acts {
                if *act == Take {
                    let flash = run.view().get("flash").map(|flash| *flash as u32);
                    if taken.next() != Some(&flash) {
                        return false;
                    }
                }
                run.act(*act);
            }
            state.runs[request] = Some(run);
            return true;
        };
        let keep = seen.handler < 500;
        let error = match run.need(keep) {
            Need::Nothing => None,
            Need::Forbidden => Some(409),
            Need::Lost { explicit } => {
                run.lost |= explicit;
                None
            }
            Need::Delete(record) if run.ending.is_some() => {
                state.records[record].ended = true;
                if let Some(ending) = run.ending.take() {
                    run.succeeded(ending);
                }
                state.runs[request] = Some(run);
                return true;
            }
            Need::Delete(record) => {
                let was_live = !std::mem::replace(&mut state.records[record].ended, true);
                run.destroyed(record, was_live);
                state.runs[request] = Some(run);
                return true;
            }
            Need::Create { values, ends } => {
                let (new, token) = (state.records.len(), request);
                match ends {
                    Some(former) => {
                        let values = values.clone();
                        run.ending =
                            Some(Ending { former, new, token, values, epoch: 1, joined: false });
                    }
                    None => {
                        run.forget();
                        run.origin = Origin::Stored { record: new, epoch: 1 };
                        (run.seen, run.last) = (values.clone(), None);
                        run.cookie = Some(SetCookie::Token(token));
                    }
                }
                let (last, retired) = (None, Vec::new());
                state.records.push(Plain { values, last, epoch: 1, token, retired, ended: false });
                state.runs[request] = Some(run);
                return true;
            }
            Need::Apply(wanted) => {
                if !apply(state, &mut run, &wanted, request) {
                    return false;
                }
                state.runs[request] = Some(run);
                return true;
            }
        };
        state.done[request] = true;
        let status = error.or(run.lost.then_some(409)).unwrap_or(seen.handler);
        let cookie = match (run.cookie, seen.set.as_deref()) {
            (None, None) | (Some(SetCookie::Remove), Some("")) => true,
            (Some(SetCookie::Token(_)), Some(text)) => !text.is_empty(),
            _ => false,
        };
        status == seen.status && cookie
    }
}

fn load(state: &State, presented: Option<Token>) -> Run {
    let mut run = Run::new(presented);
    let Some(token) = presented else { return run };
    for (record, plain) in state.records.iter().enumerate() {
        let (is, was) = (plain.token == token, plain.retired.contains(&token));
        if is && !plain.ended {
            run.origin = Origin::Stored { record, epoch: plain.epoch };
            run.seen.clone_from(&plain.values);
            run.last = plain.last;
        } else if is || was {
            run.origin = Origin::Retired { was: None, before: false };
        }
    }
    run
}

fn apply(state: &mut State, run: &mut Run, wanted: &Wanted, request: usize) -> bool {
    let Origin::Stored { record, epoch } = run.origin else { return false };
    let plain = &mut state.records[record];
    if plain.ended || plain.epoch != epoch {
        match wanted.signs_in {
            true => run.fork = Some((!plain.ended).then(|| run.seen.clone())),
            false => run.is_gone(wanted.explicit),
        }
        return true;
    }
    if wanted.minds.iter().any(|name| plain.values.get(name) != run.seen.get(name)) {
        run.seen.clone_from(&plain.values);
        return true;
    }
    let before = plain.values.clone();
    for (name, change) in &wanted.changes {
        if run.change(&mut plain.values, name, *change).is_err() {
            return false;
        }
    }
    plain.last = last_after(&before, &plain.values, plain.last);
    let token = wanted.raises.then_some(request);
    if let Some(token) = token {
        plain.retired.push(std::mem::replace(&mut plain.token, token));
        plain.epoch += 1;
    }
    run.stored(wanted, token);
    true
}

/// What reading shows, without defaults and what only taking shows.
fn visible(values: &Values) -> Values {
    let mut visible = values.clone();
    visible.retain(|name, value| !["flash", "code"].contains(name) && *value != 0);
    visible
}

#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Seen>>);

impl Witness for Recorder {
    fn opened(&self, shown: Values) {
        self.0.lock().unwrap().shown = shown;
    }

    fn acts(&self, _: Act) {}

    fn acted(&self, act: Act, result: Result<Option<u32>, StatusCode>, _: Values) {
        if act == Take {
            self.0.lock().unwrap().taken.push(result.ok().flatten());
        }
    }

    fn answers(&self, status: StatusCode) {
        self.0.lock().unwrap().handler = status.as_u16();
    }
}

async fn ask(
    layer: &SessionLayer,
    time: &AtomicU64,
    cookie: Option<String>,
    acts: Vec<Act>,
) -> Seen {
    let recorder = Recorder::default();
    let job = Job { acts: acts.clone(), witness: recorder.clone() };
    let mut request = Request::post("/").extension(job);
    if let Some(cookie) = &cookie {
        request = request.header(header::COOKIE, format!("__Host-session={cookie}"));
    }
    let service = layer.layer(service_fn(handle::<Recorder>));
    let asked = time.fetch_add(1, Ordering::SeqCst);
    let Ok(response) = service.oneshot(request.body(()).unwrap()).await;
    let answered = time.fetch_add(1, Ordering::SeqCst);
    let cookies: Vec<_> = response.headers().get_all(header::SET_COOKIE).iter().collect();
    assert!(cookies.len() <= 1, "several cookies: {cookies:?}");
    let value = |text: &str| text.split(';').next().unwrap().split_once('=').unwrap().1.to_owned();
    let set = cookies.first().map(|cookie| value(cookie.to_str().unwrap()));
    let status = response.status().as_u16();
    let seen = recorder.0.lock().unwrap().clone();
    Seen { asked, answered, cookie, acts, status, set, ..seen }
}

/// A repeatable source of choices (xorshift).
fn roll(dice: &mut u64, sides: u64) -> u64 {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    *dice % sides
}

fn random_acts(dice: &mut u64, number: u32) -> Vec<Act> {
    let mut acts = vec![Pause];
    for _ in 0..=roll(dice, 2) {
        acts.push(match roll(dice, 25) {
            0..4 => A(number),
            4..7 => B(number),
            7..11 => Add(1 << (number % 12)),
            11 => Flash(number),
            12 => Take,
            13..16 => Bits(1 << (number % 16)),
            16 => Exact(number),
            17 => Once(number),
            18 => Role(number),
            19 => Renew,
            // Of two users of its own: what a sign-in that is sent twice comes to has an
            // order only where it is known which of them was the first.
            20 => SignIn(u64::from(number - 2) / 8 * 2 + 1),
            21 => SignIn(u64::from(number - 2) / 8 * 2 + 2),
            22 => SignOut,
            23 => Kept(number),
            _ if roll(dice, 2) == 0 => Destroy,
            _ => Plant(number),
        });
        acts.push(Pause);
    }
    acts
}

/// Some clients with the same cookie, each going on with the cookies it gets,
/// and then everybody looks.
async fn record(layer: SessionLayer, seed: u64, requests: u32) -> History {
    let time = Arc::new(AtomicU64::new(0));
    let first = ask(&layer, &time, None, vec![A(1), Add(1), Plant(1), Flash(1)]).await;
    let meet = Arc::new(tokio::sync::Barrier::new(CLIENTS));
    let clients = (0..CLIENTS as u32).map(|client| {
        let (layer, time, meet) = (layer.clone(), Arc::clone(&time), Arc::clone(&meet));
        let mut jar = first.set.clone();
        tokio::spawn(async move {
            let mut dice = (seed * 31 + u64::from(client) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut all = Vec::new();
            meet.wait().await;
            for request in 0..=requests {
                let number = 2 + client * 8 + request;
                let last = request == requests;
                if last {
                    meet.wait().await;
                }
                let acts = if last { vec![Read] } else { random_acts(&mut dice, number) };
                let seen = ask(&layer, &time, jar.clone(), acts).await;
                if let Some(set) = &seen.set {
                    jar = Some(set.clone()).filter(|set| !set.is_empty());
                }
                all.push(seen);
            }
            all
        })
    });
    let clients: Vec<_> = clients.collect();
    let mut all = vec![first];
    for client in clients {
        all.extend(client.await.unwrap());
    }
    History::new(all)
}

async fn histories(store: impl SessionStore, rounds: u64) {
    let layer = SessionLayer::new(store);
    let mut overlaps = 0;
    for round in 0..rounds {
        let history = record(layer.clone(), round + 1, 3).await;
        let all = &history.requests;
        let overlap =
            |one: &Seen| all.iter().any(|it| it.asked < one.asked && one.asked < it.answered);
        overlaps += all.iter().filter(|one| overlap(one)).count();
        assert!(history.is_explained(), "round {round}: no order explains {all:#?}");
    }
    println!("{rounds} histories, {overlaps} requests beside others");
    assert!(overlaps as u64 > rounds, "hardly anything happened at the same time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_concurrent_clients_see_in_memory_has_an_order() {
    histories(MemoryStore::new(), 400).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_concurrent_clients_see_in_sqlite_has_an_order() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("sessions.db")).await.unwrap();
    histories(store, 150).await;
}
