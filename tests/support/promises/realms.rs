//! What a layer made is nothing to a layer of another realm.

use session_runtime::CookieConfig;
use session_runtime::store::SessionStore;
use session_runtime::{AtLimit, Session, SessionError, SessionLayer, SessionSchema};

use super::ring;
use crate::Tab;

#[derive(SessionSchema)]
pub struct Customer {
    #[session(principal)]
    user: Option<u64>,
    #[session(secret)]
    token: Option<String>,
}

#[derive(SessionSchema)]
pub struct Administrator {
    #[session(principal)]
    user: Option<u64>,
    #[session(secret)]
    token: Option<String>,
}

type C = Session<Customer>;
type A = Session<Administrator>;

fn layer(store: &(impl SessionStore + Clone), signed: bool) -> SessionLayer {
    let layer = SessionLayer::new(store.clone()).keys(ring());
    if signed { layer.sign_tokens() } else { layer }
}

fn shop(store: &(impl SessionStore + Clone), signed: bool) -> SessionLayer {
    layer(store, signed).schema::<Customer>()
}

fn office(store: &(impl SessionStore + Clone), signed: bool) -> SessionLayer {
    let cookie = CookieConfig::builder().name("admin").build().unwrap();
    layer(store, signed).cookie(cookie).schema::<Administrator>()
}

fn office_tab(office: &SessionLayer) -> Tab {
    Tab::named(office, "__Host-admin")
}

async fn customer(tab: &Tab) -> Option<u64> {
    tab.ask(|s: C| async move { s.user() }).await.ok()
}

async fn administrator(tab: &Tab) -> Option<u64> {
    tab.ask(|s: A| async move { s.user() }).await.ok()
}

/// Customer 42 and administrator 42, of two layers on one store.
async fn both(shop: &SessionLayer, office: &SessionLayer) -> (Tab, Tab) {
    let (mut buys, mut rules) = (Tab::new(shop), office_tab(office));
    buys.run(|mut s: C| async move {
        s.set_user(42);
        s.set_token("customer's");
    })
    .await
    .ok();
    rules.run(|mut s: A| async move { s.set_user(42) }).await.ok();
    (buys, rules)
}

/// A token under the other cookie's name opens nothing, and is not replaced there.
pub async fn tokens_open_nothing_in_another_realm(store: &(impl SessionStore + Clone)) {
    for signed in [false, true] {
        let (shop, office) = (shop(store, signed), office(store, signed));
        let (buys, rules) = both(&shop, &office).await;
        assert_eq!((customer(&buys).await, administrator(&rules).await), (Some(42), Some(42)));
        let mut forged = rules.holding(buys.cookie.clone());
        let seen = forged.ask(|s: A| async move { (s.user(), s.token().is_some(), s.is_new()) });
        assert_eq!(seen.await.ok(), (None, false, true), "signed: {signed}");
        let mut reverse = buys.holding(rules.cookie.clone());
        assert_eq!(customer(&reverse).await, None, "signed: {signed}");
        // Nor is it adopted: whoever sets something starts afresh.
        forged.run(|mut s: A| async move { s.set_user(7) }).await.ok();
        reverse.run(|mut s: C| async move { s.set_user(7) }).await.ok();
        assert_ne!(forged.cookie.as_ref().unwrap()[..22], buys.cookie.as_ref().unwrap()[..22]);
        assert_eq!((customer(&buys).await, administrator(&rules).await), (Some(42), Some(42)));
        assert_eq!((customer(&reverse).await, administrator(&forged).await), (Some(7), Some(7)));
        for manager in [shop.manager(), office.manager()] {
            manager.revoke_all(&42_u64).await.unwrap();
            manager.revoke_all(&7_u64).await.unwrap();
        }
    }
}

