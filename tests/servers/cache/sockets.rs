//! Sockets behind a coherent cache: they end when the servers report it, and within the interval
//! when the report is lost.

use std::time::Duration;

use session_tests::promises::watch::{self, at, revocations, revoked_while_killed};
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

#[tokio::test(flavor = "multi_thread")]
async fn no_socket_outlives_its_session_by_twice_the_interval_however_often_the_feed_is_killed() {
    let Some(server) = Server::start(&[]) else { return };
    let nodes = Nodes::at(&server.url(), &server.url()).await;
    revoked_while_killed(&nodes.here, &nodes.there, move || kill_feeds(&server)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_in_a_cluster_whose_primaries_lose_their_feeds() {
    let Some(cluster) = Cluster::start() else { return };
    let nodes = Nodes::at(&cluster.url(), &cluster.url()).await;
    let kill = move || cluster.nodes.iter().map(kill_feeds).sum();
    revoked_while_killed(&nodes.here, &nodes.there, kill).await;
}
