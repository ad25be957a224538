//! What happens while somebody waits for a row.

use std::time::Duration;

use session_runtime::__private::patch::{AtLimit, Cap, Gone, Outcome, Patch, SignIn};
use session_runtime::__private::record::Principal;
use session_runtime::SessionId;
use session_runtime::clock::Clock;
use session_runtime::store::{MySqlStore, SessionStore};
use sqlx::{MySqlConnection, Row as _};

use super::server::{Tables, fresh, record, run, stored};
use crate::queued::{self, Rows};

impl Rows for Tables {
    type Store = MySqlStore;
    type Holder = MySqlConnection;

    async fn open(&self, clock: Clock) -> MySqlStore {
        // A touch waits for a part of that only.
        let options = self.options().clock(clock).deadline(Duration::from_secs(60));
        options.connect(&self.url).await.unwrap()
    }

    async fn hold(&self, only: Option<SessionId>) -> MySqlConnection {
        let mut holder = self.db().await;
        let only = only.map_or_else(String::new, |id| format!("WHERE id = '{id}'"));
        let sql = format!("BEGIN; SELECT id FROM {}session {only} FOR UPDATE", self.prefix);
        run(&mut holder, &sql).await;
        holder
    }

    async fn let_go(&self, mut holder: MySqlConnection) {
        run(&mut holder, "ROLLBACK").await;
    }

    async fn until_waiting(&self, statements: i64) {
        let (mut watch, session) = (self.db().await, format!("{}session", self.prefix));
        // `INNODB_TRX` would be older the more often somebody looks at it.
        let waiting = |all: &str| {
            let each = all.split("---TRANSACTION").skip(1);
            each.filter(|it| it.contains("LOCK WAIT") && it.contains(&session)).count()
        };
        loop {
            let status = run(&mut watch, "SHOW ENGINE INNODB STATUS").await;
            if waiting(&status[0].get::<String, _>(2)) as i64 >= statements {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

macro_rules! scenarios {
    ($($scenario:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $scenario() {
            queued::$scenario(&fresh().await).await;
        })*
    };
}

scenarios! {
    a_touch_after_a_later_one_takes_nothing_back
    a_touch_after_a_destroy_revives_nothing
    a_touch_after_a_renewal_brings_no_old_secret_back
    a_touch_after_a_shorter_life_does_not_extend_it
    a_secret_that_follows_after_a_destroy_opens_nothing
    a_secret_that_follows_after_a_renewal_replaces_nothing
    a_secret_that_follows_is_confirmed_once
    a_cap_is_that_of_whom_the_session_belongs_to_by_then
}

/// A sign-in of the session that the patch is for, which ends all others of theirs.
fn alone(principal: &Principal) -> Patch {
    let cap = Cap { max: 1.try_into().unwrap(), at_limit: AtLimit::EvictOldest };
    let mut patch = Patch::new();
    patch.meta.principal = Some(Some(principal.clone()));
    patch.meta.sign_in = SignIn { cap: Some(cap), not_revoked_since: None };
    patch
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_sign_ins_that_end_each_other_one_gets_through_and_none_fails() {
    let tables = fresh().await;
    let store = tables.open(Clock::system()).await;
    for round in 0..3 {
        let [ann, ben] = ["ann", "ben"].map(|it| Principal::new("shop", &format!("{it}{round}")));
        let mut ids = Vec::new();
        for principal in [&ben, &ann] {
            let mut new = record(&[]);
            new.meta.principal = Some(principal.clone());
            ids.push(new.id);
            store.create(new.into(), SignIn::default()).await.unwrap();
        }
        // Ann signs in where Ben is, and Ben where Ann is: the first one waits
        // for its own row, the second one has its own and waits for that, too.
        let holder = tables.hold(Some(ids[0])).await;
        let sign_in = |id, principal| {
            let (store, patch) = (store.clone(), alone(principal));
            tokio::spawn(async move { store.apply(id, 1, &patch, None).await })
        };
        let first = sign_in(ids[0], &ann);
        tables.until_waiting(1).await;
        let both = [first, sign_in(ids[1], &ben)];
        tables.until_waiting(2).await;
        tables.let_go(holder).await;
        let mut through = 0;
        for (sign_in, principal) in both.into_iter().zip([&ann, &ben]) {
            let listed = match sign_in.await.unwrap().unwrap() {
                Outcome::Applied(_) => 1,
                Outcome::Gone(Gone::Absent) => 0,
                other => panic!("{other:?}"),
            };
            assert_eq!(store.list(principal, None, 1_000).await.unwrap().records.len(), listed);
            through += listed;
        }
        assert_eq!(through, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_principal_holds_no_session() {
    let tables = fresh().await;
    let store = tables.open(Clock::system()).await;
    let session = stored(&store, &[]).await;
    let principal = Principal::new("shop", "7");
    let mut holder = tables.db().await;
    let key: String =
        principal.hash().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let row = format!(
        "BEGIN; INSERT INTO {}session_revocation (principal, at) VALUES (x'{key}', 0)",
        tables.prefix
    );
    run(&mut holder, &row).await;
    let (id, patch, applier) = (session.id, alone(&principal), store.clone());
    let signing_in = tokio::spawn(async move { applier.apply(id, 1, &patch, None).await.unwrap() });
    tables.until_waiting(1).await;
    let row =
        format!("SELECT id FROM {}session WHERE id = '{id}' FOR UPDATE NOWAIT", tables.prefix);
    assert_eq!(run(&mut tables.db().await, &row).await.len(), 1);
    run(&mut holder, "ROLLBACK").await;
    let outcome = signing_in.await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
}
