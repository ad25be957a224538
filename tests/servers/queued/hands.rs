//! Sign-ins into a session that becomes somebody else's while they wait.

use session_runtime::Realm;
use std::time::Duration;

use session_runtime::__private::patch::{AtLimit, Cap, Denied, Outcome, Patch, SignIn};
use session_runtime::__private::record::{Meta, Principal, Record};
use session_runtime::__private::token::SessionToken;
use session_runtime::clock::Clock;
use session_runtime::store::{
    SessionStore,
    contract::{Created, EndReason},
};

use super::{Rows, apply, idle, in_turn, visited};

/// What was locked and counted for the one it belonged to is no good for the
/// one it belongs to: it is done again.
pub(crate) async fn a_cap_is_that_of_whom_the_session_belongs_to_by_then(rows: &impl Rows) {
    let store = rows.open(Clock::frozen(Clock::system().now())).await;
    let [ann, ben] = ["ann", "ben"].map(|name| Principal::new("shop", name));
    let cap = Cap { max: 1.try_into().unwrap(), at_limit: AtLimit::Reject };
    for room in [true, false] {
        if !room {
            let token = SessionToken::generate().unwrap();
            let lifetime = idle(Duration::from_secs(3600));
            let mut meta =
                Meta::new(token.secret_hash(&Realm::default()), store.clock().now(), lifetime);
            meta.principal = Some(ben.clone());
            let fields = [("n", &b"1"[..])].into_iter().collect();
            let created =
                store.create(Record::new(token.id(), meta, fields).into(), SignIn::default());
            assert_eq!(created.await.unwrap(), Created::ALONE);
        }
        let (id, _) = visited(&store).await;
        let is = |principal: &Principal| {
            let mut patch = Patch::new();
            patch.meta.principal = Some(Some(principal.clone()));
            patch
        };
        apply(store.clone(), id, is(&ann)).await;
        let mut capped = Patch::new();
        capped.meta.sign_in = SignIn { cap: Some(cap), not_revoked_since: None };
        let signer = store.clone();
        let sign_in = async move { signer.apply(id, 1, &capped, None).await.unwrap() };
        let ((), outcome) = in_turn(rows, apply(store.clone(), id, is(&ben)), sign_in).await;
        match outcome {
            Outcome::Applied(_) => assert!(room, "a second one"),
            Outcome::Denied(Denied::AtLimit) => assert!(!room, "the only one"),
            other => panic!("{other:?}"),
        }
        store.delete(id, EndReason::SignedOut).await.unwrap();
    }
}
