//! What thousands of changes leave behind, in figures. Those of
//! `docs/postgres.md` come from here:
//!
//! ```sh
//! SESSION_TESTS_CHURN=200000 cargo test --release -p session-tests --features servers \
//!     --test servers -- postgres::churn --nocapture
//! ```

use std::time::Duration;

use session_runtime::__private::patch::{FieldOp, Op, Outcome, Patch, SignIn};
use session_runtime::__private::record::{Fields, Principal};
use session_runtime::clock::Clock;
use session_runtime::store::{
    PostgresStore, SessionStore,
    contract::{Created, Lookup, Touch},
};
use session_tests::servers::Postgres;
use tokio::task::JoinSet;

use super::kit::{DATABASE, add, insert, options, record};
use crate::shapes::{large, small};

const IDLE: Duration = Duration::from_secs(30 * 60);
const TASKS: usize = 8;
/// Percent that are HOT. An indexed column that changes makes it none; on the few
/// pages of few sessions, tasks that come at once find no room now and then.
const MOST: u64 = 75;

/// How many changes; ten times as many as there are sessions.
fn changes() -> usize {
    std::env::var("SESSION_TESTS_CHURN").map_or(1_500, |it| it.parse().unwrap())
}

/// On a server of its own: as long as anybody on it is at work, what was there
/// when they began is not reclaimed.
struct Churned<'s> {
    server: &'s Postgres,
    database: &'static str,
    clock: Clock,
    sessions: Vec<Visitor>,
}

type Visitor = (session_runtime::SessionId, session_runtime::__private::token::SecretHash);

impl<'s> Churned<'s> {
    fn new(server: &'s Postgres, database: &'static str) -> Self {
        server.psql(DATABASE, &format!("CREATE DATABASE {database}")).unwrap();
        let clock = Clock::frozen(Clock::system().now());
        Self { server, database, clock, sessions: Vec::new() }
    }

    /// A store, and with it the end of all connections before: only then does
    /// the server count what they did.
    async fn store(&self) -> PostgresStore {
        let options = options(self.clock.clone()).connections(TASKS as u32);
        options.connect(&self.server.url(self.database)).await.unwrap()
    }

    async fn fill(&mut self, sessions: usize, fields: fn(u64) -> Fields) {
        let store = self.store().await;
        let mut filling = JoinSet::new();
        for task in 0..TASKS {
            let store = store.clone();
            filling.spawn(async move {
                let mut filled = Vec::new();
                for n in (task..sessions).step_by(TASKS) {
                    let (mut new, secret) = record(&store, IDLE);
                    new.meta.principal = Some(Principal::new("user", &n.to_string()));
                    new.fields = fields(n as u64);
                    filled.push((new.id, secret));
                    let created = store.create(new.into(), SignIn::default()).await.unwrap();
                    assert_eq!(created, Created::ALONE);
                }
                filled
            });
        }
        self.sessions.extend(filling.join_all().await.concat());
    }

    /// Does something to each session.
    async fn each<F: Future<Output = ()> + Send>(
        &self,
        visit: impl Fn(PostgresStore, Visitor) -> F + Copy + Send + 'static,
    ) {
        let store = self.store().await;
        let mut visiting = JoinSet::new();
        for sessions in self.sessions.chunks(self.sessions.len().div_ceil(TASKS)) {
            let (store, sessions) = (store.clone(), sessions.to_vec());
            visiting.spawn(async move {
                for visitor in sessions {
                    visit(store.clone(), visitor).await;
                }
            });
        }
        visiting.join_all().await;
    }

    fn number(&self, sql: &str) -> u64 {
        self.server.psql(self.database, sql).unwrap().parse().unwrap()
    }

