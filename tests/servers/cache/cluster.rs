//! The cache in front of a cluster: every primary is listened to.

use session_runtime::store::{SessionStore, contract::EndReason};
use session_tests::servers::redis::{self, Cluster};

use super::kit::{Nodes, change, created, eventually, look};

#[tokio::test(flavor = "multi_thread")]
async fn a_change_on_any_primary_is_seen() {
    let Some(cluster) = redis::cluster() else { return };
    let nodes = Nodes::at(&cluster.url(), &cluster.url()).await;
    let mut records = Vec::new();
    for _ in 0..60 {
        records.push(nodes.session().await);
    }
    for record in &records {
        let rev = change(&nodes.there, record).await;
        eventually("the change", async || look(&nodes.here, record).await.0 == Some(rev)).await;
        nodes.held(record).await;
    }
    for record in &records {
        nodes.there.delete(record.id, EndReason::SignedOut).await.unwrap();
        eventually("the logout", async || look(&nodes.here, record).await.0.is_none()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_lost_empties_the_cache_until_its_successor_is_listened_to() {
    let Some(mut cluster) = Cluster::start() else { return };
    let nodes = Nodes::at(&cluster.url(), &cluster.url()).await;
    let mut records = Vec::new();
    for _ in 0..30 {
        records.push(created(&nodes.there).await);
    }
    for record in &records {
        nodes.held(record).await;
    }
    let lost = cluster.primaries()[0];
    let directory = cluster.nodes[lost].stop();
    eventually("it is empty", async || nodes.here.stats().entries == 0).await;
    eventually("the cluster is whole again", async || {
        let mut all = true;
        for record in &records {
            all &= nodes.there.reload(record.id, 1).await.is_ok();
        }
        all
    })
    .await;
    let took = eventually("it is in use again", async || nodes.here.stats().usable).await;
    println!("in use {took:?} after the cluster");
    // The old primary comes back as a replica: nobody listens to it.
    cluster.nodes[lost].start_again(directory);
    for record in &records {
        let rev = change(&nodes.there, record).await;
        let newest = async || look(&nodes.here, record).await == (Some(rev), true);
        eventually("the change", newest).await;
        let rev = change(&nodes.there, record).await;
        eventually("the push", async || look(&nodes.here, record).await.0 == Some(rev)).await;
    }
}
