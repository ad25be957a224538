//! Sign-ins that break off half-way, where session and index are on different
//! servers.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use session_runtime::__private::patch::{AtLimit, Cap, Denied, Outcome, Patch, SignIn};
use session_runtime::__private::record::{Principal, Record};
use session_runtime::__private::token::SessionToken;
use session_runtime::EndReason;
use session_runtime::Realm;
use session_runtime::clock::Clock;
use session_runtime::store::{
    RedisStore, SessionStore,
    contract::{Created, Lookup, Revoke},
};
use session_tests::servers::{Proxy, redis};

use super::records::{created, customer, found, record, seen};

/// A store that treats one server as two, the wire to it, and the names of the
/// scripts of a sign-in: reserve, write, confirm.
struct Wire {
    store: RedisStore,
    /// The same, without the wire between.
    direct: RedisStore,
    proxy: Proxy,
    clock: Clock,
}

impl Wire {
    async fn open(deadline: Duration) -> Option<Self> {
        let proxy = Proxy::to(redis::single()?.port);
        let clock = Clock::frozen(Clock::system().now());
        let options = RedisStore::options().prefix(redis::fresh_prefix()).clock(clock.clone());
        let options = options.sharding_proxy(true).deadline(deadline);
        let direct = options.clone().connect(&redis::single()?.url()).await.unwrap();
        let store = options.connect(&format!("redis://127.0.0.1:{}", proxy.port)).await.unwrap();
        Some(Self { store, direct, proxy, clock })
    }

    /// The second time the server knows the scripts.
    async fn scripts(&self, sign_in: impl AsyncFn(&Principal)) -> [String; 3] {
        let nobody = Principal::new("customer", "nobody");
        sign_in(&nobody).await;
        self.proxy.commands();
        sign_in(&nobody).await;
        let names = self.proxy.commands().into_iter().map(|(words, _)| words[1].clone());
        let names: Vec<_> = names.collect();
        self.store.revoke(&nobody, Revoke::All, EndReason::OtherDevice, None).await.unwrap();
        names.try_into().expect("three requests")
    }
}

impl Wire {
    /// Those of a visitor who signs in.
    async fn scripts_of_a_step(&self) -> [String; 3] {
        self.scripts(async |who| {
            let visitor = visitor(&self.store).await;
            let mut patch = Patch::new();
            patch.meta.principal = Some(Some(who.clone()));
            self.proxy.commands();
            self.store.apply(visitor.id, 1, &patch, Some(&visitor)).await.unwrap();
        })
        .await
    }
}

/// A session of a visitor as its request has read it.
async fn visitor(store: &RedisStore) -> Arc<Record> {
    let created = created(store, None).await;
    found(store, &created).await
}

fn two() -> SignIn {
    let cap = Cap { max: NonZeroU32::new(2).unwrap(), at_limit: AtLimit::Reject };
    SignIn { cap: Some(cap), ..SignIn::default() }
}

/// How many of three sign-ins the cap of two allows.
async fn admitted(store: &RedisStore) -> usize {
    let mut admitted = 0;
    for _ in 0..3 {
        match store.create(record(store, Some(&customer())).into(), two()).await.unwrap() {
            Created::Created { .. } => admitted += 1,
            other => assert_eq!(other, Created::Denied(Denied::AtLimit)),
        }
    }
    admitted
}

async fn live(store: &RedisStore) -> usize {
    store.list(&customer(), None, 1_000).await.unwrap().records.len()
}

const HALF_A_MINUTE: Duration = Duration::from_secs(31);

#[tokio::test]
async fn a_new_session_whose_sign_in_breaks_off_counts_for_half_a_minute_at_most() {
    for step in 0..3 {
        let Some(wire) = Wire::open(Duration::from_millis(400)).await else { return };
        let store = &wire.store;
        let scripts = wire
            .scripts(async |who| {
                created(store, Some(who)).await;
            })
            .await;
        let mine = record(store, Some(&customer()));
        wire.proxy.refuse(Some(&scripts[step]));
        store.create(mine.clone().into(), two()).await.unwrap_err();
        wire.proxy.refuse(None);
        let found = seen(store, &mine).await;
        match step {
            0 | 1 => assert!(matches!(found, Lookup::Absent), "step {step}: {found:?}"),
            _ => assert!(matches!(found, Lookup::Ended(_)), "written, and undone: {found:?}"),
        }
        let under_way = usize::from(step > 0);
        assert_eq!(admitted(store).await, 2 - under_way, "step {step}: while it may be under way");
        wire.clock.advance(HALF_A_MINUTE);
        assert_eq!(admitted(store).await, under_way, "step {step}: after it has ended");
        assert_eq!(live(store).await, 2, "step {step}");
    }
}

