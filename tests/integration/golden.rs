//! Sessions that released versions stored, under `tests/golden/<version>`: every later
//! version reads them.
//!
//! A release adds its folder, once, and no folder is ever written again:
//!
//! ```sh
//! GOLDEN=0.1.0 cargo test -p session-tests --all-features --test integration golden
//! ```

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::keys::KeyRing;
use session_runtime::store::cas::CasStore;
use session_runtime::store::{AnyStore, SqliteStore};
use session_runtime::{Session, SessionLayer, SessionManager, SessionSchema};
use session_tests::Client;
use session_tests::cas::CasMap;
use session_tests::keys::secret;
use session_tests::stores::clock;

/// One field of each kind.
#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    #[session(default = "en", carry_over)]
    locale: String,
    #[session(counter)]
    visits: u64,
    #[session(counter)]
    balance: i64,
    cart: Vec<String>,
    #[session(flash)]
    notice: Option<String>,
    #[session(nonce = keyed, ttl = "10m")]
    flows: HashMap<String, String>,
    #[session(secret)]
    token: Option<String>,
    #[session(ttl = "2h")]
    code: Option<u32>,
    #[session(renew)]
    role: Option<String>,
}

/// Of a later release of the program than the first.
#[derive(SessionSchema)]
#[session(namespace = "shop", version = 2)]
struct Shop {
    address: Option<String>,
}

/// What a visitor had in hand when the folder was written, and what the pages showed them.
#[derive(Serialize, Deserialize)]
struct Known {
    cookies: BTreeMap<String, String>,
    page: String,
}

#[derive(Serialize, Deserialize)]
struct Folder {
    /// Milliseconds since 1970.
    written_at: u64,
    visitors: BTreeMap<String, Known>,
}

async fn page(session: Option<Session<Visitor>>, shop: Option<Session<Shop>>) -> String {
    let (Some(s), Some(shop)) = (session, shop) else { return "nobody".to_owned() };
    format!(
        "{:?} {} {} {} {} cart, {:?} {:?} {:?} {:?} since {:?}",
        s.user(),
        s.locale(),
        s.visits(),
        s.balance(),
        s.cart().len(),
        s.token(),
        s.code(),
        s.role(),
        shop.address(),
        s.authenticated_at(),
    )
}

async fn notice(mut session: Session<Visitor>) -> String {
    session.take_notice().unwrap_or_default()
}

async fn browse(mut session: Session<Visitor>, mut shop: Session<Shop>) {
    session.add_visits(1);
    session.add_balance(-7);
    session.cart_mut().extend((0..40).map(|n| format!("\"pen\" no. {n} · schön")));
    session.set_code(123_456);
    session.set_notice("Grüße, \u{1F600} \\ \"quoted\"");
    shop.set_address("Straße 1");
}

async fn sign_in(mut session: Session<Visitor>) {
    session.set_user(42);
    session.set_role("editor");
    session.set_token("hunter-2");
    session.remember(Duration::from_secs(30 * 24 * 60 * 60));
}

async fn begin(mut session: Session<Visitor>) {
    session.set_flows("one", "first".to_owned());
    session.set_flows("two", "second".to_owned());
}

async fn finish(mut session: Session<Visitor>) -> String {
    session.consume_flows("two").await.unwrap().unwrap_or_default()
}

