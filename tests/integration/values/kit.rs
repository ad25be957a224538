//! What the test kit finds of values that do not come back.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use session_runtime::testing::TestSession;
use session_runtime::{Session, SessionSchema};

use crate::kit::panic_of;

#[derive(Default, Serialize, Deserialize)]
struct Hits(AtomicU64);

#[derive(Default, Serialize, Deserialize)]
struct Log(Mutex<Vec<String>>);

#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Prices {
    #[default]
    None,
    Known {
        by_item: BTreeMap<u32, u32>,
    },
}

/// Comes back as another text.
mod length {
    pub(super) fn serialize<S: serde::Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&text[..1])
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        from: D,
    ) -> Result<String, D::Error> {
        let text: String = serde::Deserialize::deserialize(from)?;
        Ok(format!("{}{text}", text.len()))
    }
}

/// Never the same twice.
fn another() -> u64 {
    static MADE: AtomicU64 = AtomicU64::new(0);
    MADE.fetch_add(1, Ordering::Relaxed)
}

#[derive(SessionSchema)]
struct Page {
    hits: Hits,
    log: Log,
    prices: Prices,
    #[session(with = "length")]
    short: String,
    tags: HashSet<u32>,
    #[session(default = another())]
    made: u64,
    #[session(ttl = "1m")]
    code: u32,
    locale: String,
}

#[test]
fn a_change_through_a_shared_reference_is_found() {
    let page = || TestSession::<Page>::new().with(|s| s.set_locale("de"));
    let t = page();
    assert_eq!(t.session().hits().0.load(Ordering::Relaxed), 0);
    t.session().hits_mut().0.fetch_add(1, Ordering::Relaxed);
    assert_eq!(t.session().hits().0.fetch_add(1, Ordering::Relaxed), 1, "it was stored");
    let said = panic_of(|| drop(t.last_commit()));
    assert!(said.contains("`hits: Hits` of `Page`") && said.contains("shared reference"), "{said}");

    let t = page();
    t.session().log().0.lock().unwrap().push("seen".to_owned());
    let said = panic_of(|| drop(t.session()));
    assert!(said.contains("`log: Log`"), "{said}");
}

#[test]
fn a_value_that_cannot_be_read_back_is_found() {
    let t = TestSession::<Page>::new();
    t.session().set_prices(Prices::Known { by_item: BTreeMap::from([(1, 2)]) });
    let said = panic_of(|| drop(t.stored()));
    assert!(
        said.contains("`prices: Prices` of `Page`") && said.contains("cannot be read back"),
        "{said}"
    );

    let t = TestSession::<Page>::new();
    t.session().set_short("long");
    let said = panic_of(|| drop(t.cookie()));
    assert!(said.contains("`short: String`") && said.contains("another value"), "{said}");
}

#[tokio::test]
async fn a_router_before_the_kit_is_looked_at_too() {
    let t = TestSession::<Page>::new();
    let hit = |s: Session<Page>| async move {
        s.hits().0.fetch_add(1, Ordering::Relaxed);
    };
    let app: Router = Router::new().route("/", post(hit)).layer(t.layer());
    t.send(&app, http::Request::post("/").body(Body::empty()).unwrap()).await;
    let said = panic_of(|| drop(t.session()));
    assert!(said.contains("`hits: Hits`"), "{said}");
}

#[test]
fn nothing_is_said_of_values_that_come_back() {
    let clock = session_runtime::testing::frozen_clock();
    let store = session_runtime::store::MemoryStore::with_clock(clock.clone());
    let t = TestSession::<Page>::with_store(store).with(|s| {
        s.set_tags((0..30).collect());
        s.set_prices(Prices::None);
        s.set_code(7);
    });
    let mut session = t.session();
    let _ = (session.tags(), session.made(), session.prices(), session.hits(), session.code());
    session.tags_mut().insert(31);
    session.publish();
    assert_eq!(session.tags().len(), 31);
    clock.advance(std::time::Duration::from_secs(61));
    drop(session);
    t.last_commit().unwrap();
    assert_eq!(t.session().tags().len(), 31);
    t.last_commit().unwrap();
}