/// The same number in two realms: listed, counted and ended apart.
pub async fn users_of_one_number_are_apart(store: &(impl SessionStore + Clone)) {
    let shop = shop(store, false).max_sessions(2, AtLimit::Reject);
    let office = office(store, false).max_sessions(2, AtLimit::EvictOldest);
    let (buys, rules) = both(&shop, &office).await;
    let (of_shop, of_office) = (shop.manager(), office.manager());
    let ids = |all: Vec<session_runtime::SessionInfo>| all.into_iter().map(|it| it.id).collect();
    let customers: Vec<_> = ids(of_shop.sessions_of(&42_u64).await.unwrap());
    let administrators: Vec<_> = ids(of_office.sessions_of(&42_u64).await.unwrap());
    assert_eq!((customers.len(), administrators.len()), (1, 1));
    assert_ne!(customers, administrators);

    assert!(!of_office.revoke(&42_u64, customers[0]).await.unwrap(), "theirs is not ours to end");
    let only = move |s: A, office: session_runtime::SessionManager| async move {
        office.revoke_others(&s).await.unwrap()
    };
    let manager = of_office.clone();
    assert_eq!(rules.ask(move |s: A| only(s, manager)).await.ok(), 0);

    // Two of each are let in; the third of one kind is refused or ends one of its kind.
    let (mut second, mut third) = (Tab::new(&shop), Tab::new(&shop));
    assert_eq!(second.run(|mut s: C| async move { s.set_user(42) }).await.status, 200);
    assert_eq!(third.run(|mut s: C| async move { s.set_user(42) }).await.status, 409);
    let mut three = [rules, office_tab(&office), office_tab(&office)];
    for next in &mut three[1..] {
        assert_eq!(next.run(|mut s: A| async move { s.set_user(42) }).await.status, 200);
    }
    let mut signed_in = 0;
    for tab in &three {
        signed_in += usize::from(administrator(tab).await == Some(42));
    }
    assert_eq!(signed_in, 2, "one of three made room");
    assert_eq!((customer(&buys).await, customer(&second).await), (Some(42), Some(42)));
    assert_eq!(of_office.revoke_all(&42_u64).await.unwrap(), 2);
    assert_eq!(customer(&buys).await, Some(42));
    assert_eq!(of_shop.revoke_all(&42_u64).await.unwrap(), 2);
}

/// A login that began in one realm is nothing in another.
pub async fn a_login_ticket_is_stopped_in_its_own_realm(store: &(impl SessionStore + Clone)) {
    let (shop, office) = (shop(store, false), office(store, false));
    let ticket = shop.manager().login_ticket(&42_u64).unwrap();
    office.manager().revoke_all(&42_u64).await.unwrap();
    let mut tab = Tab::new(&shop);
    let redeemed = ticket.clone();
    let saved = tab.run(|mut s: C| async move {
        s.redeem(redeemed);
        s.set_user(42);
        s.save().await
    });
    assert!(saved.await.ok().is_ok());
    shop.manager().revoke_all(&42_u64).await.unwrap();
    let mut late = Tab::new(&shop);
    let saved = late.run(|mut s: C| async move {
        s.redeem(ticket);
        s.set_user(42);
        s.save().await
    });
    let refused = saved.await.value.unwrap();
    assert!(matches!(refused, Err(SessionError::SignInDenied(_))), "{refused:?}");
}

/// A layer under another realm opens what the former one left, and its manager
/// finds it.
pub async fn a_former_realm_is_opened_as_long_as_it_is_accepted(
    store: &(impl SessionStore + Clone),
) {
    for signed in [false, true] {
        let former = shop(store, signed);
        let mut tab = Tab::new(&former);
        tab.run(|mut s: C| async move {
            s.set_user(42);
            s.set_token("secret");
        })
        .await
        .ok();
        let renamed = former.clone().realm("shop");
        assert_eq!(customer(&tab.by(&renamed)).await, None);
        let accepting = renamed.accept_realm("session");
        let mut tab = tab.by(&accepting);
        let seen = tab.run(|mut s: C| async move {
            let token = s.token().map(str::to_owned);
            s.set_token("another");
            (s.user(), token)
        });
        assert_eq!(seen.await.ok(), (Some(42), Some("secret".to_owned())));
        // Signing in again keeps the session, where it is.
        tab.run(|mut s: C| async move { s.set_user(42) }).await.ok();
        let seen = tab.ask(|s: C| async move { (s.user(), s.token().map(str::to_owned)) });
        assert_eq!(seen.await.ok(), (Some(42), Some("another".to_owned())));

        let mut new = Tab::new(&accepting);
        new.run(|mut s: C| async move { s.set_user(42) }).await.ok();
        let manager = accepting.manager();
        assert_eq!(manager.sessions_of(&42_u64).await.unwrap().len(), 2);
        let of_one = |realm| manager.in_realm(realm).unwrap();
        for realm in ["session", "shop"] {
            assert_eq!(of_one(realm).sessions_of(&42_u64).await.unwrap().len(), 1, "{realm}");
        }
        let unknown = manager.in_realm("sessoin").unwrap_err();
        assert!(matches!(&unknown, SessionError::UnknownRealm { realm } if realm == "sessoin"));
        let others = new.ask({
            let manager = manager.clone();
            move |s: C| async move { manager.revoke_others(&s).await.unwrap() }
        });
        assert_eq!(others.await.ok(), 1, "the one in the former realm");
        assert_eq!((customer(&tab).await, customer(&new).await), (None, Some(42)));
        assert_eq!(manager.revoke_all(&42_u64).await.unwrap(), 1);
    }
}
