//! What a layer made is nothing to a layer of another realm.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use session_runtime::__private::patch::SignIn;
use session_runtime::__private::record::Record;
use session_runtime::__private::token::{SecretHash, SessionToken};
use session_runtime::CookieConfig;
use session_runtime::Realm;
use session_runtime::keys::KeyRing;
use session_runtime::store::{
    MemoryStore, SessionStore, StoreError, StoreFuture,
    contract::{Created, Lookup, Touch, Visit},
};
use session_runtime::{Session, SessionId, SessionLayer, SessionSchema};
use session_tests::Tab;
use session_tests::promises::realms;
use session_tests::stores::{all, memory};
use session_tests::traced::Traced;

#[tokio::test]
async fn tokens_open_nothing_in_another_realm() {
    for under in all().await {
        realms::tokens_open_nothing_in_another_realm(&under.store).await;
    }
}

#[tokio::test]
async fn users_of_one_number_are_apart() {
    for under in all().await {
        realms::users_of_one_number_are_apart(&under.store).await;
    }
}

#[tokio::test]
async fn a_login_ticket_is_stopped_in_its_own_realm() {
    for under in all().await {
        realms::a_login_ticket_is_stopped_in_its_own_realm(&under.store).await;
    }
}

#[tokio::test]
async fn a_former_realm_is_opened_as_long_as_it_is_accepted() {
    for under in all().await {
        realms::a_former_realm_is_opened_as_long_as_it_is_accepted(&under.store).await;
    }
}

#[derive(SessionSchema)]
struct Vault {
    #[session(principal)]
    user: Option<u64>,
    #[session(secret)]
    token: Option<String>,
}

fn keys() -> KeyRing {
    KeyRing::from_bytes(&session_tests::keys::secret(9)).unwrap()
}

fn admin() -> CookieConfig {
    CookieConfig::builder().name("admin").build().unwrap()
}

/// Whoever can write the store puts a session of one realm into another.
#[tokio::test]
async fn a_sealed_value_of_another_realm_does_not_open() {
    for (from, to) in all().await.into_iter().zip(all().await) {
        let mut tab = Tab::new(&SessionLayer::new(from.store.clone()).keys(keys()));
        tab.run(|mut s: Session<Vault>| async move { s.set_token("gho") }).await.ok();
        let text = tab.cookie.clone().unwrap();
        let token = SessionToken::parse(&text).unwrap();
        let secret = [token.secret_hash(&Realm::default())];
        let found = from.store.load(token.id(), &secret, Touch::Never.into()).await.unwrap();
        let Lookup::Found(record) = found else { panic!("{found:?}") };
        for (realm, opens) in [("session", true), ("admin", false)] {
            let realm = Realm::new(realm).unwrap();
            let mut pasted = (*record).clone();
            pasted.meta.secret = token.secret_hash(&realm);
            pasted.meta.realm = realm.clone();
            // Another store each time: an id is used once.
            let store = if opens { from.store.clone() } else { to.store.clone() };
            if !opens {
                let created = store.create(pasted.into(), SignIn::default()).await.unwrap();
                assert_eq!(created, Created::ALONE);
            }
            let layer = SessionLayer::new(store).keys(keys()).realm(realm.as_str());
            let holds = Tab::new(&layer).holding(Some(text.clone()));
            let seen = holds
                .ask(|s: Session<Vault>| async move { (s.is_new(), s.token().map(str::to_owned)) });
            let expected = (false, opens.then(|| "gho".to_owned()));
            assert_eq!(seen.await.ok(), expected, "{realm} on {}", to.name);
        }
    }
}

/// One record of two principals, as two layers of one realm can make it.
#[tokio::test]
async fn a_principal_of_another_namespace_is_nobody() {
    #[derive(SessionSchema)]
    #[session(namespace = "staff")]
    struct Staff {
        #[session(principal)]
        user: Option<u64>,
    }
    for under in all().await {
        let layer = || SessionLayer::new(under.store.clone()).keys(keys());
        let (shop, office) = (layer().schema::<Vault>(), layer().schema::<Staff>());
        let mut tab = Tab::new(&shop);
        tab.run(|mut s: Session<Vault>| async move { s.set_user(42) }).await.ok();
        let mut at_work = tab.by(&office);
        at_work.run(|mut s: Session<Staff>| async move { s.set_user(42) }).await.ok();
        let staff = at_work.ask(|s: Session<Staff>| async move { s.user() });
        assert_eq!(staff.await.ok(), Some(42), "{}", under.name);
        let customer = at_work.by(&shop).ask(|s: Session<Vault>| async move { s.user() }).await;
        assert_eq!(customer.ok(), None, "{}", under.name);
        assert_eq!(shop.manager().sessions_of(&42_u64).await.unwrap().len(), 0);

        // And where both stand in one record.
        let id = at_work.ask(|s: Session<Staff>| async move { *s.id().unwrap() }).await.ok();
        let text = at_work.cookie.clone().unwrap();
        let secret = [SessionToken::parse(&text).unwrap().secret_hash(&Realm::default())];
        let found = under.store.load(id, &secret, Touch::Never.into()).await.unwrap();
        let Lookup::Found(found) = found else { panic!("{found:?}") };
        let mut patch = session_runtime::__private::patch::Patch::new();
        let set = session_runtime::__private::patch::Op::set("42");
        patch.ops.push(session_runtime::__private::patch::FieldOp::new("user", set));
        under.store.apply(id, found.meta.epoch, &patch, None).await.unwrap();
        let customer = at_work.by(&shop).ask(|s: Session<Vault>| async move { s.user() }).await;
        assert_eq!(customer.ok(), None, "{}: it was the employee who signed in", under.name);
    }
}