#[tokio::test]
async fn a_new_session_whose_request_was_given_up_is_one_of_those_that_the_cap_allows() {
    for step in 0..3 {
        let Some(wire) = Wire::open(Duration::from_secs(20)).await else { return };
        let store = &wire.store;
        let scripts = wire
            .scripts(async |who| {
                created(store, Some(who)).await;
            })
            .await;
        wire.proxy.refuse(Some(&scripts[step]));
        let mine = record(store, Some(&customer()));
        let asked = store.create(mine.into(), two());
        let given_up = tokio::time::timeout(Duration::from_millis(300), asked).await;
        assert!(given_up.is_err(), "step {step}: it is still asking");
        wire.proxy.refuse(None);
        wire.clock.advance(HALF_A_MINUTE);
        let there = usize::from(step == 2);
        assert_eq!(live(store).await, there, "step {step}");
        assert_eq!(admitted(store).await, 2 - there, "step {step}");
        assert_eq!(live(store).await, 2, "step {step}");
    }
}

#[tokio::test]
async fn a_visitor_whose_sign_in_breaks_off_is_signed_in_or_not_and_counted_exactly() {
    let sign_in = |visitor: &Record, who: &Principal| {
        let token = SessionToken::renew(visitor.id).unwrap();
        let mut patch = Patch::new();
        patch.meta.renew = Some(token.secret_hash(&Realm::default()));
        patch.meta.authenticated = true;
        patch.meta.principal = Some(Some(who.clone()));
        patch.meta.sign_in = two();
        (patch, token.secret_hash(&Realm::default()))
    };
    for step in 0..3 {
        let Some(wire) = Wire::open(Duration::from_millis(400)).await else { return };
        let store = &wire.store;
        let visitors = [visitor(store).await, visitor(store).await];
        let next = std::sync::atomic::AtomicUsize::new(0);
        let scripts = wire
            .scripts(async |who| {
                let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let (patch, _) = sign_in(&visitors[n], who);
                store.apply(visitors[n].id, 1, &patch, Some(&visitors[n])).await.unwrap();
            })
            .await;
        let visitor = visitor(store).await;
        let (patch, secret) = sign_in(&visitor, &customer());
        wire.proxy.refuse(Some(&scripts[step]));
        let outcome = store.apply(visitor.id, 1, &patch, Some(&visitor)).await;
        wire.proxy.refuse(None);
        let mut renewed = Record::clone(&visitor);
        renewed.meta.secret = secret;
        let (old, new) = (seen(store, &visitor).await, seen(store, &renewed).await);
        let signed_in = usize::from(step == 2);
        if step == 2 {
            assert!(matches!(outcome, Ok(Outcome::Uncertain)), "{outcome:?}");
            assert!(matches!(old, Lookup::Ended(_)), "{old:?}");
            let Lookup::Found(new) = new else { panic!("{new:?}") };
            assert_eq!(new.meta.principal, Some(customer()));
        } else {
            assert!(!matches!(outcome, Ok(Outcome::Applied(_))), "step {step}: {outcome:?}");
            let Lookup::Found(old) = old else { panic!("step {step}: {old:?}") };
            assert_eq!(old.meta.principal, None, "step {step}");
            assert!(matches!(new, Lookup::Absent), "step {step}: {new:?}");
        }
        wire.clock.advance(HALF_A_MINUTE);
        assert_eq!(live(store).await, signed_in, "step {step}");
        assert_eq!(admitted(store).await, 2 - signed_in, "step {step}");
        assert_eq!(live(store).await, 2, "step {step}");
    }
}

#[tokio::test]
async fn a_sign_in_that_is_asked_for_again_is_finished() {
    let Some(wire) = Wire::open(Duration::from_millis(400)).await else { return };
    let store = &wire.store;
    let scripts = wire
        .scripts(async |who| {
            created(store, Some(who)).await;
        })
        .await;
    let visitor = created(store, None).await;
    let mut patch = Patch::new();
    patch.meta.principal = Some(Some(customer()));
    patch.meta.sign_in = two();
    // The confirmation is one script for new and for known sessions.
    wire.proxy.refuse(Some(&scripts[2]));
    let outcome = store.apply(visitor.id, 1, &patch, None).await.unwrap();
    assert!(matches!(outcome, Outcome::Uncertain), "{outcome:?}");
    wire.proxy.refuse(None);
    let outcome = store.apply(visitor.id, 1, &patch, None).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(ref it) if it.repeated), "{outcome:?}");
    assert_eq!(admitted(store).await, 1);
    assert_eq!(live(store).await, 2);
}

