//! What a request costs, and how old its answer may be.

use http::Method;
use session_runtime::{AtLimit, OnReplay};

use super::*;

#[tokio::test]
async fn who_only_looks_costs_no_round_trip_within_the_bound() {
    let mut nodes = plain();
    nodes.signed_in().await;
    for _ in 0..3 {
        assert_eq!(nodes.here.get("/read").await.body, HERE);
        nodes.here.send(Method::HEAD, "/read").await;
    }
    assert_eq!(nodes.asked(), []);
    nodes.clock.advance(SECOND - Duration::from_millis(1));
    nodes.here.get("/read").await;
    assert_eq!(nodes.asked(), []);
    nodes.clock.advance(Duration::from_millis(1));
    nodes.here.get("/read").await;
    assert_eq!(nodes.asked(), [Operation::Load]);
    assert_eq!((nodes.cache.stats().hits, nodes.cache.stats().entries), (7, 1));
}

#[tokio::test]
async fn a_change_costs_one_round_trip_and_is_seen_at_once_by_its_own_process() {
    let mut nodes = plain();
    nodes.signed_in().await;
    nodes.here.get("/visit").await;
    assert_eq!(nodes.asked(), [Operation::Apply]);
    assert_eq!(nodes.here.get("/read").await.body, "42 en 1 [\"pen\"]");
    nodes.here.post("/logout").await;
    nodes.here.cookies = nodes.there.cookies.clone();
    assert_eq!(nodes.here.get("/read").await.body, NOBODY);
}

#[tokio::test]
async fn what_another_process_does_is_seen_after_the_bound() {
    let mut nodes = plain();
    nodes.signed_in().await;
    let cookies = nodes.here.cookies.clone();
    nodes.there.post("/locale").await;
    assert_eq!(nodes.here.get("/read").await.body, HERE);
    nodes.clock.advance(SECOND);
    assert_eq!(nodes.here.get("/read").await.body, "42 de 0 [\"pen\"]");
    nodes.there.post("/logout").await;
    assert_eq!(nodes.here.get("/read").await.body, "42 de 0 [\"pen\"]");
    nodes.clock.advance(SECOND);
    assert_eq!(nodes.here.get("/read").await.body, NOBODY);
    assert_eq!(nodes.here.cookies, cookies, "whoever destroys it removes the cookie");
}

#[tokio::test]
async fn activity_is_written_as_without_a_cache_and_nothing_outlives_its_time() {
    let mut nodes = Nodes::new(
        |routes| routes,
        |layer| {
            layer
                .idle_timeout(Some(Duration::from_secs(100)))
                .absolute_timeout(Some(Duration::from_secs(1_000)))
        },
    );
    nodes.cache = nodes.cache.clone().stale_for(Duration::from_secs(3_600));
    let layer = SessionLayer::new(nodes.cache.clone());
    let app = app_in(layer, Arc::new(tokio::sync::Barrier::new(1)));
    nodes.here = Client::new(&app);
    nodes.signed_in().await;
    for second in 1..=999u32 {
        nodes.clock.advance(SECOND);
        assert_eq!(nodes.here.get("/read").await.body, HERE, "after {second} seconds");
    }
    // Every tenth of the idle timeout, and not once more.
    assert_eq!(nodes.asked().len(), 99);
    nodes.clock.advance(SECOND);
    assert_eq!(nodes.here.get("/read").await.body, NOBODY, "the absolute timeout");
}

#[tokio::test]
async fn a_token_that_is_renewed_by_age_goes_on_working() {
    let renewing = |layer: SessionLayer| {
        layer.renew_after(Some(Duration::from_secs(60))).on_replay(OnReplay::Report)
    };
    let mut nodes = Nodes::new(|routes| routes, renewing);
    nodes.signed_in().await;
    let old = nodes.here.tab();
    nodes.clock.advance(Duration::from_secs(60));
    let reply = nodes.here.get("/read").await;
    assert!(reply.set_cookie().is_some());
    assert_eq!(nodes.here.get("/read").await.body, HERE);
    assert_eq!(old.ask(Method::GET, "/read").await.body, HERE, "within the grace");
    nodes.clock.advance(Duration::from_secs(60));
    assert_eq!(old.ask(Method::GET, "/read").await.body, NOBODY, "a replay");
    assert_eq!(nodes.here.get("/read").await.body, HERE);
}

#[tokio::test]
async fn a_sign_in_that_makes_room_is_seen_by_the_device_that_made_it() {
    let one = |layer: SessionLayer| layer.max_sessions(1, AtLimit::EvictOldest);
    let mut nodes = Nodes::new(|routes| routes, one);
    nodes.signed_in().await;
    let mut phone = nodes.here.clone();
    phone.cookies.clear();
    phone.post("/sign-in").await;
    assert_eq!(nodes.here.get("/read").await.body, NOBODY);
    // And one that began without anybody, on a session that was there.
    let mut tablet = nodes.here.clone();
    tablet.cookies.clear();
    tablet.post("/locale").await;
    assert_eq!(phone.get("/read").await.body, "42 en 0 []");
    tablet.post("/sign-in").await;
    assert_eq!(phone.get("/read").await.body, NOBODY);
}