#[tokio::test]
async fn what_is_no_realm_is_refused_by_the_settings_name() {
    let layer = || SessionLayer::new(MemoryStore::new());
    let long = "x".repeat(65);
    let entry = |layer: SessionLayer| match layer.check() {
        Ok(()) => "",
        Err(error) => error.entry().unwrap(),
    };
    let cookie = CookieConfig::builder().name(long.as_str()).build().unwrap();
    assert_eq!(entry(layer().realm("shop:admin")), "realm");
    assert_eq!(entry(layer().cookie(cookie.clone())), "realm", "its name is too long for one");
    assert_eq!(entry(layer().cookie(cookie).realm("shop")), "");
    assert_eq!(entry(layer().accept_realm("a b")), "accept_realm");
    assert_eq!(entry(layer().accept_realm("session")), "accept_realm", "it is its own");
    let four = ["a", "b", "c", "d"].into_iter();
    assert_eq!(entry(four.fold(layer(), SessionLayer::accept_realm)), "accept_realm");
    let mut tab = Tab::new(&layer().realm(""));
    let refused = tab.run(|mut s: Session<Vault>| async move { s.set_user(1) }).await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn plain_http_and_a_prefix_change_no_realm() {
    let store = memory().store;
    let layer = SessionLayer::new(store.clone()).keys(keys());
    let mut tab = Tab::new(&layer);
    tab.run(|mut s: Session<Vault>| async move { s.set_user(1) }).await.ok();
    let insecure = layer.insecure_for_development();
    let plain = Tab::named(&insecure, "session").holding(tab.cookie.clone());
    assert_eq!(plain.ask(|s: Session<Vault>| async move { s.user() }).await.ok(), Some(1));
}

/// Forgets the realm of what it has, as one that stores only some of a record does.
#[derive(Clone)]
struct Forgetful(MemoryStore);

#[deny(clippy::missing_trait_methods)]
impl SessionStore for Forgetful {
    session_runtime::forward_store! { this => this.0;
        clock capabilities reload create apply delete list revoke count sweep scan cache watchers
    }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secrets: &'a [SecretHash],
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        StoreFuture::new(async move {
            Ok(match self.0.load(id, secrets, visit).await? {
                Lookup::Found(record) => {
                    let mut record: Record = (*record).clone();
                    record.meta.realm = Realm::default();
                    Lookup::Found(Arc::new(record))
                }
                other => other,
            })
        })
    }
}

#[tokio::test]
async fn a_store_that_forgets_the_realm_lets_nobody_in() {
    let layer = SessionLayer::new(Forgetful(MemoryStore::new())).keys(keys()).cookie(admin());
    let mut tab = Tab::named(&layer, "__Host-admin");
    tab.run(|mut s: Session<Vault>| async move { s.set_user(1) }).await.ok();
    let refused = tab.ask(|s: Session<Vault>| async move { s.user() }).await;
    assert_eq!((refused.status, refused.value), (StatusCode::SERVICE_UNAVAILABLE, None));
}

#[tokio::test]
async fn two_kinds_of_users_in_one_realm_and_store_are_warned_about() {
    #[derive(SessionSchema)]
    struct Buyer {
        #[session(principal)]
        user: Option<u64>,
    }
    #[derive(SessionSchema)]
    struct Manager {
        #[session(principal)]
        user: Option<u64>,
    }
    let warned = |one: SessionLayer, two: SessionLayer| {
        let traced = Traced::start();
        let _managers = (one.manager(), two.manager());
        let text = traced.text();
        let warned = text.contains("share a store and a realm");
        assert_eq!(warned, text.contains("Buyer") && text.contains("Manager"), "{text}");
        warned
    };
    let store = MemoryStore::new();
    let layer = || SessionLayer::new(store.clone());
    let buyers = || layer().schema::<Buyer>();
    assert!(warned(buyers(), layer().schema::<Manager>()));
    assert!(!warned(buyers(), layer().schema::<Manager>().cookie(admin())), "a cookie each");
    assert!(!warned(buyers(), layer().schema::<Manager>().realm("admin")));
    assert!(warned(buyers(), layer().schema::<Manager>().cookie(admin()).realm("session")));
    assert!(!warned(buyers(), buyers()), "the same users");
    assert!(!warned(buyers(), layer().schema::<Buyer>().schema::<Manager>()), "known to both");
    let elsewhere = SessionLayer::new(MemoryStore::new()).schema::<Manager>();
    assert!(!warned(buyers(), elsewhere), "a store each");
    // Also where the schema is first seen in a request.
    let (one, two) = (buyers(), layer());
    let _one = one.manager();
    let traced = Traced::start();
    Tab::new(&two).ask(|s: Session<Manager>| async move { s.user() }).await.ok();
    assert!(traced.text().contains("share a store and a realm"));
    let unrelated = Traced::start();
    Tab::new(&two).ask(|s: Session<Manager>| async move { s.user() }).await.ok();
    assert!(!unrelated.text().contains("share a store"), "once");
}

