//! Records, and what is done to them.

use std::sync::Arc;
use std::time::Duration;

use session_runtime::__private::patch::{Add, FieldOp, Lifetime, Op, Patch, SignIn};
use session_runtime::__private::record::{Fields, Meta, Principal, Record};
use session_runtime::__private::token::SessionToken;
use session_runtime::Realm;
use session_runtime::store::{
    RedisStore, SessionStore,
    contract::{Created, Lookup, Touch},
};

pub(super) fn record(store: &RedisStore, principal: Option<&Principal>) -> Record {
    let token = SessionToken::generate().unwrap();
    let hour = Some(Duration::from_secs(3600));
    let lifetime = Lifetime { idle: hour, absolute: hour, remember: false };
    let mut meta = Meta::new(token.secret_hash(&Realm::default()), store.clock().now(), lifetime);
    meta.principal = principal.cloned();
    Record::new(token.id(), meta, Fields::new())
}

pub(super) async fn created(store: &RedisStore, principal: Option<&Principal>) -> Record {
    let record = record(store, principal);
    let answer = store.create(record.clone().into(), SignIn::default()).await.unwrap();
    assert_eq!(answer, Created::ALONE);
    record
}

pub(super) async fn seen(store: &RedisStore, record: &Record) -> Lookup {
    store.load(record.id, &[record.meta.secret], Touch::Never.into()).await.unwrap()
}

pub(super) async fn found(store: &RedisStore, record: &Record) -> Arc<Record> {
    let seen = seen(store, record).await;
    let Lookup::Found(found) = seen else { panic!("the session is there: {seen:?}") };
    found
}

pub(super) fn one_more() -> Patch {
    Patch::of(vec![FieldOp::new("n", Op::Add(Add::unsigned(1, 0)))])
}

pub(super) fn number(record: &Record) -> u64 {
    record.fields.get("n").map_or(0, |n| std::str::from_utf8(n).unwrap().parse().unwrap())
}

pub(super) async fn count_of(store: &RedisStore, record: &Record) -> u64 {
    number(&*found(store, record).await)
}

pub(super) fn customer() -> Principal {
    Principal::new("customer", "42")
}
