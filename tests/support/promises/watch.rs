//! A socket ends with its session, whichever node ended it.

use std::time::Duration;

use session_runtime::store::SessionStore;
use session_runtime::{EndReason, Session, SessionLayer, SessionSchema};
use tokio::time::{Instant, timeout};

use crate::Tab;

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
}

type S = Session<Visitor>;

const INTERVAL: Duration = Duration::from_millis(100);

/// Of many sockets on one node each is told by a revocation on another, and by a sign-out there.
pub async fn sockets_of_another_node_end_with_their_session(
    here: &(impl SessionStore + Clone),
    there: &(impl SessionStore + Clone),
) {
    let layer = SessionLayer::new(here.clone()).watch_interval(INTERVAL);
    let other = SessionLayer::new(there.clone());
    let mut sockets = Vec::new();
    let mut tabs = Vec::new();
    for user in 0..40 {
        let mut tab = Tab::new(&layer);
        tab.run(move |mut s: S| async move { s.set_user(user / 2) }).await.ok();
        let handle = tab.ask(|s: S| async move { s }).await.ok();
        sockets.push(tokio::spawn(async move { (handle.ended().await, Instant::now()) }));
        tabs.push(tab);
    }
    tokio::time::sleep(INTERVAL * 3).await;
    assert!(sockets.iter().all(|socket| !socket.is_finished()), "nothing has ended yet");
    let sessions = other.manager_for::<Visitor>().unwrap();
    let mut ended = Vec::new();
    for (user, tabs) in tabs.chunks(2).enumerate() {
        let expected = if user % 2 == 0 {
            sessions.as_administrator().revoke_all(&(user as u64)).await.unwrap();
            EndReason::Administrator
        } else {
            for tab in tabs {
                tab.by(&other).ask(|mut s: S| async move { s.destroy() }).await.ok();
            }
            EndReason::SignedOut
        };
        ended.extend([(expected, Instant::now()); 2]);
    }
    let mut waits = Vec::new();
    for (socket, (expected, at)) in sockets.into_iter().zip(ended) {
        let told = timeout(Duration::from_secs(30), socket).await.expect("every socket is told");
        let (because, told) = told.unwrap();
        assert_eq!(because, expected);
        waits.push(told.saturating_duration_since(at));
    }
    waits.sort();
    println!("sockets told after {:?} (median), {:?} (last)", waits[20], waits[39]);
}