fn app(store: AnyStore) -> (Router, SessionManager) {
    let layer = SessionLayer::new(store)
        .schema::<Visitor>()
        .schema::<Shop>()
        .keys(KeyRing::from_bytes(&secret(3)).unwrap())
        .renew_after(Some(Duration::from_secs(20 * 60)));
    let sessions = layer.manager();
    let app = Router::new()
        .route("/", get(page))
        .route("/notice", get(notice))
        .route("/browse", post(browse))
        .route("/sign-in", post(sign_in))
        .route("/begin", post(begin))
        .route("/finish", post(finish))
        .route("/sign-out", post(|mut s: Session<Visitor>| async move { s.destroy() }))
        .layer(layer);
    (app, sessions)
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// Five visitors, and what they have in hand at the end.
async fn life(store: AnyStore, clock: &Clock) -> Folder {
    let (app, sessions) = app(store);
    let names = ["anonymous", "late", "left", "member", "renewed"];
    let mut all = names.map(|name| (name, Client::new(&app)));
    for (name, client) in &mut all {
        client.post("/browse").await;
        if *name != "anonymous" {
            client.post("/sign-in").await;
        }
    }
    // Two renewals by age: the second is under way, but for `late`, who has not seen it.
    for round in 0..2 {
        clock.advance(Duration::from_secs(21 * 60));
        for (name, client) in &mut all {
            let answer = client.ask(http::Method::POST, "/browse").await;
            if round == 0 || *name != "late" {
                client.keep(&answer);
            }
        }
    }
    for (_, client) in &mut all[3..] {
        client.post("/begin").await;
    }
    let (_, left) = &all[2];
    left.ask(http::Method::POST, "/sign-out").await;
    assert_eq!(sessions.sessions_of(&42_u64).await.unwrap().len(), 3);
    let mut visitors = BTreeMap::new();
    for (name, client) in all {
        let page = client.ask(http::Method::GET, "/").await.body;
        visitors.insert(name.to_owned(), Known { cookies: client.cookies, page });
    }
    Folder { written_at: clock.now().as_millis(), visitors }
}

/// The files of a folder: the one for both stores, the file of SQLite, and the values of a
/// map that can compare and swap, in whose form the servers keep sessions too.
const VISITORS: &str = "visitors.json";
const FILE: &str = "sessions.db";
const MAP: &str = "map.json";

async fn sqlite(path: &Path, clock: &Clock) -> SqliteStore {
    SqliteStore::options().clock(clock.clone()).sweep_interval(None).open(path).await.unwrap()
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn write(path: &Path, value: &impl Serialize) {
    std::fs::write(path, serde_json::to_string_pretty(value).unwrap() + "\n").unwrap();
}

/// One folder below `folder` for each kind of store.
async fn release(folder: &Path) {
    let (on_file, on_map) = (folder.join("sqlite"), folder.join("map"));
    for new in [&on_file, &on_map] {
        std::fs::create_dir_all(new).unwrap();
        assert!(!new.join(VISITORS).exists(), "{} was released", new.display());
    }
    let now = clock();
    let store = sqlite(&on_file.join(FILE), &now).await;
    write(&on_file.join(VISITORS), &life(AnyStore::new(store.clone()), &now).await);
    store.close().await.unwrap();

    let now = clock();
    let map = CasMap::new(now.clone());
    let store = AnyStore::new(CasStore::listing(map.clone()));
    write(&on_map.join(VISITORS), &life(store, &now).await);
    let text = |(key, value): (String, Vec<u8>)| (key, String::from_utf8(value).unwrap());
    let values: BTreeMap<_, _> = map.values("").into_iter().map(text).collect();
    write(&on_map.join(MAP), &values);
}

/// Everybody sees what they saw, may go on, and is listed.
async fn assert_read(folder: &Path, open: impl AsyncFn(&Clock) -> AnyStore) {
    let known: Folder = read(&folder.join(VISITORS));
    let at = folder.display();
    for (name, known_as) in &known.visitors {
        let clock = Clock::frozen(Timestamp::from_millis(known.written_at));
        let (app, sessions) = app(open(&clock).await);
        let mut client = Client::new(&app);
        client.cookies = known_as.cookies.clone();
        assert_eq!(client.get("/").await.body, known_as.page, "{at}: {name}");
        assert_eq!(sessions.sessions_of(&42_u64).await.unwrap().len(), 3, "{at}");
        if name == "left" {
            assert_eq!(client.post("/browse").await.status, 409, "{at}: an ended session");
            continue;
        }
        let flow = if ["member", "renewed"].contains(&name.as_str()) { "second" } else { "" };
        assert_eq!(client.post("/finish").await.body, flow, "{at}: {name}");
        assert_eq!(client.get("/notice").await.body, "Grüße, \u{1F600} \\ \"quoted\"", "{at}");
        assert_eq!(client.post("/browse").await.status, 200, "{at}: {name}");
        let page = client.get("/").await.body;
        assert!(page.contains(" 4 -28 160 cart"), "{at}: {name}: {page}");
        clock.advance(Duration::from_secs(31 * 24 * 60 * 60));
        assert_eq!(client.get("/").await.body, "nobody", "{at}: {name}");
    }
}

#[tokio::test]
async fn sessions_of_every_released_version_are_read() {
    if let Ok(version) = std::env::var("GOLDEN") {
        release(&golden().join(version)).await;
    }
    let releases: Vec<_> =
        std::fs::read_dir(golden()).unwrap().map(|it| it.unwrap().path()).collect();
    assert!(!releases.is_empty());
    for release in releases {
        let (on_file, on_map) = (release.join("sqlite"), release.join("map"));
        let copies = tempfile::tempdir().unwrap();
        let copied = std::cell::Cell::new(0);
        assert_read(&on_file, async |clock| {
            copied.set(copied.get() + 1);
            let copy = copies.path().join(copied.get().to_string());
            std::fs::copy(on_file.join(FILE), &copy).unwrap();
            AnyStore::new(sqlite(&copy, clock).await)
        })
        .await;
        assert_read(&on_map, async |clock| {
            let map = CasMap::new(clock.clone());
            for (key, value) in read::<BTreeMap<String, String>>(&on_map.join(MAP)) {
                map.put(&key, value.into_bytes());
            }
            AnyStore::new(CasStore::listing(map))
        })
        .await;
    }
}
