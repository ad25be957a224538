//! What must hold in every order in which calls of the store can meet, also where the map
//! loses an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use session_runtime::__private::patch::{
    Add, AtLimit, Cap, Expect, FieldOp, Lifetime, Op, Outcome, Patch, SignIn,
};
use session_runtime::__private::record::{
    COMMIT_LEEWAY, Fields, Meta, Principal, Record, Rotate, Rotation,
};
use session_runtime::__private::token::{RotationNonce, SecretHash};
use session_runtime::SessionId;
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::store::cas::CompareAndSwap as _;
use session_runtime::store::{
    Limits, SessionStore, StoreErrorKind,
    contract::{Created, EndReason, Lookup, Revoke, Touch},
};

use super::orders::{Store, World, explore, sample};

const ID: SessionId = SessionId::from_bytes([1; 16]);
const IDLE: Duration = Duration::from_secs(1_800);
const LIFETIME: Lifetime = Lifetime { idle: Some(IDLE), absolute: None, remember: false };

const fn secret(byte: u8) -> SecretHash {
    SecretHash::from_bytes([byte; 32])
}

fn customer() -> Principal {
    Principal::new("customer", "42")
}

fn record(clock: &Clock, id: SessionId) -> Record {
    Record::new(id, Meta::new(secret(1), clock.now(), LIFETIME), Fields::new())
}

/// A store with one session, and the session as it was read.
async fn world() -> (World, Arc<Record>) {
    world_of(|_| {}).await
}

async fn world_of(change: impl FnOnce(&mut Record)) -> (World, Arc<Record>) {
    let clock = Clock::frozen(Timestamp::from_millis(1_700_000_000_000));
    let world = World::new(clock.clone());
    let mut record = record(&clock, ID);
    change(&mut record);
    let created = world.store.create(record.into(), SignIn::default()).await.unwrap();
    assert_eq!(created, Created::ALONE);
    let read = current(&world.store).await.unwrap();
    (world, read)
}

async fn current(store: &Store) -> Option<Arc<Record>> {
    match store.reload(ID, 1).await.unwrap() {
        None => store.reload(ID, 2).await.unwrap(),
        found => found,
    }
}

fn set(name: &'static str, json: &str) -> Patch {
    Patch::of(vec![FieldOp::new(name, Op::set(json))])
}

fn add(name: &'static str) -> Patch {
    Patch::of(vec![FieldOp::new(name, Op::Add(Add::unsigned(1, 0)))])
}

/// Applies a patch made for what was read, and says what came of it.
async fn apply(store: Store, patch: Patch, read: Arc<Record>) -> String {
    match store.apply(ID, read.meta.epoch, &patch, Some(&read)).await.unwrap() {
        Outcome::Applied(applied) => {
            let taken: Vec<_> = applied.taken.into_iter().filter_map(|taken| taken.value).collect();
            let taken = taken.into_iter().map(|value| String::from_utf8(value).unwrap());
            let repeated = if applied.repeated { " again" } else { "" };
            format!("applied{repeated} {}", taken.collect::<String>()).trim_end().to_owned()
        }
        Outcome::Gone(_) => "gone".to_owned(),
        Outcome::Conflict(_) => "conflict".to_owned(),
        Outcome::Refused(_) => "refused".to_owned(),
        Outcome::Denied(_) => "denied".to_owned(),
        Outcome::Uncertain => "uncertain".to_owned(),
    }
}

fn field(record: &Record, name: &str) -> String {
    let json = record.fields.get(name).unwrap_or_default();
    String::from_utf8(json.to_vec()).unwrap()
}

/// Without those whom a cap evicted.
fn name(created: &Created) -> String {
    if created.is_created() { "Created".to_owned() } else { format!("{created:?}") }
}

fn count(answers: &[String], answer: &str) -> usize {
    answers.iter().filter(|it| *it == answer).count()
}

/// At least so many orders: none explores nothing unnoticed.
#[track_caller]
fn explored(orders: usize, at_least: usize) {
    println!("{orders} orders");
    assert!(orders >= at_least, "{orders} orders");
}

#[test]
fn no_replacing_undoes_a_touch() {
    let orders = explore(
        1,
        async || {
            let (mut world, read) = world().await;
            world.store.clock().advance(IDLE / 2);
            world.task(async |store| {
                match store.load(ID, &[secret(1)], Touch::IfDue.into()).await.unwrap() {
                    Lookup::Found(found) => format!("{:?}", found.meta.last_seen),
                    other => format!("{other:?}"),
                }
            });
            world.task(|store| apply(store, set("a", "1"), read));
            world
        },
        async |store, answers| {
            let record = current(&store).await.unwrap();
            assert_eq!(answers[1], "applied");
            assert_eq!(field(&record, "a"), "1");
            let touched = format!("{:?}", store.clock().now());
            if answers[0] == touched {
                assert_eq!(format!("{:?}", record.meta.last_seen), touched);
            }
        },
    );
    explored(orders, 10);
}

