//! Changes alone, in a file of SQLite: what it is worth that one commit carries many.

use std::time::Duration;

use session_benches::scenario::{Size, Who};
use session_benches::shape::{Large, Shape, Small, next_user};
use session_benches::stats::median;
use session_benches::subjects::by_hand::json::{Texts as _, encode};
use session_benches::subjects::by_hand::sqlite::{self, Threads};
use session_benches::subjects::service::Engine;
use session_runtime::__private::patch::{FieldOp, Lifetime, Op, Outcome, Patch, SignIn};
use session_runtime::__private::record::{Meta, Record};
use session_runtime::__private::token::SecretHash;
use session_runtime::SessionId;
use session_runtime::clock::Clock;
use session_runtime::store::{SessionStore as _, SqliteStore};

use super::place::Place;
use super::rounds::database;
use crate::load::{IN_FLIGHT, Round, Visitor};
use crate::options::Options;
use crate::turns::{Meter, take_turns};

/// Acknowledged changes a second of each of [`Who::ON_SQL`]; NaN of the library, whose
/// store has no such thing.
pub(crate) async fn per_second(place: &Place, options: &Options, size: Size) -> Vec<f64> {
    match size {
        Size::Small => measure::<Small>(place, options).await,
        Size::Large => measure::<Large>(place, options).await,
    }
}

async fn measure<S: Shape + 'static>(place: &Place, options: &Options) -> Vec<f64> {
    let [Engine::Sqlite(by_hand), Engine::Sqlite(ours)] =
        [place.empty(&database(Who::ByHand)).await, place.empty(&database(Who::Ours)).await]
    else {
        return vec![f64::NAN; 3];
    };
    let store = SqliteStore::options().sweep_interval(None).open(ours).await.expect("a file");
    let threads = sqlite::open(&by_hand);
    let mut subjects = [(Vec::new(), Rate), (Vec::new(), Rate)];
    for number in 0..IN_FLIGHT {
        let (one, other) = (S::of(next_user()), S::of(next_user()));
        subjects[0].0.push(Session::by_hand(threads.clone(), format!("{number:043}"), one).await);
        subjects[1].0.push(Session::ours(store.clone(), number, &other).await);
    }
    let seen = take_turns(&mut subjects, options).await;
    vec![median(&seen[0]), f64::NAN, median(&seen[1])]
}

/// A session that is changed again and again.
enum Session<S> {
    ByHand { threads: Threads, key: String, value: S },
    Ours { store: SqliteStore, id: SessionId, visits: u32 },
}

impl<S: Shape> Session<S> {
    async fn by_hand(mut threads: Threads, key: String, value: S) -> Self {
        threads.add(&key, encode(&value)).await;
        Self::ByHand { threads, key, value }
    }

    async fn ours(store: SqliteStore, number: usize, value: &S) -> Self {
        const IDLE: Duration = Duration::from_secs(30 * 60);
        let id = SessionId::from_bytes((number as u128).to_le_bytes());
        let lifetime = Lifetime { idle: Some(IDLE), absolute: None, remember: false };
        let secret = SecretHash::from_bytes([1; 32]);
        let meta = Meta::new(secret, Clock::system().now(), lifetime);
        let fields = serde_json::to_value(value).expect("encodes");
        let fields = fields.as_object().into_iter().flatten();
        let fields = fields.map(|(name, value)| (name, value.to_string())).collect();
        let record = Record::new(id, meta, fields);
        store.create(record.into(), SignIn::default()).await.expect("stored");
        Self::Ours { store, id, visits: 0 }
    }
}

impl<S: Shape + 'static> Visitor for Session<S> {
    async fn visit(&mut self) {
        match self {
            Self::ByHand { threads, key, value } => {
                *value.visits_mut() += 1;
                threads.set(key, encode(value)).await;
            }
            Self::Ours { store, id, visits } => {
                *visits += 1;
                let set = Op::set(visits.to_string());
                let patch = Patch::of(vec![FieldOp::new("visits", set)]);
                let outcome = store.apply(*id, 1, &patch, None).await.expect("stored");
                assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
            }
        }
    }
}

struct Rate;

impl Meter for Rate {
    type Before = ();
    type Seen = f64;

    async fn begin(&self) {}

    async fn end(&self, (): (), round: &Round) -> f64 {
        round.per_second()
    }
}
