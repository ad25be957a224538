//! Stores that tell what they were asked, and fail when they are told to.

use std::time::Duration;

use session_runtime::__private::patch::{Gone, Op};
use session_runtime::store::{MemoryStore, SessionStore, StoreErrorKind};
use session_runtime::testing::{Call, Fault, FaultStore, Gate, Operation, SpyStore, TestSession};
use session_runtime::{Session, SessionError, SessionLayer, SessionRejection};

use super::panic_of;
use crate::visitor::Visitor;

type Stack = SpyStore<FaultStore>;

/// A visitor of whom something is stored, before a store that can fail and
/// tells everything that it is asked.
fn stack() -> (TestSession<Visitor>, Stack) {
    let spy = SpyStore::new(FaultStore::default());
    let t = TestSession::<Visitor>::with_store(spy.clone()).with(|s| s.set_locale("de"));
    spy.take_calls();
    (t, spy)
}

fn commit(
    t: &TestSession<Visitor>,
    change: impl FnOnce(&mut Session<Visitor>),
) -> Result<(), String> {
    change(&mut t.session());
    t.last_commit().map_err(|error| format!("{error:?}"))
}

#[test]
fn a_spy_tells_every_call_in_order_with_its_patch() {
    let (t, spy) = stack();
    t.session().cart_mut().push("pen".to_owned());
    t.session().destroy();
    t.last_commit().unwrap();
    let calls = spy.take_calls();
    let [Call::Load { .. }, Call::Apply { patch, .. }, Call::Load { .. }, Call::Delete { .. }] =
        &calls[..]
    else {
        panic!("{calls:?}")
    };
    let [op] = &patch.ops[..] else { panic!("{patch:?}") };
    assert_eq!((&*op.name, &op.op), ("cart", &Op::set(r#"["pen"]"#)));
    assert!(spy.calls().is_empty(), "they were taken");
    t.session().set_user_id(1);
    t.last_commit().unwrap();
    assert_eq!(spy.operations(), [Operation::Create]);
    let [Call::Create { record, .. }] = &spy.calls()[..] else { panic!() };
    assert_eq!(record.meta.principal.as_ref().unwrap().json(), "1");
}

#[tokio::test]
async fn every_operation_is_told_and_can_fail() {
    let (t, spy) = stack();
    let faults = spy.inner();
    let (manager, mut session) = (t.manager(), t.session());
    session.set_user_id(7);
    session.save().await.unwrap();
    spy.take_calls();
    faults.fail_all(StoreErrorKind::Unavailable);
    assert!(session.reload().await.is_err());
    assert!(manager.sessions_of(&7u64).await.is_err());
    assert!(manager.revoke_all(&7u64).await.is_err());
    assert!(manager.count().await.is_err());
    assert!(spy.sweep(1).await.is_err());
    assert!(spy.scan(None, 1).await.is_err());
    assert!(matches!(t.open().await, Err(SessionRejection::Failed(_))));
    session.add_visits(1);
    assert!(session.save().await.is_err());
    let fresh = t.another_visitor();
    fresh.session().set_locale("fr");
    assert!(fresh.last_commit().is_err());
    session.destroy();
    drop(session);
    assert!(t.last_commit().is_err());
    let mut told = spy.operations();
    told.sort_by_key(|operation| format!("{operation:?}"));
    told.dedup();
    assert_eq!(told.len(), Operation::ALL.len(), "{told:?}");
    faults.clear();
    assert_eq!(manager.count().await.unwrap(), 1, "nothing was done");
}

#[test]
fn a_commit_that_fails_is_seen_and_is_not_hidden_by_looking() {
    let (t, spy) = stack();
    spy.inner().next(Operation::Apply, Fault::Fails(StoreErrorKind::Full));
    t.session().set_locale("fr");
    assert_eq!(t.session().locale(), "de");
    let error = t.last_commit().unwrap_err();
    assert!(matches!(&*error, SessionError::Store(error) if error.kind() == StoreErrorKind::Full));
    commit(&t, |s| s.set_locale("it")).unwrap();
    assert_eq!(t.session().locale(), "it");
}

#[test]
fn a_load_that_fails_names_the_reason() {
    let (t, spy) = stack();
    spy.inner().next(Operation::Load, Fault::Fails(StoreErrorKind::Unavailable));
    assert!(panic_of(|| drop(t.session())).contains("cannot be reached"));
    assert_eq!(t.session().locale(), "de");
}

#[test]
fn an_answer_that_is_lost_once_is_asked_for_again_and_counts_once() {
    let (t, spy) = stack();
    spy.inner().next(Operation::Apply, Fault::AnswerLost);
    commit(&t, |s| s.add_visits(1)).unwrap();
    assert_eq!(spy.operations(), [Operation::Load, Operation::Apply, Operation::Apply]);
    assert_eq!(t.session().visits(), 1);

    spy.inner().times(2, Operation::Apply, Fault::AnswerLost);
    assert_eq!(commit(&t, |s| s.add_visits(1)).unwrap_err(), "Uncertain");
    assert_eq!(t.session().visits(), 2, "it was done all the same");
    spy.inner().times(2, Operation::Apply, Fault::Uncertain);
    assert_eq!(commit(&t, |s| s.add_visits(1)).unwrap_err(), "Uncertain");
    assert_eq!(t.session().visits(), 2, "it was not done");
}

#[test]
fn patches_are_refused_as_gone_and_as_conflicting() {
    let (t, spy) = stack();
    spy.inner().next(Operation::Apply, Fault::Gone(Gone::Superseded));
    assert_eq!(commit(&t, |s| s.set_locale("fr")).unwrap_err(), "Gone");
    spy.inner().next(Operation::Apply, Fault::Conflict(Some("locale".into())));
    commit(&t, |s| s.set_locale("it")).unwrap();
    assert_eq!(t.session().locale(), "it", "one conflict is tried again");
    spy.inner().each(Operation::Apply, Fault::Conflict(Some("locale".into())));
    let error = commit(&t, |s| s.set_locale("fr")).unwrap_err();
    assert!(error.contains("Conflict") && error.contains("locale"), "{error}");
    spy.inner().clear();
    assert_eq!(t.session().locale(), "it");
    let refusing = || spy.inner().next(Operation::Delete, Fault::Uncertain);
    assert!(panic_of(refusing).contains("Operation::Delete"));
}

#[test]
fn faults_are_counted() {
    let (t, spy) = stack();
    let faults = spy.inner();
    faults.after(1, Operation::Apply, Fault::Fails(StoreErrorKind::Full));
    faults.times(2, Operation::Delete, Fault::Fails(StoreErrorKind::Full));
    assert_eq!(faults.remaining(), 3);
    commit(&t, |s| s.set_locale("one")).unwrap();
    commit(&t, |s| s.set_locale("two")).unwrap_err();
    commit(&t, |s| s.set_locale("three")).unwrap();
    assert_eq!(faults.remaining(), 2);
    faults.each(Operation::Apply, Fault::Fails(StoreErrorKind::Full));
    for _ in 0..3 {
        commit(&t, |s| s.set_locale("four")).unwrap_err();
    }
    faults.clear();
    commit(&t, |s| s.set_locale("five")).unwrap();
    assert_eq!(faults.remaining(), 0);
}

#[tokio::test]
async fn a_call_waits_at_a_gate_before_or_after_it_is_done() {
    let (t, spy) = stack();
    let record = t.stored().unwrap();
    let memory = spy.inner().inner();
    for (late, done) in [
        (Fault::AskedLate as fn(Gate) -> Fault, &br#""de""#[..]),
        (Fault::AnsweredLate, &br#""fr""#[..]),
    ] {
        let gate = Gate::new();
        spy.inner().next(Operation::Apply, late(gate.clone()));
        t.session().set_locale("fr");
        let message = panic_of(|| drop(t.cookie()));
        assert!(message.contains("settle().await"), "{message}");
        gate.reached().await;
        let stored = memory.reload(record.id, record.meta.epoch).await.unwrap().unwrap();
        assert_eq!(stored.fields.get("locale"), Some(done), "{late:?}");
        gate.open();
        t.settle().await;
        assert_eq!(t.session().locale(), "fr");
        commit(&t, |s| s.set_locale("de")).unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_is_uncertain_after_the_stores_timeout() {
    let faults = FaultStore::default();
    let layer = SessionLayer::new(faults.clone()).store_timeout(Duration::from_millis(5));
    let t = TestSession::<Visitor>::with_layer(layer).with(|s| s.set_locale("de"));
    faults.each(Operation::Apply, Fault::NeverAnswers);
    t.session().set_locale("fr");
    t.settle().await;
    assert!(matches!(*t.last_commit().unwrap_err(), SessionError::Uncertain));
    assert_eq!(t.session().locale(), "fr");
}

// Wrapped either way round, with no fault to meet, they keep the contract.
session_runtime::store_conformance! {
    a_spy_above_a_fault_store, |clock| async move {
        SpyStore::new(FaultStore::new(MemoryStore::with_clock(clock)))
    }
}

session_runtime::store_conformance! {
    a_fault_store_above_a_spy, |clock| async move {
        FaultStore::new(SpyStore::new(MemoryStore::with_clock(clock)))
    }
}
