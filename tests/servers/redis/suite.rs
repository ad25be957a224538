//! The conformance suite: on one server, on one that is treated like a
//! sharding proxy, and on a cluster.

use std::time::Duration;

use session_runtime::clock::Clock;
use session_runtime::store::{RedisOptions, RedisStore};
use session_tests::servers::redis;

/// A deadline that no machine is too busy for: what happens at its end is for
/// other tests.
fn options(clock: Clock) -> RedisOptions {
    let options = RedisStore::options().clock(clock).prefix(redis::fresh_prefix());
    options.deadline(Duration::from_secs(60))
}

session_runtime::store_conformance! {
    single, |clock| async move {
        let server = redis::single().expect("redis-server is installed");
        let options = options(clock);
        options.connect(&server.url()).await.unwrap()
    }
}

session_runtime::store_conformance! {
    behind_a_sharding_proxy, |clock| async move {
        let server = redis::single().expect("redis-server is installed");
        let options = options(clock);
        options.sharding_proxy(true).connect(&server.url()).await.unwrap()
    }
}

session_runtime::store_conformance! {
    cluster, |clock| async move {
        let cluster = redis::cluster().expect("redis-server is installed");
        let options = options(clock);
        options.connect(&cluster.url()).await.unwrap()
    }
}
