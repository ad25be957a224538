//! What a step may not do: undo what it has not seen, be done twice, or go past a
//! bound; and what it does on a server that is full, evicts, or fails over.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use session_runtime::__private::patch::{Add, FieldOp, Gone, Op, Outcome, Patch, Refused, SignIn};
use session_runtime::__private::record::{Record, Rotate, Rotation};
use session_runtime::__private::token::{RotationNonce, SecretHash};
use session_runtime::SessionId;
use session_runtime::clock::Clock;
use session_runtime::store::{
    Limits, RedisOptions, RedisStore, SessionStore, StoreErrorKind,
    contract::{Created, EndReason, Lookup, Revoke, Touch},
};
use session_tests::servers::redis::Server;
use session_tests::servers::{Proxy, redis};

use super::records::{count_of, created, customer, found, number, one_more, record, seen};

/// A session of one value, and one whose base is kept apart.
const SIZES: [usize; 2] = [1, 60];

fn set(name: String, value: &str) -> FieldOp {
    FieldOp::new(name, Op::set(value))
}

/// A session with so many fields, as a request has read it.
async fn filled(store: &RedisStore, fields: usize) -> Arc<Record> {
    let mut record = record(store, None);
    record.fields = (0..fields).map(|n| (format!("f{n:02}"), "x".repeat(66))).collect();
    assert_eq!(
        store.create(record.clone().into(), SignIn::default()).await.unwrap(),
        Created::ALONE
    );
    found(store, &record).await
}

async fn apply(store: &RedisStore, read: &Arc<Record>, patch: &Patch) -> Outcome {
    store.apply(read.id, read.meta.epoch, patch, Some(read)).await.unwrap()
}

async fn applied(store: &RedisStore, read: &Arc<Record>, patch: &Patch) {
    let outcome = apply(store, read, patch).await;
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
}

async fn frozen() -> Option<(RedisStore, Clock)> {
    let clock = Clock::frozen(Clock::system().now());
    let options = RedisStore::options().prefix(redis::fresh_prefix()).clock(clock.clone());
    Some((options.connect(&redis::single()?.url()).await.unwrap(), clock))
}

/// Makes `next` the pending secret.
fn rotation(read: &Record, next: SecretHash) -> Patch {
    let mut patch = Patch::new();
    let rotation = Rotation { nonce: RotationNonce([7; 16]), next };
    patch.meta.rotate = Some(Box::new(Rotate { from: read.meta.secret, rotation }));
    patch
}

fn secret(byte: u8) -> SecretHash {
    SecretHash::from_bytes([byte; 32])
}

/// Appended, replacing the whole, and replacing the tail.
fn patches() -> [Patch; 4] {
    let take = Patch::of(vec![FieldOp::new("f00", Op::Take)]);
    let large = Patch::of(vec![set("large".to_owned(), &"y".repeat(900))]);
    let mut lifetime = Patch::of(vec![set("n".to_owned(), "1")]);
    lifetime.meta.authenticated = true;
    [one_more(), take, large, lifetime]
}

