//! Answers, and questions, that got lost on the way.

use session_runtime::Realm;
use std::time::Duration;

use session_runtime::__private::patch::{AtLimit, Cap, Outcome, Patch, SignIn};
use session_runtime::__private::record::Principal;
use session_runtime::__private::token::SessionToken;
use session_runtime::clock::Clock;
use session_runtime::store::{
    PostgresStore, SessionStore,
    contract::{Created, EndReason, Lookup, Revoke, Touch},
};
use session_tests::servers::Proxy;
use sqlx::{Executor as _, PgPool};

use super::kit::{
    DATABASE, Opened, Schema, add, hold_principal, insert, options, record, server, value,
};
use super::locks::until_waiting;

const HOUR: Duration = Duration::from_secs(3600);

/// A store with one connection, over a wire that can be cut.
async fn over_a_wire() -> (Proxy, PostgresStore, Schema) {
    let wire = Proxy::to(server().port());
    let url = format!("postgres://postgres@127.0.0.1:{}/{DATABASE}?sslmode=disable", wire.port);
    let options = options(Clock::system()).connections(1);
    let Opened { store, schema } = Opened::with(&url, options).await;
    (wire, store, schema)
}

/// What a prepared statement is called with: a change of a session that was read.
const BIND: &[u8] = b"B";
/// The end of a transaction.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT";