fn cookie(name: &str) -> CookieConfig {
    CookieConfig::builder().name(name).build().unwrap()
}

/// The cookie gets another name, and so the realm; then the setting for that is taken out.
#[tokio::test]
async fn another_name_of_the_cookie_signs_nobody_out_over_two_deploys() {
    for under in all().await {
        let first = SessionLayer::new(under.store.clone()).keys(keys()).sign_tokens();
        let second = first.clone().cookie(cookie("shop")).accept_cookie(CookieConfig::default());
        let third = first.clone().cookie(cookie("shop")).accept_realm("session");
        let mut before = Tab::new(&first);
        let signed_in = before.run(|mut s: Session<Vault>| async move {
            s.set_user(7);
            s.set_token("gho");
        });
        signed_in.await.ok();
        let seen = |s: Session<Vault>| async move { (s.user(), s.token().map(str::to_owned)) };
        let known = (Some(7), Some("gho".to_owned()));
        // The browser knows the former name alone.
        let answer = before.by(&second).ask(seen).await;
        let set: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
        let set: Vec<_> = set.iter().map(|it| it.to_str().unwrap()).collect();
        assert!(set[0].starts_with("__Host-shop="), "{set:?}");
        assert!(set[1].starts_with("__Host-session=; ") && set[1].contains("Max-Age=0"), "{set:?}");
        assert_eq!(set.len(), 2);
        let mut after = Tab::named(&second, "__Host-shop");
        after.keep(&answer.headers);
        assert_eq!(answer.ok(), known);
        // From then on the new one, and nothing more is sent.
        let answer = after.ask(seen).await;
        assert!(!answer.headers.contains_key("set-cookie"), "{:?}", answer.headers);
        assert_eq!(answer.ok(), known);
        assert_eq!(after.by(&third).ask(seen).await.ok(), known);
        // Beside the new one the former one is nothing, whatever it holds.
        let other = format!("__Host-session={}", before.cookie.as_deref().unwrap());
        let both = after.with(http::header::COOKIE, &other);
        assert_eq!(both.ask(seen).await.ok(), known);
        // Signing in makes the session one of the new name; signing out ends it under both.
        let mut again = before.by(&second);
        let out = again.run(|mut s: Session<Vault>| async move { s.destroy() }).await;
        let removed = out.headers.get_all("set-cookie").iter();
        assert_eq!(removed.filter(|it| it.to_str().unwrap().contains("Max-Age=0")).count(), 2);
        assert_eq!(after.ask(seen).await.ok(), (None, None));
        // Somebody else's cookie of the former name is nobody's.
        let forged = before.by(&second).holding(Some(SessionToken::generate().unwrap().expose()));
        let answer = forged.ask(seen).await;
        assert!(!answer.headers.contains_key("set-cookie"));
        assert_eq!(answer.ok(), (None, None));
    }
}

#[tokio::test]
async fn who_is_remembered_stays_so_under_another_name() {
    let under = memory();
    let first = SessionLayer::new(under.store.clone()).keys(keys());
    let mut tab = Tab::new(&first);
    let signed_in = tab.run(|mut s: Session<Vault>| async move {
        s.set_user(7);
        s.remember(Duration::from_secs(1_000));
    });
    signed_in.await.ok();
    let second = first.cookie(cookie("shop")).accept_cookie(CookieConfig::default());
    let answer = tab.by(&second).ask(|_: Session<Vault>| async {}).await;
    let set = answer.headers["set-cookie"].to_str().unwrap();
    assert!(set.starts_with("__Host-shop=") && set.contains("Max-Age=1000"), "{set}");
}

#[test]
fn the_layers_own_cookie_is_no_former_one() {
    let layer = SessionLayer::new(MemoryStore::new()).accept_cookie(CookieConfig::default());
    let error = layer.check().unwrap_err().to_string();
    assert!(error.contains("accept_cookie"), "{error}");
}