    /// Updates of a table so far, and how many of them left the indexes alone,
    /// once the server has counted `updates`.
    async fn updates(&self, table: &str, updates: u64) -> (u64, u64) {
        let asked =
            |column| format!("SELECT {column} FROM pg_stat_user_tables WHERE relname = '{table}'");
        for _ in 0..500 {
            let all = self.number(&asked("n_tup_upd"));
            if all >= updates {
                return (all, self.number(&asked("n_tup_hot_upd")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("fewer than {updates} updates of {table}");
    }

    /// With indexes and what is stored out of line.
    fn bytes(&self, sessions: u64) -> u64 {
        let sql = "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c \
                   WHERE relnamespace = 'sessions'::regnamespace AND relkind = 'r'";
        self.number(sql) / sessions
    }
}

async fn change(store: PostgresStore, (id, _): Visitor, value: u64) {
    let set = FieldOp::new("visits", Op::set(value.to_string()));
    let outcome = store.apply(id, 1, &Patch::of(vec![set]), None).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
}

async fn visit(store: PostgresStore, (id, secret): Visitor) {
    let seen = store.load(id, &[secret], Touch::IfDue.into()).await.unwrap();
    let Lookup::Found(found) = seen else { panic!("{seen:?}") };
    assert_eq!(found.meta.last_seen, store.clock().now(), "touched");
}

fn percent((before, hot_before): (u64, u64), (after, hot_after): (u64, u64)) -> u64 {
    100 * (hot_after - hot_before) / (after - before)
}

async fn churn(server: &Postgres, name: &'static str, fields: fn(u64) -> Fields, sessions: usize) {
    let mut churned = Churned::new(server, name);
    churned.fill(sessions, fields).await;
    let fresh = churned.bytes(sessions as u64);
    let each = sessions as u64;

    let rounds = (changes() / sessions / 2).max(1) as u64;
    for round in 1..=rounds {
        churned.each(move |store, visitor| change(store, visitor, round)).await;
    }
    let records = churned.updates("session", rounds * each).await;
    let changed = percent((0, 0), records);

    let mut done = records.0;
    for _ in 0..rounds {
        churned.clock.advance(IDLE / 9);
        churned.each(visit).await;
        done += each;
    }
    let touched = percent(records, churned.updates("session", done).await);

    // People come and go: a tenth of them each time.
    let store = churned.store().await;
    for round in 0..rounds {
        churned.clock.advance(IDLE / 5);
        churned.each(visit).await;
        churned.each(move |store, visitor| change(store, visitor, round)).await;
        churned.sessions.drain(..sessions / 10);
        churned.fill(sessions / 10, fields).await;
        while store.sweep(256).await.unwrap().more {}
    }
    let live = store.count().await.unwrap();
    let left = churned.bytes(live);
    println!(
        "{name}: {sessions} sessions, {} changes and as many touches; HOT: changes {changed} %, \
         touches {touched} %; bytes of a session: {fresh} freshly filled, {left} in the end ({live} live)",
        2 * rounds * each
    );
    assert!(changed >= MOST, "{changed} % of the changes left the indexes alone");
    assert!(touched >= MOST, "{touched} % of the touches left the indexes alone");
    // A table that several extend at once grows by a hundred pages and more.
    let ahead = (2 << 20) / live;
    assert!(left <= 2 * fresh + ahead, "{left} bytes of a session, {fresh} when they were new");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_and_touches_leave_the_indexes_alone_and_no_bloat() {
    let server = Postgres::start().unwrap();
    churn(&server, "small", small, (changes() / 10).max(150)).await;
    churn(&server, "large", large, (changes() / 40).max(40)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_one_session_leave_no_bloat() {
    let server = Postgres::start().unwrap();
    let churned = Churned::new(&server, "one");
    let store = churned.store().await;
    let (id, _) = insert(&store, IDLE).await;
    for _ in 0..2_000 {
        let outcome = store.apply(id, 1, &add("n"), None).await.unwrap();
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    }
    // Without any vacuum: the versions of a row stay on its page, and make
    // room for the next ones.
    let size = churned.number("SELECT pg_table_size('sessions.session')");
    assert!(size < 128 << 10, "{size} bytes");
}