fn rotation() -> Rotation {
    Rotation { nonce: RotationNonce([2; 16]), next: secret(2) }
}

fn rotate() -> Patch {
    let mut patch = Patch::new();
    patch.meta.rotate = Some(Box::new(Rotate { from: secret(1), rotation: rotation() }));
    patch
}

#[test]
fn no_replacing_undoes_a_begun_renewal_or_its_confirmation() {
    let begun = explore(
        1,
        async || {
            let (mut world, read) = world().await;
            let too = Arc::clone(&read);
            world.task(|store| apply(store, rotate(), read));
            world.task(|store| apply(store, set("a", "1"), too));
            world
        },
        async |store, answers| {
            assert_eq!(answers, ["applied", "applied"]);
            let record = current(&store).await.unwrap();
            assert_eq!(field(&record, "a"), "1");
            assert_eq!(record.meta.renewal.pending().map(|it| it.next), Some(secret(2)));
        },
    );
    explored(begun, 10);
    let confirmed = explore(
        1,
        async || {
            let (mut world, read) = world().await;
            apply(world.store.clone(), rotate(), read).await;
            let read = current(&world.store).await.unwrap();
            world.task(async |store| {
                let found = store.load(ID, &[secret(2)], Touch::Never.into()).await;
                format!("{:?}", found.unwrap())[..5].to_owned()
            });
            world.task(|store| apply(store, set("a", "1"), read));
            world
        },
        async |store, answers| {
            assert_eq!(answers[1], "applied");
            let record = current(&store).await.unwrap();
            assert_eq!(field(&record, "a"), "1");
            assert_eq!(answers[0], "Found");
            assert_eq!(record.meta.secret, secret(2), "the old cookie lives again");
        },
    );
    explored(confirmed, 10);
}

#[test]
fn merging_races_appending() {
    let orders = explore(
        0,
        async || {
            let (mut world, read) = world().await;
            for (name, json) in [("a", "1"), ("b", "2"), ("c", "3")] {
                let read = Arc::clone(&read);
                world.task(move |store| apply(store, set(name, json), read));
            }
            world
        },
        async |store, answers| {
            assert_eq!(answers, ["applied"; 3]);
            let record = current(&store).await.unwrap();
            let fields = ["a", "b", "c"].map(|name| field(&record, name));
            assert_eq!((fields, record.meta.rev), (["1", "2", "3"].map(str::to_owned), 4));
        },
    );
    explored(orders, 90);
}

#[test]
fn an_answer_that_is_lost_while_another_merges_is_neither_forgotten_nor_applied_twice() {
    let orders = explore(
        2,
        async || {
            let (mut world, read) = world().await;
            for _ in 0..2 {
                let read = Arc::clone(&read);
                world.task(move |store| apply(store, add("n"), read));
            }
            world
        },
        async |store, answers| {
            let record = current(&store).await.unwrap();
            assert_eq!(answers, ["applied"; 2]);
            assert_eq!(field(&record, "n"), "2");
        },
    );
    explored(orders, 50);
}

#[test]
fn a_value_is_taken_once_whatever_answer_is_lost() {
    let orders = explore(
        1,
        async || {
            let (mut world, read) =
                world_of(|it| it.fields = [("n", "7")].into_iter().collect()).await;
            for _ in 0..2 {
                let read = Arc::clone(&read);
                let take = Patch::of(vec![FieldOp::new("n", Op::Take)]);
                world.task(move |store| apply(store, take, read));
            }
            world
        },
        async |store, answers| {
            assert_eq!(count(&answers, "applied 7"), 1, "{answers:?}");
            assert_eq!(count(&answers, "applied"), 1, "{answers:?}");
            assert_eq!(field(&current(&store).await.unwrap(), "n"), "");
        },
    );
    explored(orders, 20);
}

#[test]
fn four_patches_between_refusal_and_reading_leave_uncertain_what_was_lost() {
    static UNCERTAIN: AtomicUsize = AtomicUsize::new(0);
    let make = async || {
        let (mut world, read) = world().await;
        let others = Arc::clone(&read);
        world.task(|store| apply(store, add("n"), read));
        world.task(async move |store| {
            let mut all = String::new();
            for name in ["a", "b", "c", "d", "e"] {
                all += &apply(store.clone(), set(name, "1"), Arc::clone(&others)).await;
            }
            all
        });
        world
    };
    let check = async |store: Store, answers: Vec<String>| {
        let record = current(&store).await.unwrap();
        match answers[0].as_str() {
            "applied" => assert_eq!(field(&record, "n"), "1"),
            "uncertain" => {
                UNCERTAIN.fetch_add(1, Ordering::Relaxed);
                assert!(["", "1"].contains(&&*field(&record, "n")));
            }
            other => panic!("{other}"),
        }
    };
    sample(5_000, 1, make, check);
    let uncertain = UNCERTAIN.load(Ordering::Relaxed);
    assert!(uncertain > 0);
    println!("{uncertain} of 5000");
}

