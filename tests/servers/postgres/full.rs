//! A disk that is full. Each test has a server of its own.

use std::time::Duration;

use session_runtime::__private::patch::{FieldOp, Op, Outcome, Patch, SignIn};
use session_runtime::__private::token::SecretHash;
use session_runtime::SessionId;
use session_runtime::clock::Clock;
use session_runtime::store::{
    Limits, PostgresStore, SessionStore, StoreErrorKind,
    contract::{Created, EndReason, Lookup, Touch},
};
use session_tests::servers::postgres::give;
use session_tests::servers::{Postgres, Space};

use super::kit::{DATABASE, add, insert, options, record};

const HOUR: Duration = Duration::from_secs(3600);

fn large() -> Patch {
    // Noise, or it is compressed.
    let mut state = 1_u64;
    let noise = (0..256 << 10).map(|_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        b' ' + (state >> 58) as u8
    });
    Patch::of(vec![FieldOp::new("large", Op::set(noise.collect::<Vec<u8>>()))])
}

async fn read(store: &PostgresStore, id: SessionId, secret: &SecretHash) -> String {
    let found = store.load(id, &[*secret], Touch::IfDue.into()).await.unwrap();
    let Lookup::Found(found) = found else { panic!("{found:?}") };
    String::from_utf8(found.fields.get("n").unwrap().to_vec()).unwrap()
}

/// A server whose tables are on a small disk. Its log of writes is not.
fn small() -> Option<(Space, Postgres)> {
    let space = Space::new(24)?;
    give(space.above());
    let server = Postgres::start_under(space.prefix())?;
    let disk = space.path().display().to_string();
    server.psql(DATABASE, &format!("CREATE TABLESPACE small LOCATION '{disk}'")).unwrap();
    server.psql(DATABASE, "CREATE DATABASE app TABLESPACE small").unwrap();
    Some((space, server))
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_tables_cannot_grow_writes_are_refused_and_all_else_works() {
    let Some((space, server)) = small() else { return };
    let pid = server.pid().unwrap();
    let clock = Clock::frozen(Clock::system().now());
    let options = options(clock.clone()).limits(Limits::NONE).connections(3);
    let store = options.connect(&server.url("app")).await.unwrap();
    let (id, secret) = insert(&store, HOUR).await;
    let (over, gone) = insert(&store, HOUR).await;
    store.apply(id, 1, &add("n"), None).await.unwrap();

    space.fill(pid);
    // Something may still find room on pages that are there.
    let mut stored = 0;
    let error = loop {
        let (mut new, _) = record(&store, HOUR);
        let Op::Set(noise) = &large().ops[0].op else { unreachable!() };
        new.fields = [("large", &noise[..])].into_iter().collect();
        match store.create(new.into(), SignIn::default()).await {
            Ok(created) => assert_eq!(created, Created::ALONE),
            Err(error) => break error,
        }
        stored += 1;
        assert!(stored < 1_000, "the disk is full");
    };
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error:?}");
    let error = store.apply(id, 1, &large(), None).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error:?}");
    assert_eq!(store.count().await.unwrap(), 2 + stored, "all or nothing");
    assert_eq!(read(&store, id, &secret).await, "1");
    // Whether its activity can be stored or not.
    clock.advance(HOUR / 4);
    assert_eq!(read(&store, id, &secret).await, "1");
    assert!(store.delete(over, EndReason::SignedOut).await.unwrap(), "a logout needs no room");
    let lookup = store.load(over, &[gone], Touch::Never.into()).await.unwrap();
    assert!(matches!(lookup, Lookup::Ended(_) | Lookup::Absent), "{lookup:?}");

    space.free(pid);
    let outcome = store.apply(id, 1, &large(), None).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    store.apply(id, 1, &add("n"), None).await.unwrap();
    insert(&store, HOUR).await;
    assert_eq!(read(&store, id, &secret).await, "2");
}
