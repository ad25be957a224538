//! What a request costs, and what another node sees.

use session_runtime::Realm;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use session_runtime::__private::patch::Patch;
use session_runtime::__private::token::SessionToken;
use session_runtime::store::{CachedStore, RedisStore, SessionStore, contract::EndReason};
use session_tests::servers::Proxy;
use session_tests::servers::redis::{self, Server};

use super::kit::{Nodes, change, created, eventually, kill_feeds, look, usable};

/// What the store asked, without the connections that are listened to.
fn scripts(proxy: &Proxy) -> usize {
    let is_script = |words: &[String]| words.first().is_some_and(|word| word.starts_with("EVAL"));
    proxy.commands().iter().filter(|(words, _)| is_script(words)).count()
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::disallowed_methods)] // for what it prints
async fn an_unchanged_session_costs_nothing_to_read_and_a_change_costs_one_command() {
    let Some(server) = redis::single() else { return };
    let proxy = Proxy::to(server.port);
    let url = format!("redis://127.0.0.1:{}", proxy.port);
    let nodes = Nodes::at(&url, &server.url()).await;
    let record = nodes.session().await;
    // The server learns the script.
    let rev = change(&nodes.here, &record).await;
    nodes.settled().await;
    nodes.held(&record).await;
    scripts(&proxy);
    let begun = Instant::now();
    for _ in 0..10_000 {
        assert_eq!(look(&nodes.here, &record).await, (Some(rev), true));
    }
    println!("out of memory: {:?} a look", begun.elapsed() / 10_000);
    assert_eq!(scripts(&proxy), 0);
    let begun = Instant::now();
    for _ in 0..1_000 {
        assert_eq!(look(&nodes.there, &record).await, (Some(rev), false));
    }
    println!("from the server: {:?} a look", begun.elapsed() / 1_000);
    assert_eq!(look(&nodes.here, &record).await, (Some(rev), true));
    change(&nodes.here, &record).await;
    assert_eq!(scripts(&proxy), 1);
    assert_eq!(look(&nodes.here, &record).await, (Some(rev + 1), false), "its own change, at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_a_renewal_and_a_logout_elsewhere_are_seen() {
    let Some(server) = redis::single() else { return };
    let nodes = Nodes::at(&server.url(), &server.url()).await;
    let record = nodes.session().await;
    change(&nodes.there, &record).await;
    eventually("the change", async || look(&nodes.here, &record).await.0 == Some(2)).await;
    nodes.held(&record).await;
    let mut renewal = Patch::new();
    let token = SessionToken::renew(record.id).unwrap();
    renewal.meta.renew = Some(token.secret_hash(&Realm::default()));
    nodes.there.apply(record.id, 1, &renewal, None).await.unwrap();
    eventually("the old secret", async || look(&nodes.here, &record).await.0.is_none()).await;
    let mut renewed = record.clone();
    renewed.meta.secret = token.secret_hash(&Realm::default());
    nodes.held(&renewed).await;
    nodes.there.delete(record.id, EndReason::SignedOut).await.unwrap();
    eventually("the logout", async || look(&nodes.here, &renewed).await.0.is_none()).await;
    let flushed = nodes.session().await;
    server.ask(&["DEL", "nothing"]);
    assert_eq!(look(&nodes.here, &flushed).await, (Some(1), true), "keys of others say nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_flushed_empties_the_cache() {
    let Some(server) = Server::start(&[]) else { return };
    let nodes = Nodes::at(&server.url(), &server.url()).await;
    let record = nodes.session().await;
    server.ask(&["FLUSHALL"]);
    eventually("nothing is left", async || look(&nodes.here, &record).await.0.is_none()).await;
}

/// What has been told is never shown again, ten thousand times.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_older_than_what_was_told_is_shown() {
    let Some(server) = redis::single() else { return };
    let nodes = Nodes::at(&server.url(), &server.url()).await;
    let record = nodes.session().await;
    let held = nodes.here.stats().entries;
    let mut waits = Vec::new();
    for _ in 0..10_000 {
        let rev = change(&nodes.there, &record).await;
        let told = async || nodes.here.stats().entries < held;
        waits.push(eventually("the push", told).await);
        assert_eq!(look(&nodes.here, &record).await, (Some(rev), false));
        nodes.held(&record).await;
    }
    waits.sort_unstable();
    let at = |share: usize| waits[(waits.len() - 1) * share / 100];
    println!("push after the answer to the writer: {:?} {:?} {:?}", at(50), at(99), at(100));
}

/// Answers on their way while it changes: nobody goes back in time, and in the
/// end everybody has the last of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_that_race_the_pushes_never_go_back() {
    let Some(server) = redis::single() else { return };
    let nodes = Nodes::at(&server.url(), &server.url()).await;
    let record = Arc::new(nodes.session().await);
    let (over, hits) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (cache, record) = (nodes.here.clone(), Arc::clone(&record));
            let (over, hits) = (Arc::clone(&over), Arc::clone(&hits));
            tokio::spawn(async move {
                let mut last = 0;
                while !over.load(Ordering::Relaxed) {
                    let (rev, cached) = look(&cache, &record).await;
                    let rev = rev.unwrap();
                    assert!(rev >= last, "{rev} after {last}");
                    last = rev;
                    hits.fetch_add(u64::from(cached), Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let mut rev = 1;
    for _ in 0..2_000 {
        rev = change(&nodes.there, &record).await;
    }
    eventually("the last", async || look(&nodes.here, &record).await == (Some(rev), true)).await;
    for _ in 0..100 {
        assert_eq!(look(&nodes.here, &record).await, (Some(rev), true));
    }
    over.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(hits.load(Ordering::Relaxed) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_killed_empties_the_cache_and_comes_back() {
    let Some(server) = Server::start(&[]) else { return };
    let nodes = Nodes::at(&server.url(), &server.url()).await;
    for _ in 0..3 {
        let record = nodes.session().await;
        assert_eq!(kill_feeds(&server), 1);
        eventually("it is empty", async || nodes.here.stats().entries == 0).await;
        // Changed while nobody may have told.
        let rev = change(&nodes.there, &record).await;
        let newest = async || look(&nodes.here, &record).await == (Some(rev), true);
        let took = eventually("it is back", newest).await;
        println!("back after {took:?}");
        for _ in 0..100 {
            assert_eq!(look(&nodes.here, &record).await, (Some(rev), true));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_is_listened_to_again() {
    let Some(mut server) = Server::start(&["--appendonly", "yes", "--appendfsync", "always"])
    else {
        return;
    };
    let nodes = Nodes::at(&server.url(), &server.url()).await;
    let record = nodes.session().await;
    server.restart();
    let rev = change(&nodes.there, &record).await;
    usable(&nodes.here).await;
    eventually("the change", async || look(&nodes.here, &record).await == (Some(rev), true)).await;
}

/// A node in front of which there are two caches, of two prefixes of which one
/// begins like the other.
#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_of_another_prefix_are_another_matter() {
    let Some(server) = redis::single() else { return };
    let prefix = redis::fresh_prefix();
    let inner = format!("{prefix}x:");
    let options = |prefix: &str| RedisStore::options().prefix(prefix);
    let outer = CachedStore::coherent(options(&prefix).connect(&server.url()).await.unwrap());
    usable(&outer).await;
    let other = options(&inner).connect(&server.url()).await.unwrap();
    let (ours, theirs) = (created(&outer).await, created(&other).await);
    eventually("held", async || look(&outer, &ours).await.1).await;
    for _ in 0..50 {
        change(&other, &theirs).await;
    }
    tokio::time::timeout(Duration::from_secs(5), look(&outer, &theirs)).await.unwrap();
    assert_eq!(look(&outer, &ours).await, (Some(1), true));
}
