//! Everything that can go wrong in a session's life, with all that is traced, told in an
//! error and printed on the way.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use session_runtime::__private::patch::Gone;
use session_runtime::keys::KeyRing;
use session_runtime::store::{AnyStore, Limits, MemoryStore, SqliteStore, StoreErrorKind};
use session_runtime::testing::{Fault, FaultStore, Operation, SpyStore};
use session_runtime::{
    AtLimit, Authenticated, Realm, Session, SessionError, SessionLayer, SessionSchema,
};
use session_tests::Tab;
use session_tests::secrets::{Secrets, told};
use session_tests::stores::clock;
use session_tests::traced::Traced;

const USER: &str = "alice@example.org";
const STATE: &str = "oauth-state-4711";
const FLOW: &str = "verifier-of-the-flow";
const NOTE: &str = "a note that is nobody's business";
const PHONE: &str = "the phone of alice";
const ACCESS: &str = "gho_access-token";
const ODD: &str = "what the serializer quotes";
const POINTS: i64 = 4_711_081_500;

#[derive(Clone, Default, Deserialize)]
struct Odd;

impl Serialize for Odd {
    /// As types do that check what they are given.
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(format_args!("`{ODD}` is out of range")))
    }
}

#[derive(SessionSchema)]
struct Account {
    #[session(principal)]
    user: Option<String>,
    #[session(nonce = keyed, ttl = "10m")]
    flows: HashMap<String, String>,
    #[session(compare)]
    note: String,
    #[session(write_once)]
    referrer: Option<String>,
    #[session(listed)]
    device: Option<String>,
    #[session(secret)]
    access: Option<String>,
    #[session(counter)]
    points: i64,
    odd: Option<Odd>,
}

/// The same record, in the eyes of a program that has other types.
#[derive(SessionSchema)]
struct Retyped {
    #[session(on_invalid = error)]
    note: u64,
    device: u64,
}

type Handle = Session<Account>;

/// What was told or printed, besides what was traced.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<String>>);

impl Told {
    fn print(&self, what: &dyn Debug) {
        self.0.lock().unwrap().push_str(&format!("{what:?}\n{what:#?}\n"));
    }

    fn error(&self, error: &SessionError) {
        self.0.lock().unwrap().push_str(&told(error));
    }
}

struct Tour {
    faults: FaultStore<SpyStore<AnyStore>>,
    layer: SessionLayer,
    tab: Tab,
    told: Told,
    secrets: Secrets,
}

impl Tour {
    fn new(store: AnyStore) -> Self {
        let faults = FaultStore::new(SpyStore::new(store));
        let ring: KeyRing = "9vdcVlTgQeVAXWVCKeqVSIhgc5f4Kd7hIbaCQ7PXcJg=".parse().unwrap();
        let layer = SessionLayer::new(faults.clone())
            .keys(ring)
            .conflict_timeout(Duration::from_millis(20))
            .max_sessions(2, AtLimit::Reject)
            .schema::<Account>();
        let mut secrets = Secrets::new();
        secrets.add("a key", "9vdcVlTgQeVAXWVCKeqVSIhgc5f4Kd7hIbaCQ7PXcJg=");
        for (what, value) in [
            ("a principal", USER),
            ("the key of a nonce", STATE),
            ("a nonce", FLOW),
            ("a field", NOTE),
            ("a listed field", PHONE),
            ("a secret field", ACCESS),
            ("what serde said", ODD),
            ("a number", &POINTS.to_string()),
        ] {
            secrets.add(what, value);
        }
        let told = Told::default();
        told.print(&layer);
        Self { faults, tab: Tab::new(&layer), layer, told, secrets }
    }

    /// One request that changes something and saves.
    async fn save(&mut self, change: impl FnOnce(&mut Handle) + Send + 'static) {
        let told = self.told.clone();
        let answer = self.tab.run(|mut s: Handle| async move {
            change(&mut s);
            told.print(&s);
            if let Err(error) = s.save().await {
                told.error(&error);
            }
            told.print(&s);
        });
        answer.await;
        if let Some(cookie) = &self.tab.cookie {
            self.secrets.token(cookie, &Realm::default());
        }
    }

    /// The same, and the layer is the one that saves, or fails to.
    async fn commit(&mut self, change: impl FnOnce(&mut Handle) + Send + 'static) {
        self.tab.run(|mut s: Handle| async move { change(&mut s) }).await;
    }

    /// With one session of the user, in which nothing has gone wrong yet.
    async fn begin_anew(&mut self) {
        self.layer.manager().revoke_all(USER).await.unwrap();
        self.tab.cookie = None;
        self.save(|s| s.set_user(USER)).await;
    }