/// Time passes as one of the calls, by so much; what is stored then.
fn time_passes(world: &mut World, by: Duration) {
    world.task(async move |store| {
        let _ = store.map().get("nothing").await;
        store.clock().advance(by);
        let (_, form) = store.map().map.values("s.").pop().unwrap();
        String::from_utf8(form).unwrap()
    });
}

/// A step is decided by the time of its own read: only what is between that and the swap
/// comes too late, by no more than the deadline of a call.
#[test]
fn a_session_that_expires_in_between_is_not_revived() {
    static LATE: AtomicUsize = AtomicUsize::new(0);
    let check = async |store: Store, answers: Vec<String>| {
        let (_, form) = store.map().map.values("s.").pop().unwrap();
        if answers[1].as_bytes() != form {
            LATE.fetch_add(1, Ordering::Relaxed);
        }
    };
    let touch = async || {
        let (mut world, _) = world().await;
        world.store.clock().advance(IDLE - Duration::from_millis(1));
        world.task(async |store| {
            let found = store.load(ID, &[secret(1)], Touch::IfDue.into()).await.unwrap();
            format!("{found:?}")
        });
        time_passes(&mut world, Duration::from_millis(1));
        world
    };
    explored(explore(0, touch, check), 4);
    assert_eq!(LATE.swap(0, Ordering::Relaxed), 1);
    let patch = async || {
        let (mut world, read) = world().await;
        world.store.clock().advance(IDLE + COMMIT_LEEWAY - Duration::from_millis(1));
        world.task(|store| apply(store, set("a", "1"), read));
        time_passes(&mut world, Duration::from_millis(1));
        world
    };
    explored(explore(0, patch, check), 3);
    assert_eq!(LATE.load(Ordering::Relaxed), 1);
}

#[test]
fn a_form_of_a_later_version_is_not_touched_though_it_came_in_between() {
    let orders = explore(
        0,
        async || {
            let (mut world, read) = world().await;
            world.task(async move |store| {
                match store.apply(ID, 1, &set("a", "1"), Some(&read)).await {
                    Ok(outcome) => format!("{outcome:?}")[..7].to_owned(),
                    Err(error) => format!("{:?}", error.kind()),
                }
            });
            world.task(async |store| {
                let _ = store.map().get("nothing").await;
                let map = &store.map().map;
                let (key, _) = map.values("s.").pop().unwrap();
                map.edit(&key, |form| form[0] = b'2');
                String::from_utf8(map.values("s.").pop().unwrap().1).unwrap()
            });
            world
        },
        async |store, answers| {
            let (_, form) = store.map().map.values("s.").pop().unwrap();
            assert_eq!(answers[1].as_bytes(), form);
            let stored = answers[1].contains("1:a1:1");
            let corrupt = format!("{:?}", StoreErrorKind::Corrupt);
            assert_eq!(answers[0], if stored { "Applied" } else { &corrupt });
        },
    );
    explored(orders, 3);
}

#[test]
fn a_patch_of_an_older_schema_is_not_appended_to_a_newer_one() {
    let version = |version| Expect::Version { namespace: "".into(), version };
    let orders = explore(
        0,
        async || {
            let (mut world, read) = world().await;
            let newer = Arc::clone(&read);
            let mut old = set("a", "1");
            old.expect.push(version(1));
            world.task(|store| apply(store, old, read));
            let mut new = set("b", "2");
            new.expect.push(version(1));
            new.meta.versions = vec![("".into(), 2)];
            world.task(|store| apply(store, new, newer));
            world
        },
        async |store, answers| {
            let record = current(&store).await.unwrap();
            assert_eq!(answers[1], "applied");
            assert_eq!(record.meta.versions.get(""), 2);
            // The newer one came second, or alone.
            let expected = match field(&record, "a").as_str() {
                "1" => ("applied", 3),
                _ => ("conflict", 2),
            };
            assert_eq!((answers[0].as_str(), record.meta.rev), expected);
        },
    );
    explored(orders, 4);
}

#[test]
fn concurrent_growth_stops_at_the_limit() {
    let orders = explore(
        0,
        async || {
            let (mut world, read) = world().await;
            world.store = world.store.limits(Limits { field: 1_000, record: 1_000 });
            for name in ["a", "b", "c"] {
                let read = Arc::clone(&read);
                let json = "1".repeat(450);
                world.task(move |store| async move { apply(store, set(name, &json), read).await });
            }
            world
        },
        async |store, answers| {
            let record = current(&store).await.unwrap();
            assert_eq!((count(&answers, "applied"), count(&answers, "refused")), (2, 1));
            assert!(record.fields.byte_len() <= 1_000);
        },
    );
    explored(orders, 90);
}

