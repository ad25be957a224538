//! Whose session it is, where the principal is more than a number.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use session_runtime::__private::patch::{AtLimit, Denied};
use session_runtime::testing::TestSession;
use session_runtime::{SessionError, SessionLayer, SessionSchema};
use session_tests::stores::all;
use session_tests::{Tab, stores::memory};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Account {
    id: u64,
    tenants: HashMap<String, u32>,
    roles: BTreeSet<String>,
}

impl Account {
    /// Each is another instance, whose map has another order.
    fn new(id: u64) -> Self {
        let tenants = (0..30).map(|tenant| (format!("tenant {tenant}"), tenant)).collect();
        Self { id, tenants, roles: ["buyer".to_owned(), "admin".to_owned()].into() }
    }
}

#[derive(SessionSchema)]
struct Customer {
    #[session(principal)]
    account: Option<Account>,
    locale: String,
}

#[tokio::test]
async fn a_principal_with_a_map_in_it_is_found_capped_and_revoked() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone()).schema::<Customer>();
        let mut tabs: Vec<_> = (0..20).map(|_| Tab::new(&layer)).collect();
        for tab in &mut tabs {
            tab.run(|mut s: CustomerSession| async move { s.set_account(Account::new(7)) }).await;
        }
        Tab::new(&layer)
            .run(|mut s: CustomerSession| async move { s.set_account(Account::new(8)) })
            .await;
        let manager = layer.manager();
        let found = manager.sessions_of(&Account::new(7)).await.unwrap();
        assert_eq!(found.len(), 20, "{}", under.name);
        for tab in &mut tabs {
            let who = |s: CustomerSession| async move { s.account().cloned() };
            assert_eq!(tab.run(who).await.ok(), Some(Account::new(7)), "{}", under.name);
        }
        assert_eq!(manager.revoke_all(&Account::new(7)).await.unwrap(), 20, "{}", under.name);
        let who = |s: CustomerSession| async move { s.account().is_some() };
        assert!(!tabs[3].run(who).await.ok(), "{}", under.name);
        assert_eq!(under.store_count().await, 1, "{}", under.name);
    }
}

#[tokio::test]
async fn a_cap_of_one_holds_for_a_principal_with_a_map_in_it() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone()).max_sessions(1, AtLimit::Reject);
        let sign_in = |mut s: CustomerSession| async move {
            s.set_account(Account::new(7));
            s.save()
                .await
                .map_err(|error| matches!(error, SessionError::SignInDenied(Denied::AtLimit)))
        };
        assert_eq!(Tab::new(&layer).run(sign_in).await.value, Some(Ok(())), "{}", under.name);
        for _ in 0..5 {
            assert_eq!(
                Tab::new(&layer).run(sign_in).await.value,
                Some(Err(true)),
                "{}",
                under.name
            );
        }
    }
}

#[tokio::test]
async fn the_same_user_in_another_order_keeps_the_session() {
    let layer = SessionLayer::new(memory().store);
    let mut tab = Tab::new(&layer);
    let first = |mut s: CustomerSession| async move {
        s.set_locale("de");
        s.set_account(Account::new(7));
    };
    tab.run(first).await;
    let again = |mut s: CustomerSession| async move { s.set_account(Account::new(7)) };
    tab.run(again).await;
    let locale = tab.run(|s: CustomerSession| async move { s.locale().to_owned() }).await.ok();
    assert_eq!(locale, "de");
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unordered {
    id: u64,
    roles: HashSet<String>,
}

fn unordered() -> Unordered {
    Unordered { id: 7, roles: ["buyer".to_owned(), "admin".to_owned()].into() }
}

#[derive(SessionSchema)]
struct Buyer {
    #[session(principal)]
    account: Option<Unordered>,
    locale: String,
}

/// A set is an array in JSON, whose order may mean something.
#[test]
fn nobody_is_signed_in_or_looked_for_by_a_value_with_several_texts() {
    let t = TestSession::<Buyer>::new();
    let mut session = t.session();
    session.set_locale("de");
    session.set_account(unordered());
    drop(session);
    let error = t.last_commit().unwrap_err();
    assert!(matches!(*error, SessionError::AmbiguousPrincipal { field: "account" }), "{error}");
    assert!(t.stored().is_none());

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ambiguous = |error| matches!(error, SessionError::AmbiguousPrincipal { .. });
    let (typed, any) = (t.typed_manager(), t.manager());
    let who = &unordered();
    runtime.block_on(async {
        assert!(typed.sessions_of(who).await.is_err_and(ambiguous));
        assert!(typed.revoke_all(who).await.is_err_and(ambiguous));
        assert!(any.sessions_of(who).await.is_err_and(ambiguous));
        assert!(any.revoke_all(who).await.is_err_and(ambiguous));
    });
    assert!(typed.login_ticket(who).is_err_and(ambiguous));
    assert!(any.login_ticket(who).is_err_and(ambiguous));
}

/// One value of several lists may be told from another by its order.
#[test]
fn lists_and_bytes_identify_somebody() {
    #[derive(SessionSchema)]
    struct Keyed {
        #[session(principal)]
        key: Option<[u8; 16]>,
    }
    let key = std::array::from_fn(|at| at as u8);
    let t = TestSession::<Keyed>::new().signed_in_as(key);
    assert_eq!(t.session().key(), Some(&key));
}
