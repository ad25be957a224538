//! A server whose disk is full: it reads, and takes no writes.

use std::process::Command;
use std::time::Duration;

use session_runtime::__private::patch::{FieldOp, Op, Outcome, Patch, SignIn};
use session_runtime::clock::Clock;
use session_runtime::store::{
    RedisStore, SessionStore, StoreErrorKind,
    contract::{EndReason, Lookup, Touch},
};
use session_tests::servers::Space;
use session_tests::servers::redis::Server;
use tokio::time::Instant;

use super::records::{count_of, created, one_more, record};

const DEADLINE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_server_whose_disk_is_full_reads_and_keeps_what_it_acknowledged() {
    let Some(space) = Space::new(8) else { return };
    let Some(mut server) = Server::start_on(&space) else { return };
    let clock = Clock::frozen(Clock::system().now());
    let options = RedisStore::options().clock(clock.clone()).deadline(DEADLINE);
    let store = options.connect(&server.url()).await.unwrap();
    let session = created(&store, None).await;
    let other = created(&store, None).await;

    space.fill(server.pid());
    let large = Patch::of(vec![FieldOp::new("large", Op::set(vec![b'x'; 64 << 10]))]);
    let mut acknowledged = 0;
    let begun = Instant::now();
    let error = loop {
        assert!(begun.elapsed() < Duration::from_secs(30), "the disk is full");
        let asked = Instant::now();
        let answer = store.apply(session.id, 1, &one_more(), None).await;
        assert!(asked.elapsed() < DEADLINE * 3, "a call has a second");
        match answer {
            Ok(Outcome::Applied(_)) => acknowledged += 1,
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
        store.apply(other.id, 1, &large, None).await.ok();
    };
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error:?}");
    assert_eq!(count_of(&store, &session).await, acknowledged, "nothing of what was refused");
    let error = store.create(record(&store, None).into(), SignIn::default()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error:?}");
    let error = store.delete(session.id, EndReason::SignedOut).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full, "a logout is not acknowledged: {error:?}");
    clock.advance(Duration::from_secs(600));
    let seen = store.load(session.id, &[session.meta.secret], Touch::IfDue.into()).await.unwrap();
    assert!(matches!(seen, Lookup::Found(_)), "and its activity cannot be noted: {seen:?}");

    space.free(server.pid());
    let begun = Instant::now();
    loop {
        match store.apply(session.id, 1, &one_more(), None).await {
            Ok(Outcome::Applied(_)) => break acknowledged += 1,
            answer => assert!(begun.elapsed() < Duration::from_secs(30), "{answer:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(store.delete(other.id, EndReason::SignedOut).await.unwrap(), "a logout");
    server.ask(&["CONFIG", "SET", "appendfsync", "always"]);
    acknowledged += 1;
    store.apply(session.id, 1, &one_more(), None).await.unwrap();
    // The server itself, not the one who starts it again.
    let said = server.ask(&["INFO", "server"]);
    let pid = said.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap().trim();
    assert!(Command::new("kill").args(["-KILL", pid]).status().unwrap().success());
    let begun = Instant::now();
    while server.ask(&["INFO", "server"]).contains(&format!("process_id:{pid}"))
        || !server.ask(&["PING"]).contains("PONG")
    {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is started again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(count_of(&store, &session).await, acknowledged);
    let seen = store.load(other.id, &[other.meta.secret], Touch::Never.into()).await.unwrap();
    assert!(matches!(seen, Lookup::Ended(_)), "it stays logged out: {seen:?}");
    server.stop();
}
