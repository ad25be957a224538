//! The conformance suite: on one server, on one that is treated like a
//! sharding proxy, and on a cluster; each as a user with just the rights that the
//! documentation lists.

use std::sync::OnceLock;
use std::time::Duration;

use session_runtime::clock::Clock;
use session_runtime::store::{RedisOptions, RedisStore};
use session_tests::servers::redis::{self, rights};

/// A deadline that no machine is too busy for: what happens at its end is for
/// other tests.
fn options(clock: Clock) -> RedisOptions {
    let options = RedisStore::options().clock(clock).prefix(redis::fresh_prefix());
    options.deadline(Duration::from_secs(60))
}

fn single_url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        let server = redis::single().expect("redis-server is installed");
        let rights = [vec!["~t*", "~{t*}b"], rights("sessions"), rights("count, sweep, scan")];
        server.url_for(&rights.concat())
    })
}

fn cluster_url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        let cluster = redis::cluster().expect("redis-server is installed");
        let rights = [
            vec!["~t*", "~{t*}b"],
            rights("sessions"),
            rights("in a cluster"),
            rights("count, sweep, scan"),
            rights("count, sweep, scan in a cluster"),
        ];
        cluster.url_for(&rights.concat())
    })
}

session_runtime::store_conformance! {
    single, |clock| async move {
        options(clock).connect(single_url()).await.unwrap()
    }
}

session_runtime::store_conformance! {
    behind_a_sharding_proxy, |clock| async move {
        options(clock).sharding_proxy(true).connect(single_url()).await.unwrap()
    }
}

session_runtime::store_conformance! {
    cluster, |clock| async move {
        options(clock).connect(cluster_url()).await.unwrap()
    }
}