#[test]
fn a_secret_that_came_before_the_end_is_remembered() {
    let orders = explore(
        1,
        async || {
            let (mut world, read) = world().await;
            let mut renew = Patch::new();
            renew.meta.renew = Some(secret(3));
            world.task(|store| apply(store, renew, read));
            world.task(async |store| {
                store.delete(ID, EndReason::SignedOut).await.unwrap().to_string()
            });
            world
        },
        async |store, answers| {
            assert_eq!(answers[1], "true");
            let look =
                async |byte| store.load(ID, &[secret(byte)], Touch::Never.into()).await.unwrap();
            assert!(matches!(look(1).await, Lookup::Ended(_)));
            match answers[0].as_str() {
                "applied" => assert!(matches!(look(3).await, Lookup::Ended(_))),
                // Lost, and the session ended before anybody could tell.
                "gone" | "uncertain" => {}
                other => panic!("{other}"),
            }
        },
    );
    explored(orders, 10);
}

#[test]
fn a_revocation_never_ends_a_session_that_changed_hands() {
    let other = || Principal::new("customer", "43");
    for which in [Revoke::One(ID), Revoke::All] {
        let orders = explore(
            0,
            async || {
                let (mut world, read) = world_of(|it| it.meta.principal = Some(customer())).await;
                let mut patch = Patch::new();
                patch.meta.renew = Some(secret(3));
                patch.meta.principal = Some(Some(other()));
                world.task(|store| apply(store, patch, read));
                world.task(async move |store| {
                    let revoked = store
                        .revoke(&customer(), which, EndReason::OtherDevice, None)
                        .await
                        .unwrap();
                    revoked.ended.to_string()
                });
                world
            },
            async |store, answers| {
                let record = current(&store).await;
                let theirs = record.and_then(|it| it.meta.principal.clone());
                match answers[1].as_str() {
                    "0" => assert_eq!((answers[0].as_str(), theirs), ("applied", Some(other()))),
                    "1" => assert_eq!((answers[0].as_str(), theirs), ("gone", None)),
                    more => panic!("{more}"),
                }
            },
        );
        explored(orders, 20);
    }
}

fn capped(at_limit: AtLimit) -> SignIn {
    SignIn { cap: Some(Cap { max: 1.try_into().unwrap(), at_limit }), not_revoked_since: None }
}

/// Two sign-ins at once into a cap of one.
fn two_into_one(at_limit: AtLimit, faults: usize) {
    let make = async || {
        let clock = Clock::frozen(Timestamp::from_millis(1_700_000_000_000));
        let mut world = World::new(clock.clone());
        for number in [1, 2] {
            let mut record = record(&clock, SessionId::from_bytes([number; 16]));
            record.meta.principal = Some(customer());
            record.meta.authenticated = Some(clock.now());
            world.task(async move |store| {
                name(&store.create(record.into(), capped(at_limit)).await.unwrap())
            });
        }
        world
    };
    let check = async |store: Store, answers: Vec<String>| {
        let page = store.list(&customer(), None, 10).await.unwrap();
        let live = store.count().await.unwrap();
        assert_eq!(page.records.len() as u64, live, "live and in no index");
        let admitted = if at_limit == AtLimit::Reject { 1 } else { 2 };
        assert_eq!((count(&answers, "Created"), live), (admitted, 1));
    };
    sample(2_000, faults, make, check);
}

#[test]
fn a_cap_is_exact_whatever_the_order_and_whatever_answer_is_lost() {
    for faults in [0, 2] {
        two_into_one(AtLimit::Reject, faults);
        two_into_one(AtLimit::EvictOldest, faults);
    }
}

#[test]
fn no_login_survives_a_revocation_that_it_races_with() {
    let make = async || {
        let clock = Clock::frozen(Timestamp::from_millis(1_700_000_000_000));
        let mut world = World::new(clock.clone());
        let mut record = record(&clock, ID);
        record.meta.principal = Some(customer());
        let ticket = SignIn { cap: None, not_revoked_since: Some(clock.now()) };
        world.task(async move |store| name(&store.create(record.into(), ticket).await.unwrap()));
        world.task(async |store| {
            let revoked =
                store.revoke(&customer(), Revoke::All, EndReason::OtherDevice, None).await.unwrap();
            revoked.ended.to_string()
        });
        world
    };
    let check = async |store: Store, answers: Vec<String>| {
        assert!(current(&store).await.is_none());
        let ended = if answers[0] == "Created" { "1" } else { "0" };
        assert_eq!(answers[1], ended);
    };
    sample(2_000, 0, make, check);
    sample(2_000, 1, make, check);
}