    async fn everything_fails(&mut self) {
        let kinds = [
            StoreErrorKind::Unavailable,
            StoreErrorKind::Timeout,
            StoreErrorKind::Full,
            StoreErrorKind::Corrupt,
            StoreErrorKind::Config,
            StoreErrorKind::Unsupported,
        ];
        let faults = kinds.into_iter().map(Fault::Fails).chain([
            Fault::AnswerLost,
            Fault::Uncertain,
            Fault::Gone(Gone::Absent),
            Fault::Conflict(Some("note".into())),
        ]);
        for fault in faults {
            for change in [change, |s: &mut Handle| s.set_user(USER)] {
                self.begin_anew().await;
                self.faults.each(Operation::Apply, fault.clone());
                self.save(change).await;
                self.faults.clear();
                self.begin_anew().await;
                self.faults.each(Operation::Apply, fault.clone());
                self.commit(change).await;
                self.faults.clear();
            }
        }
        for kind in kinds {
            for operation in [Operation::Create, Operation::Delete, Operation::Load] {
                let (kept, told) = (self.tab.cookie.clone(), self.told.clone());
                self.faults.each(operation, Fault::Fails(kind));
                self.commit(|s| s.destroy()).await;
                self.tab.cookie = None;
                self.save(|s| s.set_user(USER)).await;
                self.tab.cookie = kept;
                let manager = self.layer.manager();
                self.faults.fail_all(kind);
                told.error(&manager.sessions_of(USER).await.unwrap_err());
                told.error(&manager.revoke_all(USER).await.unwrap_err());
                self.faults.clear();
            }
        }
    }

    async fn everything_is_refused(&mut self) {
        self.begin_anew().await;
        self.save(|s| s.set_flows(STATE, FLOW.repeat(20))).await;
        self.commit(|s| s.set_flows(STATE, FLOW.repeat(20))).await;
        self.save(|s| s.set_flows(STATE.repeat(20), FLOW.to_owned())).await;
        self.commit(|s| s.set_note(NOTE.repeat(20))).await;
        self.save(|s| s.set_odd(Odd)).await;
        self.commit(|s| s.set_odd(Odd)).await;
        self.save(|s| s.set_referrer(NOTE)).await;
        self.save(|s| s.set_referrer(PHONE)).await;
        // Too many, and of somebody else.
        for _ in 0..3 {
            self.tab.cookie = None;
            self.save(|s| s.set_user(USER)).await;
        }
        let told = self.told.clone();
        let retyped = |s: Session<Retyped>| async move { told.print(&s) };
        self.tab.run(retyped).await;
    }

    /// Changes that no response waits for.
    async fn everything_comes_too_late(&mut self) {
        let keep = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&keep);
        self.tab.run(|s: Handle| async move { *kept.lock().unwrap() = Some(s) }).await;
        let mut late = keep.lock().unwrap().take().unwrap();
        change(&mut late);
        late.publish();
        drop(late);
        let kept = Arc::clone(&keep);
        self.tab.run(|s: Handle| async move { *kept.lock().unwrap() = Some(s) }).await;
        let mut late = keep.lock().unwrap().take().unwrap();
        change(&mut late);
        drop(late);
    }

    async fn everything_is_printed(&mut self) {
        let told = self.told.clone();
        let manager = self.layer.manager();
        told.print(&manager.sessions_of(USER).await.unwrap());
        told.print(&manager.login_ticket(USER).unwrap());
        for call in self.faults.inner().calls() {
            told.print(&call);
        }
        let app = axum::Router::new()
            .route(
                "/",
                axum::routing::post(move |who: Authenticated<Account>| async move {
                    told.print(&who);
                }),
            )
            .layer(self.layer.clone());
        let mut client = session_tests::Client::new(&app);
        client.cookies.insert("__Host-session".into(), self.tab.cookie.clone().unwrap());
        assert_eq!(client.post("/").await.status, 200);
    }
}

fn change(s: &mut Handle) {
    s.set_note(NOTE);
    s.set_device(PHONE);
    s.set_access(ACCESS);
    s.set_flows(STATE, FLOW.to_owned());
    s.add_points(POINTS);
}

#[tokio::test]
async fn nothing_that_a_session_holds_is_traced_told_or_printed_when_things_go_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { field: 200, record: 2_000 };
    let sqlite = SqliteStore::options().clock(clock()).limits(limits);
    let sqlite = sqlite.open(directory.path().join("sessions.db")).await.unwrap();
    for (name, store) in [
        ("memory", AnyStore::new(MemoryStore::with_clock(clock()).limits(limits))),
        ("sqlite", AnyStore::new(sqlite)),
    ] {
        let traced = Traced::start();
        let mut tour = Tour::new(store);
        tour.save(|s| s.set_user(USER)).await;
        tour.save(change).await;
        let taken = tour.tab.run(|mut s: Handle| async move { s.consume_flows(STATE).await }).await;
        assert_eq!(taken.ok().unwrap().as_deref(), Some(FLOW), "{name}");
        tour.everything_is_printed().await;
        tour.everything_comes_too_late().await;
        tour.everything_fails().await;
        tour.everything_is_refused().await;
        let (text, told) = (traced.text(), tour.told.0.lock().unwrap().clone());
        tour.secrets.assert_absent("what was traced", &text);
        tour.secrets.assert_absent("what was told", &told);
        // The tour went where it should.
        let failed = "a session could not be saved";
        for seen in ["session saved", "came too late", "after the response had started", failed] {
            assert!(text.contains(seen), "{name}: {seen}");
        }
        for seen in ["Unencodable", "TooLarge", "AlreadySet", "AtLimit", "Uncertain", "Conflict"] {
            assert!(told.contains(seen), "{name}: {seen}");
        }
    }
}