/// First the answer gets lost, of what was done; then the question.
fn cuts(of: &'static [u8]) -> [(bool, impl Fn(&Proxy)); 2] {
    [true, false].map(|is_done| {
        let cut = move |wire: &Proxy| match is_done {
            true => wire.cut_reply_to(of),
            false => wire.cut_request(of),
        };
        (is_done, cut)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_addition_is_neither_lost_nor_counted_twice() {
    let (wire, store, schema) = over_a_wire().await;
    let (id, _) = insert(&store, HOUR).await;
    let mut stored = 0;
    // By one statement where the session was read, else in a transaction.
    for (reads, of) in [(true, BIND), (false, COMMIT)] {
        // That the statements are prepared.
        store.apply(id, 1, &add("n"), None).await.unwrap();
        let read = store.reload(id, 1).await.unwrap();
        store.apply(id, 1, &add("n"), read.as_ref()).await.unwrap();
        stored += 2;
        for (is_done, cut) in cuts(of) {
            for _ in 0..5 {
                let read = store.reload(id, 1).await.unwrap().filter(|_| reads);
                cut(&wire);
                let outcome = store.apply(id, 1, &add("n"), read.as_ref()).await.unwrap();
                let Outcome::Applied(applied) = outcome else { panic!("{outcome:?}") };
                assert!(!wire.is_to_cut(), "nothing was cut");
                assert_eq!(applied.repeated, is_done, "whether it had been stored");
                stored += 1;
                assert_eq!(value(&schema.0, id, "n"), stored.to_string());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_says_the_same_when_it_is_asked_for_again() {
    let (wire, store, _schema) = over_a_wire().await;
    let who = Principal::new("shop", "7");
    let create = async || {
        let (mut new, _) = record(&store, HOUR);
        new.meta.principal = Some(who.clone());
        let id = new.id;
        assert_eq!(store.create(new.into(), SignIn::default()).await.unwrap(), Created::ALONE);
        id
    };
    for (_, cut) in cuts(COMMIT) {
        let id = create().await;
        cut(&wire);
        assert!(store.delete(id, EndReason::SignedOut).await.unwrap(), "it was live");
        assert!(!wire.is_to_cut(), "nothing was cut");
        for which in [Revoke::All, Revoke::Others(id)] {
            create().await;
            create().await;
            cut(&wire);
            assert_eq!(
                store.revoke(&who, which, EndReason::OtherDevice, None).await.unwrap().ended,
                2
            );
            assert!(!wire.is_to_cut(), "nothing was cut");
        }
    }
}

fn one_each() -> SignIn {
    let cap = Cap { max: 1.try_into().unwrap(), at_limit: AtLimit::Reject };
    SignIn { cap: Some(cap), not_revoked_since: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_does_not_stand_in_its_own_way() {
    let (wire, store, _schema) = over_a_wire().await;
    for (round, (_, cut)) in cuts(COMMIT).into_iter().enumerate() {
        let (id, before) = insert(&store, HOUR).await;
        let who = Principal::new("shop", &round.to_string());
        let token = SessionToken::renew(id).unwrap();
        let mut patch: Patch = add("n");
        patch.meta.renew = Some(token.secret_hash(&Realm::default()));
        patch.meta.authenticated = true;
        patch.meta.principal = Some(Some(who.clone()));
        patch.meta.sign_in = one_each();
        cut(&wire);
        let outcome = store.apply(id, 1, &patch, None).await.unwrap();
        assert!(!wire.is_to_cut(), "nothing was cut");
        let Outcome::Applied(applied) = outcome else { panic!("{outcome:?}") };
        assert_eq!(applied.epoch, 2, "once");
        let found = store
            .load(id, &[token.secret_hash(&Realm::default())], Touch::Never.into())
            .await
            .unwrap();
        let Lookup::Found(found) = found else { panic!("{found:?}") };
        assert_eq!(found.fields.get("n"), Some(&b"1"[..]));
        let old = store.load(id, &[before], Touch::Never.into()).await.unwrap();
        assert!(matches!(old, Lookup::Ended(_)), "{old:?}");
        assert_eq!(store.list(&who, None, 1_000).await.unwrap().records.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_created_is_not_said_to_have_been_there_already() {
    let (wire, store, _schema) = over_a_wire().await;
    for (_, cut) in cuts(BIND) {
        // That the statement is prepared.
        insert(&store, HOUR).await;
        let (new, _) = record(&store, HOUR);
        cut(&wire);
        let created = store.create(new.clone().into(), SignIn::default()).await.unwrap();
        assert!(!wire.is_to_cut(), "nothing was cut");
        assert_eq!(created, Created::ALONE);
        assert_eq!(store.create(new.into(), SignIn::default()).await.unwrap(), Created::Exists);
    }
    for (round, (_, cut)) in cuts(COMMIT).into_iter().enumerate() {
        let (mut new, secret) = record(&store, HOUR);
        let who = Principal::new("shop", &round.to_string());
        let id = new.id;
        new.meta.principal = Some(who.clone());
        cut(&wire);
        // Nor is it counted against its own cap.
        let created = store.create(new.clone().into(), one_each()).await.unwrap();
        assert!(!wire.is_to_cut(), "nothing was cut");
        assert_eq!(created, Created::ALONE);
        let found = store.load(id, &[secret], Touch::Never.into()).await.unwrap();
        assert!(matches!(found, Lookup::Found(_)), "{found:?}");
        assert_eq!(store.list(&who, None, 1_000).await.unwrap().records.len(), 1);
        assert_eq!(store.create(new.into(), one_each()).await.unwrap(), Created::Exists);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_created_and_destroyed_before_the_answer_came_is_not_created_again() {
    let (wire, store, schema) = over_a_wire().await;
    let principal = Principal::new("shop", "7");
    let (mut new, secret) = record(&store, HOUR);
    let id = new.id;
    new.meta.principal = Some(principal.clone());
    // Sign-ins wait for this lock one after the other: the first try of ours
    // between the two of the test, and the second behind them.
    let aside = PgPool::connect(&server().url(DATABASE)).await.unwrap();
    let lock = hold_principal(&schema.0, &principal);
    let mut before = aside.begin().await.unwrap();
    before.execute(sqlx::raw_sql(&lock)).await.unwrap();
    wire.cut_reply_to(COMMIT);
    let creating = tokio::spawn({
        let (store, new) = (store.clone(), new.clone());
        async move { store.create(new.into(), one_each()).await.unwrap() }
    });
    until_waiting(&schema.0, 1).await;
    let mut after = aside.begin().await.unwrap();
    let queued = tokio::spawn(async move {
        after.execute(sqlx::raw_sql(&lock)).await.unwrap();
        after
    });
    until_waiting(&schema.0, 2).await;
    before.rollback().await.unwrap();
    let after = queued.await.unwrap();
    let other = options(Clock::system()).schema(&schema.0).connect(&server().url(DATABASE)).await;
    let other = other.unwrap();
    assert!(other.delete(id, EndReason::SignedOut).await.unwrap(), "it was stored");
    after.rollback().await.unwrap();

    // The layer would make another one after `Exists`.
    assert_eq!(creating.await.unwrap(), Created::ALONE);
    assert!(!wire.is_to_cut(), "nothing was cut");
    let seen = other.load(id, &[secret], Touch::Never.into()).await.unwrap();
    assert!(matches!(seen, Lookup::Ended(_)), "{seen:?}");
    assert_eq!(other.count().await.unwrap(), 0);
    assert_eq!(
        other.create(new.into(), one_each()).await.unwrap(),
        Created::Exists,
        "from somebody else"
    );
}
