//! What must hold on the pool of an application, whatever it does with its connections.

use std::num::NonZeroU32;

use session_runtime::__private::patch::{AtLimit, Cap, SignIn};
use session_runtime::__private::record::{Principal, Record};
use session_runtime::__private::token::SecretHash;
use session_runtime::SessionId;
use session_runtime::store::{
    SessionStore,
    contract::{Lookup, Touch},
};
use tokio::task::JoinSet;

pub(crate) fn capped(max: u32) -> SignIn {
    let cap = Cap { max: NonZeroU32::new(max).unwrap(), at_limit: AtLimit::EvictOldest };
    SignIn { cap: Some(cap), ..SignIn::default() }
}

/// Ten thousand loads of a session that was ended.
pub(crate) async fn nobody_is_signed_in<S>(store: &S, id: SessionId, secret: SecretHash)
where
    S: SessionStore + Clone,
{
    let mut asking = JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        asking.spawn(async move {
            for _ in 0..1_250 {
                let seen = store.load(id, &[secret], Touch::IfDue.into()).await.unwrap();
                assert!(!matches!(seen, Lookup::Found(_)), "signed out");
            }
        });
    }
    asking.join_all().await;
}

/// Sign-ins at once, each with a record from `make`: sixty-four of one customer, and of
/// others eight each, none of which finds any session when it begins.
pub(crate) async fn a_cap_of_two_holds<S>(store: &S, make: impl Fn() -> Record)
where
    S: SessionStore + Clone,
{
    for (customer, count) in [64, 8, 8, 8, 8, 8, 8].into_iter().enumerate() {
        let principal = Principal::new("customer", &customer.to_string());
        let mut signing_in = JoinSet::new();
        for _ in 0..count {
            let (store, mut new) = (store.clone(), make());
            new.meta.principal = Some(principal.clone());
            signing_in.spawn(async move { store.create(new.into(), capped(2)).await.unwrap() });
        }
        for created in signing_in.join_all().await {
            assert!(created.is_created(), "{created:?}");
        }
        let live = store.list(&principal, None, 1_000).await.unwrap().records.len();
        assert_eq!(live, 2, "of {count}");
    }
}
