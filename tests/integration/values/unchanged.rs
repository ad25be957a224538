//! A value that was borrowed and not changed is not written.

use std::collections::{HashMap, HashSet};

use session_runtime::store::MemoryStore;
use session_runtime::testing::{Call, SpyStore, TestSession};
use session_runtime::{SessionLayer, SessionSchema};
use session_tests::Tab;
use session_tests::stores::all;

#[derive(SessionSchema)]
struct Shelf {
    #[session(compare)]
    seen: HashSet<u32>,
    #[session(compare)]
    price: f64,
    #[session(compare)]
    stock: HashMap<u32, HashSet<u32>>,
    #[session(ttl = "1h")]
    lately: HashSet<u32>,
    #[session(default = (0..30).collect())]
    offered: HashSet<u32>,
    locale: String,
}

fn fill(session: &mut ShelfSession) {
    session.set_seen((0..30).collect());
    session.set_price(9_007_199_254_740_991.0);
    session.set_stock((0..9).map(|at| (at, (0..9).collect())).collect());
    session.set_lately((0..30).collect());
    session.set_locale("en");
}

fn borrow(session: &mut ShelfSession) {
    assert_eq!(session.seen_mut().len(), 30);
    let bits = session.update(Shelf::PRICE, |price| price.to_bits());
    assert_eq!(bits, 9_007_199_254_740_991.0_f64.to_bits());
    assert_eq!(session.stock_mut().len(), 9);
    assert_eq!(session.lately_mut().len(), 30);
    assert_eq!(session.offered_mut().len(), 30);
    assert!(session.changed_fields().is_empty(), "{:?}", session.changed_fields());
}

#[test]
fn a_set_that_was_borrowed_and_not_changed_is_not_written() {
    let spy = SpyStore::new(MemoryStore::new());
    let t = TestSession::<Shelf>::with_store(spy.clone()).with(fill);
    let before = t.stored();
    spy.take_calls();
    borrow(&mut t.session());
    t.last_commit().unwrap();
    let writes = |call: &Call| matches!(call, Call::Apply { .. } | Call::Create { .. });
    assert!(!spy.calls().iter().any(writes), "{:?}", spy.calls());
    assert_eq!(t.stored().map(|it| it.meta.rev), before.map(|it| it.meta.rev));
}

#[test]
fn a_set_that_was_changed_is_written() {
    let t = TestSession::<Shelf>::new().with(fill);
    let mut session = t.session();
    session.seen_mut().insert(99);
    session.stock_mut().get_mut(&3).unwrap().remove(&4);
    session.lately_mut().clear();
    session.offered_mut().remove(&29);
    drop(session);
    t.last_commit().unwrap();
    let session = t.session();
    assert!(session.seen().contains(&99) && session.seen().len() == 31);
    assert_eq!(session.stock()[&3].len(), 8);
    assert_eq!((session.lately().len(), session.offered().len()), (0, 29));
}

#[tokio::test]
async fn who_borrowed_and_changed_nothing_meets_no_conflict() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone());
        let mut tab = Tab::new(&layer);
        tab.run(|mut s: ShelfSession| async move { fill(&mut s) }).await;
        let other = tab.clone();
        let meanwhile = move |mut s: ShelfSession| async move {
            borrow(&mut s);
            let change = |mut s: ShelfSession| async move {
                s.seen_mut().insert(99);
                s.update(Shelf::PRICE, |price| *price = 0.5);
                s.stock_mut().clear();
            };
            other.ask(change).await.ok();
            s.set_locale("de");
            s.save().await.map_err(|error| error.to_string())
        };
        assert_eq!(tab.run(meanwhile).await.ok(), Ok(()), "{}", under.name);
        let read =
            |s: ShelfSession| async move { (s.seen().len(), s.price(), s.locale().to_owned()) };
        assert_eq!(tab.run(read).await.ok(), (31, 0.5, "de".to_owned()), "{}", under.name);
    }
}

/// What an older program stored has another text, and is the same value.
#[test]
fn a_value_of_an_older_form_is_written_when_it_changes() {
    #[derive(SessionSchema)]
    #[session(handle = OldPage)]
    struct Old {
        #[session(rename = "page")]
        page: HashMap<String, u32>,
    }
    #[derive(Default, serde::Serialize, serde::Deserialize)]
    struct Page {
        size: u32,
        #[serde(default)]
        color: u32,
    }
    #[derive(SessionSchema)]
    struct New {
        #[session(compare)]
        page: Page,
    }
    let store = MemoryStore::new();
    let old = TestSession::<Old>::with_store(store.clone());
    old.session().page_mut().insert("size".to_owned(), 20);
    let cookie = old.cookie().unwrap();
    let new = TestSession::<New>::with_store(store).with_cookie(cookie);
    assert_eq!(new.session().page_mut().size, 20);
    assert_eq!(new.stored().unwrap().fields.get("page"), Some(&br#"{"size":20}"#[..]));
    new.session().page_mut().color = 1;
    let stored = new.stored().unwrap();
    assert_eq!(stored.fields.get("page"), Some(&br#"{"size":20,"color":1}"#[..]));
}
