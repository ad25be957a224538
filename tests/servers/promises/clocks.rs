//! Nodes whose clocks are wrong, and nodes that wait for ever.

use std::time::Duration;

use session_runtime::__private::patch::{Denied, SignIn};
use session_runtime::__private::record::Principal;
use session_runtime::EndReason;
use session_runtime::clock::Clock;
use session_runtime::store::{
    AnyStore, MySqlStore, PostgresStore, RedisStore, SessionStore,
    contract::{Created, Revoke},
};

use super::Place;
use super::races::record;

const HOUR: i64 = 3_600_000;

/// When a login begins a node knows by its own clock, and when all sessions were revoked
/// the server knows by its own.
#[tokio::main]
pub(super) async fn logins(place: Place) {
    for (name, ahead) in [("ahead", HOUR), ("behind", -HOUR), ("right", 0)] {
        let node = place.open_by(Clock::system_ahead_by(ahead)).await;
        let other = place.open().await;
        let who = Principal::new("", name);
        let begins = || SignIn { not_revoked_since: Some(node.clock().now()), ..SignIn::default() };
        let pause = || tokio::time::sleep(Duration::from_millis(200));
        let early = begins();
        pause().await;
        other.revoke(&who, Revoke::All, EndReason::OtherDevice, None).await.unwrap();
        let answer = node.create(record(&other, Some(&who)).into(), early).await.unwrap();
        assert_eq!(answer, Created::Denied(Denied::Revoked), "{name}: it began before");
        pause().await;
        let late = begins();
        let answer = node.create(record(&other, Some(&who)).into(), late).await.unwrap();
        assert_eq!(answer, Created::ALONE, "{name}: it began after");
        other.revoke(&who, Revoke::All, EndReason::OtherDevice, None).await.unwrap();
    }
}

#[tokio::main]
pub(super) async fn patience(place: Place) {
    let (url, space) = (place.url.as_str(), place.space.as_str());
    let long = Duration::MAX;
    let store = match url.split(':').next().unwrap() {
        "mysql" => AnyStore::new(
            MySqlStore::options()
                .prefix(space)
                .deadline(long)
                .sweep_interval(long)
                .connect(url)
                .await
                .unwrap(),
        ),
        "postgres" => AnyStore::new(
            PostgresStore::options()
                .prefix(space)
                .deadline(long)
                .sweep_interval(long)
                .connect(url)
                .await
                .unwrap(),
        ),
        _ => AnyStore::new(
            RedisStore::options().prefix(space).deadline(long).connect(url).await.unwrap(),
        ),
    };
    let record = record(&store, None);
    let (id, secret) = (record.id, record.meta.secret);
    let created = store.create(record.into(), SignIn::default()).await.unwrap();
    assert_eq!(created, Created::ALONE);
    let touch = session_runtime::store::contract::Touch::IfDue.into();
    store.load(id, &[secret], touch).await.unwrap();
    store.sweep(9).await.unwrap();
}