/// Two sign-ins under way at once, of which the older was written later: all who
/// come after them must end the same one.
#[tokio::test]
async fn sign_ins_at_once_agree_on_who_is_oldest() {
    let Some(wire) = Wire::open(Duration::from_secs(20)).await else { return };
    let store = &wire.store;
    let sign_in = |at_limit, max| {
        let mut patch = Patch::new();
        patch.meta.authenticated = true;
        patch.meta.principal = Some(Some(customer()));
        let cap = Cap { max: NonZeroU32::new(max).unwrap(), at_limit };
        patch.meta.sign_in = SignIn { cap: Some(cap), ..SignIn::default() };
        patch
    };
    let names = wire
        .scripts(async |who| {
            let mut patch = sign_in(AtLimit::Reject, 9);
            patch.meta.principal = Some(Some(who.clone()));
            let visitor = visitor(store).await;
            wire.proxy.commands();
            store.apply(visitor.id, 1, &patch, Some(&visitor)).await.unwrap();
        })
        .await;
    let (first, second) = (visitor(store).await, visitor(store).await);
    // The first begins to reserve, and the second is done before it has.
    wire.proxy.refuse(Some(&names[0]));
    let (early, read, patch) = (store.clone(), first.clone(), sign_in(AtLimit::Reject, 9));
    let asked = tokio::spawn(async move { early.apply(read.id, 1, &patch, Some(&read)).await });
    while wire.proxy.refusals() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    wire.clock.advance(Duration::from_millis(10));
    let other = sign_in(AtLimit::Reject, 9);
    let outcome = wire.direct.apply(second.id, 1, &other, Some(&second)).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    wire.clock.advance(Duration::from_millis(10));
    wire.proxy.refuse(None);
    let outcome = asked.await.unwrap().unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    wire.clock.advance(Duration::from_millis(10));
    let third = record(store, Some(&customer()));
    let cap = Cap { max: NonZeroU32::new(2).unwrap(), at_limit: AtLimit::EvictOldest };
    let evicting = SignIn { cap: Some(cap), ..SignIn::default() };
    let created = store.create(third.into(), evicting).await.unwrap();
    assert!(matches!(&created, Created::Created { evicted } if evicted.len() == 1), "{created:?}");
    let left: Vec<_> = store
        .list(&customer(), None, 1_000)
        .await
        .unwrap()
        .records
        .iter()
        .map(|it| it.id)
        .collect();
    assert!(!left.contains(&first.id), "it signed in first, whenever it was written");
    assert_eq!(left.len(), 2);
}

#[tokio::test]
async fn a_sign_in_that_was_revoked_before_it_was_finished_does_not_stand() {
    let Some(wire) = Wire::open(Duration::from_millis(400)).await else { return };
    let store = &wire.store;
    let scripts = wire.scripts_of_a_step().await;
    let visitor = visitor(store).await;
    let mut patch = Patch::new();
    patch.meta.principal = Some(Some(customer()));
    patch.meta.sign_in = SignIn { not_revoked_since: Some(wire.clock.now()), ..SignIn::default() };
    wire.clock.advance(Duration::from_secs(1));
    // Reserved, but not theirs yet: the revocation finds nothing to end.
    wire.proxy.refuse(Some(&scripts[1]));
    let (early, read, asked) = (store.clone(), visitor.clone(), patch.clone());
    let asked = tokio::spawn(async move { early.apply(read.id, 1, &asked, Some(&read)).await });
    while wire.proxy.refusals() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    wire.direct.revoke(&customer(), Revoke::All, EndReason::OtherDevice, None).await.unwrap();
    // Now it is written, and not confirmed.
    wire.proxy.refuse(Some(&scripts[2]));
    let outcome = asked.await.unwrap().unwrap();
    assert!(matches!(outcome, Outcome::Uncertain), "{outcome:?}");
    wire.proxy.refuse(None);
    let outcome = store.apply(visitor.id, 1, &patch, None).await.unwrap();
    assert!(matches!(outcome, Outcome::Denied(Denied::Revoked)), "{outcome:?}");
    assert_eq!(live(store).await, 0, "revoked after its ticket");
}

#[tokio::test]
async fn a_sign_in_that_was_evicted_before_it_was_finished_does_not_stand() {
    let Some(wire) = Wire::open(Duration::from_millis(400)).await else { return };
    let store = &wire.store;
    let scripts = wire.scripts_of_a_step().await;
    let one = Cap { max: NonZeroU32::MIN, at_limit: AtLimit::EvictOldest };
    let one = SignIn { cap: Some(one), ..SignIn::default() };
    let visitor = visitor(store).await;
    let mut patch = Patch::new();
    patch.meta.principal = Some(Some(customer()));
    patch.meta.sign_in = one;
    wire.proxy.refuse(Some(&scripts[1]));
    let (early, read, asked) = (store.clone(), visitor.clone(), patch.clone());
    let asked = tokio::spawn(async move { early.apply(read.id, 1, &asked, Some(&read)).await });
    while wire.proxy.refusals() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let winner = record(store, Some(&customer()));
    let answer = wire.direct.create(winner.clone().into(), one).await.unwrap();
    assert!(answer.is_created(), "{answer:?}");
    wire.proxy.refuse(Some(&scripts[2]));
    let outcome = asked.await.unwrap().unwrap();
    assert!(matches!(outcome, Outcome::Uncertain), "{outcome:?}");
    wire.proxy.refuse(None);
    store.apply(visitor.id, 1, &patch, None).await.unwrap();
    let left = store.list(&customer(), None, 1_000).await.unwrap().records;
    assert_eq!(left.iter().map(|it| it.id).collect::<Vec<_>>(), [winner.id], "a cap of one");
}