#[tokio::test]
async fn no_writing_undoes_a_touch_a_confirmation_or_a_rotation_that_it_has_not_seen() {
    let Some((store, clock)) = frozen().await else { return };
    for fields in SIZES {
        for patch in 0..patches().len() {
            let patch = || patches()[patch].clone();
            // A touch.
            let read = filled(&store, fields).await;
            clock.advance(Duration::from_secs(1_000));
            store.load(read.id, &[read.meta.secret], Touch::IfDue.into()).await.unwrap();
            applied(&store, &read, &patch()).await;
            assert_eq!(found(&store, &read).await.meta.last_seen, clock.now(), "{:?}", patch());
            // A rotation that was begun.
            let read = filled(&store, fields).await;
            let begun = rotation(&read, secret(2));
            applied(&store, &read, &begun).await;
            applied(&store, &read, &patch()).await;
            let pending = found(&store, &read).await.meta.renewal.pending().copied();
            assert_eq!(pending.map(|it| it.next), Some(secret(2)), "{:?}", patch());
            // The confirmation of it.
            let read = found(&store, &read).await;
            store.load(read.id, &[secret(2)], Touch::Never.into()).await.unwrap();
            applied(&store, &read, &patch()).await;
            let seen = store.load(read.id, &[secret(2)], Touch::Never.into()).await.unwrap();
            let Lookup::Found(confirmed) = seen else { panic!("{seen:?}") };
            assert_eq!(confirmed.meta.secret, secret(2), "{:?}", patch());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mergings_race_with_appending_and_nothing_is_lost() {
    const WRITERS: usize = 8;
    const CHANGES: usize = 640;
    let Some(server) = redis::single() else { return };
    let deadline = Duration::from_secs(60);
    for fields in SIZES {
        let options = RedisStore::options().prefix(redis::fresh_prefix()).deadline(deadline);
        let store = options.connect(&server.url()).await.unwrap();
        let session = filled(&store, fields).await;
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let (store, session) = (store.clone(), session.clone());
            tasks.spawn(async move {
                for change in 0..CHANGES {
                    let read = found(&store, &session).await;
                    let own = set(format!("own{writer}"), &change.to_string());
                    let one_more = FieldOp::new("n", Op::Add(Add::unsigned(1, 0)));
                    applied(&store, &read, &Patch::of(vec![own, one_more])).await;
                }
            });
        }
        tasks.join_all().await;
        let read = found(&store, &session).await;
        assert_eq!(number(&read), (WRITERS * CHANGES) as u64);
        for writer in 0..WRITERS {
            let last = (CHANGES - 1).to_string().into_bytes();
            assert_eq!(read.fields.get(&format!("own{writer}")), Some(&last[..]));
        }
        assert_eq!(read.fields.len(), fields + WRITERS + 1);
    }
}

/// The answer to a patch is lost, and `others` are done before it is asked for again.
async fn lost_among(fields: usize, others: usize) -> Option<(Outcome, u64)> {
    let server = redis::single()?;
    let proxy = Proxy::to(server.port);
    let options = RedisStore::options().prefix(redis::fresh_prefix());
    let direct = options.clone().connect(&server.url()).await.unwrap();
    let url = format!("redis://127.0.0.1:{}", proxy.port);
    let store = options.deadline(Duration::from_secs(30)).connect(&url).await.unwrap();
    let read = filled(&direct, fields).await;
    applied(&direct, &read, &one_more()).await;
    let read = found(&store, &read).await;
    proxy.cut_next_reply_and_refuse("EVALSHA");
    let asked = tokio::spawn({
        let (store, read) = (store.clone(), read.clone());
        async move { apply(&store, &read, &one_more()).await }
    });
    while proxy.refusals() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..others {
        // Too large to be appended: the form is made anew each time.
        let current = found(&direct, &read).await;
        let mut large = one_more();
        large.ops.push(set("large".to_owned(), &"y".repeat(900)));
        applied(&direct, &current, &large).await;
    }
    proxy.refuse(None);
    let outcome = asked.await.unwrap();
    Some((outcome, count_of(&direct, &read).await))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_whose_answer_was_lost_is_done_once_whatever_others_do_meanwhile() {
    for fields in SIZES {
        for others in 0..4 {
            let Some((outcome, count)) = lost_among(fields, others).await else { return };
            let Outcome::Applied(applied) = outcome else { panic!("{outcome:?}") };
            assert!(applied.repeated, "it finds itself behind {others} others");
            assert_eq!(count, 2 + others as u64);
        }
        for others in [4, 6] {
            let Some((outcome, count)) = lost_among(fields, others).await else { return };
            assert!(matches!(outcome, Outcome::Uncertain), "{others} others: {outcome:?}");
            assert_eq!(count, 2 + others as u64, "it is not done again");
        }
    }
}

async fn own(options: RedisOptions) -> Option<(Server, RedisStore)> {
    let server = Server::start(&[])?;
    let store = options.connect(&server.url()).await.unwrap();
    Some((server, store))
}

fn key(id: SessionId) -> String {
    format!("session:{id}")
}

fn base(id: SessionId) -> String {
    format!("{{session:{id}}}b")
}

fn value(server: &Server, id: SessionId) -> String {
    server.ask(&["GET", &key(id)]).trim_end_matches('\n').to_owned()
}

#[tokio::test]
async fn nothing_is_appended_to_a_form_of_another_version_or_to_other_schemas() {
    let Some((server, store)) = own(RedisStore::options()).await else { return };
    for fields in SIZES {
        let read = filled(&store, fields).await;
        let mut newer = one_more();
        newer.meta.versions = vec![(Cow::Borrowed("shop"), 2)];
        applied(&store, &read, &newer).await;
        let mut expects = one_more();
        expects.expect = vec![session_runtime::__private::patch::Expect::Version {
            namespace: "shop".into(),
            version: 1,
        }];
        let outcome = apply(&store, &read, &expects).await;
        assert!(matches!(outcome, Outcome::Conflict(_)), "{outcome:?}");
        let read = found(&store, &read).await;
        let newer = value(&server, read.id).replacen('1', "2", 1);
        server.ask(&["SET", &key(read.id), &newer, "KEEPTTL"]);
        let error = store.apply(read.id, 1, &one_more(), Some(&read)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error:?}");
        assert_eq!(value(&server, read.id), newer, "nothing was written");
        assert!(store.delete(read.id, EndReason::SignedOut).await.unwrap(), "its end is");
        assert!(matches!(seen(&store, &read).await, Lookup::Absent));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_whatever_is_appended_at_once() {
    let limits = Limits { field: 400, record: 5_000 };
    for fields in SIZES {
        let Some((_server, store)) = own(RedisStore::options().limits(limits)).await else {
            return;
        };
        let session = filled(&store, fields).await;
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..40 {
            let (store, read) = (store.clone(), session.clone());
            tasks.spawn(async move {
                let op = set(format!("w{writer:02}"), &"z".repeat(200));
                match apply(&store, &read, &Patch::of(vec![op])).await {
                    Outcome::Applied(_) => true,
                    Outcome::Refused(Refused::TooLarge { limit: 5_000, .. }) => false,
                    other => panic!("{other:?}"),
                }
            });
        }
        let stored = tasks.join_all().await.into_iter().filter(|it| *it).count();
        let after = found(&store, &session).await;
        let (before, each) = (session.fields.byte_len(), 203);
        assert_eq!(after.fields.byte_len(), before + stored * each);
        assert_eq!(stored, ((5_000 - before) / each).min(40), "as many as there is room for");
    }
}

#[tokio::test]
async fn a_full_server_takes_what_must_not_fail_of_small_and_large_sessions() {
    let Some(server) = Server::start(&["--maxmemory-policy", "noeviction"]) else { return };
    let clock = Clock::frozen(Clock::system().now());
    let store = RedisStore::options().clock(clock.clone()).connect(&server.url()).await.unwrap();
    for fields in SIZES {
        let read = filled(&store, fields).await;
        applied(&store, &read, &rotation(&read, secret(3))).await;
        let read = found(&store, &read).await;
        server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
        for patch in patches() {
            let error = store.apply(read.id, 1, &patch, Some(&read)).await.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Full, "{patch:?}: {error:?}");
        }
        clock.advance(Duration::from_secs(1_000));
        let lookup = store.load(read.id, &[secret(3)], Touch::IfDue.into()).await.unwrap();
        let Lookup::Found(confirmed) = lookup else { panic!("{lookup:?}") };
        assert_eq!((confirmed.meta.secret, confirmed.meta.last_seen), (secret(3), clock.now()));
        assert_eq!(confirmed.fields, read.fields);
        assert!(store.delete(read.id, EndReason::SignedOut).await.unwrap());
        let ended = store.load(read.id, &[secret(3)], Touch::Never.into()).await.unwrap();
        assert!(matches!(ended, Lookup::Ended(_)), "{ended:?}");
        assert_eq!(server.ask(&["EXISTS", &base(read.id)]).trim(), "0");
        server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    }
}

#[tokio::test]
async fn a_secret_that_came_after_the_read_is_remembered_by_the_end() {
    let Some((store, _)) = frozen().await else { return };
    for by_revocation in [false, true] {
        let theirs = created(&store, Some(&customer())).await;
        let read = found(&store, &theirs).await;
        applied(&store, &read, &rotation(&read, secret(4))).await;
        if by_revocation {
            let one = Revoke::One(read.id);
            assert_eq!(
                store.revoke(&customer(), one, EndReason::OtherDevice, None).await.unwrap().ended,
                1
            );
        } else {
            assert!(store.delete(read.id, EndReason::SignedOut).await.unwrap());
        }
        let ended = store.load(read.id, &[secret(4)], Touch::Never.into()).await.unwrap();
        assert!(matches!(ended, Lookup::Ended(_)), "{ended:?}");
    }
}

#[tokio::test]
async fn a_session_whose_base_was_evicted_is_absent() {
    let Some((server, store)) = own(RedisStore::options()).await else { return };
    for patch in patches() {
        let read = filled(&store, SIZES[1]).await;
        assert_eq!(server.ask(&["DEL", &base(read.id)]).trim(), "1", "it is kept apart");
        let before = value(&server, read.id);
        let outcome = apply(&store, &read, &patch).await;
        assert!(matches!(outcome, Outcome::Gone(Gone::Absent)), "{patch:?}: {outcome:?}");
        assert_eq!(value(&server, read.id), before, "nothing was written");
        assert!(matches!(seen(&store, &read).await, Lookup::Absent));
    }
}

/// A replica that was behind takes over, and counts the same numbers for other writes.
#[tokio::test]
async fn numbers_that_come_twice_undo_nothing() {
    let clock = Clock::frozen(Clock::system().now());
    let options = RedisStore::options().clock(clock.clone());
    let Some((server, store)) = own(options).await else { return };
    for fields in SIZES {
        for patch in patches() {
            let read = filled(&store, fields).await;
            let behind = value(&server, read.id);
            // What is lost.
            applied(&store, &read, &one_more()).await;
            let lost = found(&store, &read).await;
            server.ask(&["SET", &key(read.id), &behind, "KEEPTTL"]);
            let again = found(&store, &read).await;
            let mut kept = Patch::of(vec![set("kept".to_owned(), "1")]);
            kept.meta.authenticated = true;
            applied(&store, &again, &kept).await;
            applied(&store, &lost, &patch).await;
            let after = found(&store, &read).await;
            assert_eq!(after.fields.get("kept"), Some(&b"1"[..]), "{patch:?}");
            assert!(after.meta.authenticated.is_some(), "{patch:?}");
        }
    }
}

#[tokio::test]
async fn a_session_that_grows_and_shrinks_leaves_no_base_behind() {
    let Some((server, store)) = own(RedisStore::options()).await else { return };
    let read = filled(&store, 1).await;
    let bases = || server.ask(&["EXISTS", &base(read.id)]).trim().to_owned();
    for _ in 0..2 {
        assert_eq!(bases(), "0");
        let large = Patch::of((0..40).map(|n| set(format!("l{n}"), &"y".repeat(60))).collect());
        applied(&store, &found(&store, &read).await, &large).await;
        assert_eq!(bases(), "1");
        for key in [key(read.id), base(read.id)] {
            let left: i64 = server.ask(&["PTTL", &key]).trim().parse().unwrap();
            assert!(left > 3_600_000, "{key} ends in {left} ms");
        }
        let remove = |n| FieldOp::new(format!("l{n}"), Op::Remove);
        let small = Patch::of((0..40).map(remove).collect());
        applied(&store, &found(&store, &read).await, &small).await;
        // The next change makes it anew.
        let mut large = one_more();
        large.ops.push(set("n2".to_owned(), &"y".repeat(600)));
        applied(&store, &found(&store, &read).await, &large).await;
        let mut less = one_more();
        less.ops.push(FieldOp::new("n2", Op::Remove));
        applied(&store, &found(&store, &read).await, &less).await;
        let mut take = one_more();
        take.ops.push(FieldOp::new("n2", Op::Take));
        applied(&store, &found(&store, &read).await, &take).await;
    }
    store.delete(read.id, EndReason::SignedOut).await.unwrap();
    assert_eq!(bases(), "0");
}
