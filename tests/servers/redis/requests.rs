//! What goes over the wire, request by request.

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::store::{
    RedisStore, SessionStore,
    contract::{Lookup, Touch},
};
use session_runtime::{Session, SessionLayer, SessionSchema};
use session_tests::Client;
use session_tests::servers::{Proxy, redis};

use super::records::created;

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user_id: Option<u64>,
    #[session(counter)]
    visits: u64,
    locale: String,
}

/// 10 integers, 30 strings of 64 bytes, 10 lists of 5 strings.
#[derive(SessionSchema)]
struct Large {
    i0: u64,
    i1: u64,
    i2: u64,
    i3: u64,
    i4: u64,
    i5: u64,
    i6: u64,
    i7: u64,
    i8: u64,
    i9: u64,
    s0: String,
    s1: String,
    s2: String,
    s3: String,
    s4: String,
    s5: String,
    s6: String,
    s7: String,
    s8: String,
    s9: String,
    s10: String,
    s11: String,
    s12: String,
    s13: String,
    s14: String,
    s15: String,
    s16: String,
    s17: String,
    s18: String,
    s19: String,
    s20: String,
    s21: String,
    s22: String,
    s23: String,
    s24: String,
    s25: String,
    s26: String,
    s27: String,
    s28: String,
    s29: String,
    v0: Vec<String>,
    v1: Vec<String>,
    v2: Vec<String>,
    v3: Vec<String>,
    v4: Vec<String>,
    v5: Vec<String>,
    v6: Vec<String>,
    v7: Vec<String>,
    v8: Vec<String>,
    v9: Vec<String>,
}

async fn through(proxy: &Proxy) -> RedisStore {
    let options = RedisStore::options().prefix(redis::fresh_prefix());
    let store = options.connect(&format!("redis://127.0.0.1:{}", proxy.port)).await.unwrap();
    proxy.commands();
    store
}

/// What a load sends, in one go.
const READ: [&str; 2] = ["TIME", "MGET"];

/// The names of the commands since the last time.
fn names(proxy: &Proxy) -> Vec<String> {
    proxy.commands().into_iter().map(|(words, _)| words[0].clone()).collect()
}

#[tokio::test]
async fn a_request_asks_the_server_no_more_often_than_it_must() {
    let Some(server) = redis::single() else { return };
    let proxy = Proxy::to(server.port);
    let store = through(&proxy).await;
    type S = Session<Visitor>;
    let app = Router::new()
        .route("/untouched", get(|| async {}))
        .route("/read", get(|s: S| async move { s.visits().to_string() }))
        .route("/change", post(|mut s: S| async move { s.add_visits(1) }))
        .route("/sign-in", post(|mut s: S| async move { s.set_user_id(7) }))
        .route(
            "/renew",
            post(|mut s: S| async move {
                s.regenerate();
                s.add_visits(1)
            }),
        )
        .route("/logout", post(|mut s: S| async move { s.destroy() }))
        .layer(SessionLayer::new(store));
    let mut first = Client::new(&app);
    // The first time the server learns the scripts.
    for path in ["/change", "/change", "/sign-in", "/renew", "/logout"] {
        first.post(path).await;
    }
    names(&proxy);
    let mut client = Client::new(&app);
    let script = "EVALSHA";
    client.get("/untouched").await;
    assert!(names(&proxy).is_empty(), "a request that asks for no session");
    client.get("/read").await;
    assert!(names(&proxy).is_empty(), "a visitor of whom nothing is known");
    client.post("/change").await;
    assert_eq!(names(&proxy), ["SET"], "a new session");
    client.get("/untouched").await;
    assert!(names(&proxy).is_empty(), "a request with a cookie that asks for no session");
    assert_eq!(client.get("/read").await.body, "1");
    assert_eq!(names(&proxy), READ, "a request that reads");
    client.post("/change").await;
    assert_eq!(names(&proxy), [READ[0], READ[1], script], "a request that reads and changes");
    client.post("/sign-in").await;
    assert_eq!(names(&proxy), [READ[0], READ[1], script], "a sign-in");
    client.post("/renew").await;
    assert_eq!(names(&proxy), [READ[0], READ[1], script], "a renewal with a change");
    client.post("/logout").await;
    assert_eq!(names(&proxy), [READ[0], READ[1], script], "a logout");
}

