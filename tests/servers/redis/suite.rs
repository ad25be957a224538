//! The conformance suite: on one server, on one that is treated like a
//! sharding proxy, and on a cluster.

use session_runtime::store::{AnyStore, MemoryStore, RedisStore};
use session_tests::servers::redis;

session_runtime::store_conformance! {
    single, |clock| async move {
        let Some(server) = redis::single() else { return AnyStore::new(MemoryStore::with_clock(clock)) };
        let options = RedisStore::options().clock(clock).prefix(redis::fresh_prefix());
        AnyStore::new(options.connect(&server.url()).await.unwrap())
    }
}

session_runtime::store_conformance! {
    behind_a_sharding_proxy, |clock| async move {
        let Some(server) = redis::single() else { return AnyStore::new(MemoryStore::with_clock(clock)) };
        let options = RedisStore::options().clock(clock).prefix(redis::fresh_prefix());
        AnyStore::new(options.sharding_proxy(true).connect(&server.url()).await.unwrap())
    }
}

session_runtime::store_conformance! {
    cluster, |clock| async move {
        let Some(cluster) = redis::cluster() else { return AnyStore::new(MemoryStore::with_clock(clock)) };
        let options = RedisStore::options().clock(clock).prefix(redis::fresh_prefix());
        AnyStore::new(options.connect(&cluster.url()).await.unwrap())
    }
}
