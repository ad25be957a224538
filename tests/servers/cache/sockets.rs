//! Sockets behind a coherent cache: they end when the servers report it, and within the interval
//! when the report is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use session_tests::promises::watch::{self, at, revocations};
use session_tests::servers::redis::{self, Cluster, Server};

use super::kit::{Nodes, kill_feeds};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_ends_when_the_server_reports_it_whatever_the_interval_is() {
    let Some(server) = redis::single() else { return };
    let nodes = Nodes::at(&server.url(), &server.url()).await;
    watch::sockets_of_another_node_end_with_their_session(&nodes.here, &nodes.there, HOUR).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_ends_when_any_primary_reports_it_whatever_the_interval_is() {
    let Some(cluster) = redis::cluster() else { return };
    let nodes = Nodes::at(&cluster.url(), &cluster.url()).await;
    watch::sockets_of_another_node_end_with_their_session(&nodes.here, &nodes.there, HOUR).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_ends_the_socket_of_another_node_in_milliseconds() {
    let Some(server) = redis::single() else { return };
    let nodes = Nodes::at(&server.url(), &server.url()).await;
    let waits = revocations(&nodes.here, &nodes.there, HOUR, 500).await;
    println!("ended after {:?}, 99 % within {:?}", at(&waits, 50), at(&waits, 99));
    assert!(at(&waits, 50) < Duration::from_millis(500), "{:?}", at(&waits, 50));
}

/// How many revocations `usual` are, in a test that may be asked for more.
fn number(usual: usize) -> usize {
    std::env::var("SESSION_TESTS_REVOCATIONS").map_or(usual, |it| it.parse().expect("a number"))
}

/// Revokes while the connections that report it are killed again and again.
async fn revoked_while_killed(nodes: &Nodes, kill: impl Fn() -> usize + Send + 'static) {
    const BOUND: Duration = Duration::from_secs(1);
    let killed = Arc::new(AtomicUsize::new(0));
    let killing = tokio::spawn({
        let killed = Arc::clone(&killed);
        async move {
            loop {
                killed.fetch_add(tokio::task::block_in_place(&kill), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }
    });
    let waits = revocations(&nodes.here, &nodes.there, BOUND, number(300)).await;
    killing.abort();
    let _ = killing.await;
    let killed = killed.load(Ordering::Relaxed);
    let reported = waits.partition_point(|wait| *wait < BOUND / 10);
    println!(
        "of {} sockets {reported} were told in a tenth of the bound; ended after {:?}, 99 % within {:?}, all within {:?}; {killed} connections killed",
        waits.len(),
        at(&waits, 50),
        at(&waits, 99),
        at(&waits, 100),
    );
    assert!(killed > 3, "{killed}");
    assert!(at(&waits, 100) <= 2 * BOUND, "{:?}", at(&waits, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_socket_outlives_its_session_by_twice_the_interval_however_often_the_feed_is_killed() {
    let Some(server) = Server::start(&[]) else { return };
    let nodes = Nodes::at(&server.url(), &server.url()).await;
    revoked_while_killed(&nodes, move || kill_feeds(&server)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_in_a_cluster_whose_primaries_lose_their_feeds() {
    let Some(cluster) = Cluster::start() else { return };
    let nodes = Nodes::at(&cluster.url(), &cluster.url()).await;
    revoked_while_killed(&nodes, move || cluster.nodes.iter().map(kill_feeds).sum()).await;
}