#[tokio::test]
async fn a_touch_that_is_due_is_one_more_request_once_a_tenth_of_the_idle_timeout() {
    let Some(server) = redis::single() else { return };
    let proxy = Proxy::to(server.port);
    let clock = Clock::frozen(Timestamp::from_millis(1_700_000_000_000));
    let options = RedisStore::options().prefix(redis::fresh_prefix()).clock(clock.clone());
    let url = format!("redis://127.0.0.1:{}", proxy.port);
    let (store, other) =
        (options.clone().connect(&url).await.unwrap(), options.connect(&url).await.unwrap());
    let record = created(&store, None).await;
    let load = async |store: &RedisStore| {
        proxy.commands();
        let found =
            store.load(record.id, &[record.meta.secret], Touch::IfDue.into()).await.unwrap();
        let Lookup::Found(found) = found else { panic!("{found:?}") };
        (found.meta.last_seen, names(&proxy))
    };
    clock.advance(Duration::from_secs(400));
    load(&store).await;
    for _ in 0..2 {
        clock.advance(Duration::from_secs(400));
        let (seen, sent) = load(&store).await;
        assert_eq!(
            (seen, &*sent),
            (clock.now(), &["TIME", "MGET", "EVALSHA"].map(str::to_owned)[..])
        );
        let (_, sent) = load(&other).await;
        assert_eq!(sent, READ, "another process has touched it");
    }
}

#[tokio::test]
async fn what_a_change_sends_does_not_grow_with_the_session() {
    let Some(server) = redis::Server::start(&[]) else { return };
    let proxy = Proxy::to(server.port);
    // Three times it counts, in the names of the keys: that of other people.
    let options = RedisStore::options();
    let store = options.connect(&format!("redis://127.0.0.1:{}", proxy.port)).await.unwrap();
    type S = Session<Large>;
    let fill = |mut s: S| async move {
        s.set_i0(1000);
        s.set_i1(1001);
        s.set_i2(1002);
        s.set_i3(1003);
        s.set_i4(1004);
        s.set_i5(1005);
        s.set_i6(1006);
        s.set_i7(1007);
        s.set_i8(1008);
        s.set_i9(1009);
        s.set_s0("x".repeat(64));
        s.set_s1("x".repeat(64));
        s.set_s2("x".repeat(64));
        s.set_s3("x".repeat(64));
        s.set_s4("x".repeat(64));
        s.set_s5("x".repeat(64));
        s.set_s6("x".repeat(64));
        s.set_s7("x".repeat(64));
        s.set_s8("x".repeat(64));
        s.set_s9("x".repeat(64));
        s.set_s10("x".repeat(64));
        s.set_s11("x".repeat(64));
        s.set_s12("x".repeat(64));
        s.set_s13("x".repeat(64));
        s.set_s14("x".repeat(64));
        s.set_s15("x".repeat(64));
        s.set_s16("x".repeat(64));
        s.set_s17("x".repeat(64));
        s.set_s18("x".repeat(64));
        s.set_s19("x".repeat(64));
        s.set_s20("x".repeat(64));
        s.set_s21("x".repeat(64));
        s.set_s22("x".repeat(64));
        s.set_s23("x".repeat(64));
        s.set_s24("x".repeat(64));
        s.set_s25("x".repeat(64));
        s.set_s26("x".repeat(64));
        s.set_s27("x".repeat(64));
        s.set_s28("x".repeat(64));
        s.set_s29("x".repeat(64));
        s.set_v0(vec!["item".to_owned(); 5]);
        s.set_v1(vec!["item".to_owned(); 5]);
        s.set_v2(vec!["item".to_owned(); 5]);
        s.set_v3(vec!["item".to_owned(); 5]);
        s.set_v4(vec!["item".to_owned(); 5]);
        s.set_v5(vec!["item".to_owned(); 5]);
        s.set_v6(vec!["item".to_owned(); 5]);
        s.set_v7(vec!["item".to_owned(); 5]);
        s.set_v8(vec!["item".to_owned(); 5]);
        s.set_v9(vec!["item".to_owned(); 5]);
    };
    let app = Router::new()
        .route("/fill", post(fill))
        .route("/change", post(|mut s: S| async move { s.set_s7("y".repeat(64)) }))
        .route("/back", post(|mut s: S| async move { s.set_s7("z".repeat(64)) }))
        .route("/number", post(|mut s: S| async move { s.set_i0(s.i0() ^ 1) }))
        .layer(SessionLayer::new(store));
    let mut client = Client::new(&app);
    for path in ["/fill", "/change", "/back"] {
        client.post(path).await;
    }
    proxy.commands();
    // Over several mergings of the tail.
    const CHANGES: usize = 64;
    let mut mean = async |paths: [&str; 2]| {
        for _ in 0..CHANGES / 2 {
            client.post(paths[0]).await;
            client.post(paths[1]).await;
        }
        let commands = proxy.commands();
        assert_eq!(commands.len(), CHANGES * 3, "a load and a change");
        commands.iter().map(|(_, bytes)| bytes).sum::<usize>() / CHANGES
    };
    let (text, number) = (mean(["/change", "/back"]).await, mean(["/number"; 2]).await);
    assert_eq!((text, number), (318, 253), "bytes: the load, and 64 characters or a number");
}
