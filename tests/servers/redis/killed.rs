//! Programs that are killed in the middle of their work.

use session_runtime::Realm;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use session_runtime::__private::patch::{AtLimit, Cap, Lifetime, Patch, SignIn};
use session_runtime::__private::record::Principal;
use session_runtime::__private::token::SessionToken;
use session_runtime::store::{
    RedisStore, SessionStore,
    contract::{EndReason, Revoke, Touch},
};
use session_tests::servers::redis;
use tokio::task::JoinSet;

use super::records::{one_more, record};

const URL: &str = "SESSION_TESTS_REDIS_URL";
const PREFIX: &str = "SESSION_TESTS_REDIS_PREFIX";
const SHARDING: &str = "SESSION_TESTS_REDIS_SHARDING";

async fn open(url: &str, prefix: &str, sharding: bool) -> RedisStore {
    let options = RedisStore::options().prefix(prefix).sharding_proxy(sharding);
    options.connect(url).await.unwrap()
}

/// Everything that writes, in the life of one session.
async fn one_life(store: &RedisStore, n: usize) {
    let who = Principal::new("", &(n % 5).to_string());
    let cap = Cap { max: 3.try_into().unwrap(), at_limit: AtLimit::EvictOldest };
    let sign_in = SignIn { cap: Some(cap), ..SignIn::default() };
    let visitor = record(store, Some(&who).filter(|_| n.is_multiple_of(2)));
    let _ = store.create(visitor.clone().into(), sign_in).await;
    let _ = store.apply(visitor.id, 1, &one_more(), None).await;
    let _ = store.load(visitor.id, &[visitor.meta.secret], Touch::IfDue.into()).await;
    let mut patch = Patch::new();
    patch.meta.renew =
        Some(SessionToken::renew(visitor.id).unwrap().secret_hash(&Realm::default()));
    patch.meta.authenticated = true;
    patch.meta.principal = Some(Some(who.clone()));
    let hour = Some(Duration::from_secs(3_600));
    patch.meta.lifetime = Some(Lifetime { idle: hour, absolute: None, remember: false });
    patch.meta.sign_in = sign_in;
    let _ = store.apply(visitor.id, 1, &patch, None).await;
    match n % 7 {
        0 => drop(store.revoke(&who, Revoke::All, EndReason::OtherDevice, None).await),
        1 => {
            drop(store.revoke(&who, Revoke::Others(visitor.id), EndReason::OtherDevice, None).await)
        }
        2 | 3 => drop(store.delete(visitor.id, EndReason::SignedOut).await),
        _ => {}
    }
}

/// Works until it is killed; in the test run itself, does nothing.
#[tokio::test]
async fn the_process_that_is_killed() {
    let Ok(url) = std::env::var(URL) else { return };
    let sharding = std::env::var(SHARDING).is_ok();
    let store = open(&url, &std::env::var(PREFIX).unwrap(), sharding).await;
    let mut lanes = JoinSet::new();
    for lane in 0..8 {
        let store = store.clone();
        lanes.spawn(async move {
            for n in lane * 1_000.. {
                one_life(&store, n).await;
                let mut out = std::io::stdout();
                if writeln!(out, "one more").and_then(|()| out.flush()).is_err() {
                    return;
                }
            }
        });
    }
    lanes.join_all().await;
}

fn process(url: &str, prefix: &str, sharding: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "redis::killed::the_process_that_is_killed", "--nocapture"])
        .env(URL, url)
        .env(PREFIX, prefix)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if sharding {
        command.env(SHARDING, "yes");
    }
    command.spawn().unwrap()
}

/// Lets some processes work, and kills each in the middle of it.
fn work_and_kill(url: &str, prefix: &str, sharding: bool) {
    for round in 0..4 {
        let mut process = process(url, prefix, sharding);
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let lives = lines.map_while(Result::ok).filter(|line| line.ends_with("one more"));
        let done = lives.take(60 + round * 7).count();
        process.kill().unwrap();
        process.wait().unwrap();
        assert_eq!(done, 60 + round * 7, "it worked until it was killed");
    }
}

fn assert_that_all_keys_end(node: &redis::Server, prefix: &str) -> usize {
    let keys = node.ask(&["--scan", "--pattern", &format!("{prefix}*")]);
    for key in keys.lines() {
        let left: i64 = node.ask(&["PTTL", key]).trim().parse().unwrap();
        // -2: it has ended since.
        assert!(left > 0 || left == -2, "{key} ends in {left} ms");
    }
    keys.lines().count()
}

#[test]
fn a_program_that_is_killed_leaves_no_key_that_never_ends() {
    let Some(server) = redis::single() else { return };
    for sharding in [false, true] {
        let prefix = redis::fresh_prefix();
        work_and_kill(&server.url(), &prefix, sharding);
        let keys = assert_that_all_keys_end(server, &prefix);
        assert!(keys > 100, "{keys} keys");
    }
}

#[test]
fn a_program_that_is_killed_leaves_no_such_key_in_a_cluster() {
    let Some(cluster) = redis::cluster() else { return };
    let prefix = redis::fresh_prefix();
    work_and_kill(&cluster.url(), &prefix, false);
    let mut keys = 0;
    for node in cluster.primaries() {
        keys += assert_that_all_keys_end(&cluster.nodes[node], &prefix);
    }
    assert!(keys > 100, "{keys} keys");
}
