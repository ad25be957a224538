//! A handler within two layers: each session is that of the layer which names its schema.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use http::header;
use http::request::Parts;
use session_runtime::CookieConfig;
use session_runtime::store::{SessionStore, StoreErrorKind};
use session_runtime::testing::{Fault, FaultStore, Operation, assert_layered};
use session_runtime::{
    Authenticated, Session, SessionError, SessionLayer, SessionManager, SessionRejection,
    SessionSchema, session_of,
};
use session_tests::stores::{all, memory};
use session_tests::traced::Traced;
use session_tests::{Call, Client, Reply, Spy};

#[derive(SessionSchema)]
struct Customer {
    #[session(principal)]
    number: Option<u64>,
    #[session(counter)]
    visits: u64,
}

#[derive(SessionSchema)]
struct Employee {
    #[session(principal)]
    number: Option<u64>,
    #[session(counter)]
    visits: u64,
}

/// Belongs to neither.
#[derive(SessionSchema)]
struct Theme {
    #[session(default = "light")]
    theme: String,
}

async fn page(customer: Session<Customer>, staff: Session<Employee>) -> String {
    let who = |number: Option<u64>| number.map_or_else(|| "-".into(), |number| number.to_string());
    let (c, e) = (who(customer.number()), who(staff.number()));
    format!("customer {c} {} staff {e} {}", customer.visits(), staff.visits())
}

async fn visit(mut customer: Session<Customer>, mut staff: Session<Employee>) {
    customer.add_visits(1);
    staff.add_visits(10);
}

async fn login(mut customer: Session<Customer>, mut staff: Session<Employee>) {
    customer.set_number(7);
    staff.set_number(7);
}

async fn managers(
    customers: SessionManager<Customer>,
    staff: SessionManager<Employee>,
) -> Result<String, SessionError> {
    Ok(format!("{} {}", customers.sessions_of(&7).await?.len(), staff.sessions_of(&7).await?.len()))
}

fn routes() -> Router {
    Router::new()
        .route("/", get(page))
        .route("/visit", post(visit))
        .route("/login", post(login))
        .route("/managers", get(managers))
        .route("/leave-shop", post(|mut s: Session<Customer>| async move { s.destroy() }))
        .route(
            "/account",
            get(|s: Authenticated<Customer>| async move { s.principal().to_string() }),
        )
        .route("/admin", get(|s: Authenticated<Employee>| async move { s.principal().to_string() }))
        .route(
            "/theme",
            post(|mut s: Session<Theme>| async move { s.set_theme("dark") })
                .get(|s: Session<Theme>| async move { s.theme().to_owned() }),
        )
}

fn shop(store: impl SessionStore) -> SessionLayer {
    SessionLayer::new(store).schema::<Customer>()
}

fn office(store: impl SessionStore) -> SessionLayer {
    let cookie = CookieConfig::builder().name("staff").build().unwrap();
    SessionLayer::new(store).cookie(cookie).schema::<Employee>()
}

fn cookies(reply: &Reply) -> Vec<&str> {
    let mut names: Vec<_> = reply
        .headers
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|value| value.to_str().unwrap().split('=').next().unwrap())
        .collect();
    names.sort_unstable();
    names
}

/// Which of the two is the inner one makes no difference.
fn in_both_orders(inner: &SessionLayer, outer: &SessionLayer) -> [Router; 2] {
    let app = |inner: &SessionLayer, outer: &SessionLayer| {
        routes().layer(inner.clone()).layer(outer.clone())
    };
    [app(inner, outer), app(outer, inner)]
}

#[tokio::test]
async fn a_handler_has_the_session_of_each_layer() {
    let traced = Traced::start();
    for under in all().await {
        for app in in_both_orders(&shop(under.store.clone()), &office(under.store.clone())) {
            let mut client = Client::new(&app);
            let reply = client.post("/visit").await;
            assert_eq!(cookies(&reply), ["__Host-session", "__Host-staff"]);
            client.post("/login").await;
            client.post("/visit").await;
            assert_eq!(client.get("/").await.body, "customer 7 2 staff 7 20");
            assert_eq!(cookies(&client.post("/leave-shop").await), ["__Host-session"]);
            assert_eq!(client.get("/").await.body, "customer - 0 staff 7 20");
            assert_eq!(client.get("/account").await.status, 401);
            assert_eq!(client.get("/admin").await.body, "7");
        }
        let app = routes().layer(shop(under.store.clone())).layer(office(under.store));
        let reply = Client::new(&app).get("/managers").await;
        assert_eq!(reply.body, "0 2", "each of its own layer");
    }
    let text = traced.text();
    assert!(!text.contains("two session layers"), "{text}");
}

#[tokio::test]
async fn each_layer_stores_its_own_session_once() {
    let (inner, outer) = (Spy::new(), Spy::new());
    let app = routes().layer(shop(inner.clone())).layer(office(outer.clone()));
    let mut client = Client::new(&app);
    client.post("/visit").await;
    for spy in [&inner, &outer] {
        assert!(matches!(spy.calls()[..], [Call::Create(_)]));
    }
    client.post("/leave-shop").await;
    assert!(!inner.calls().is_empty());
    assert!(outer.calls().is_empty(), "nobody asked for it");
}

#[tokio::test]
async fn who_is_not_signed_in_is_sent_to_the_page_of_that_layer_with_the_whole_address() {
    let (shop, office) = (shop(memory().store), office(memory().store));
    let (shop, office) = (shop.login_redirect("/login"), office.login_redirect("/office/login"));
    for (inner, outer) in [(&shop, &office), (&office, &shop)] {
        let app = Router::new().nest("/deep", routes().layer(inner.clone())).layer(outer.clone());
        for (path, page) in [("account", "/login"), ("admin", "/office/login")] {
            let reply = Client::new(&app).get(&format!("/deep/{path}")).await;
            assert_eq!(reply.headers[header::LOCATION], format!("{page}?next=/deep/{path}"));
        }
    }
}

#[tokio::test]
async fn what_neither_layer_names_is_of_the_inner_one_and_the_log_says_so_once() {
    let traced = Traced::start();
    let app = routes().layer(shop(memory().store)).layer(office(memory().store));
    let mut client = Client::new(&app);
    assert_eq!(cookies(&client.post("/theme").await), ["__Host-session"]);
    assert_eq!(client.get("/theme").await.body, "dark");
    let text = traced.text();
    assert_eq!(text.matches("asks for a schema that neither names").count(), 1, "{text}");
    assert!(text.contains("Theme"), "{text}");
}

/// Where one of the layers leaves the path out there is no choice.
#[tokio::test]
async fn nothing_needs_a_name_where_one_layer_serves() {
    let traced = Traced::start();
    let app = routes().layer(office(memory().store)).layer(shop(memory().store).exclude("/"));
    assert_eq!(cookies(&Client::new(&app).post("/theme").await), ["__Host-staff"]);
    assert_eq!(traced.text().matches("neither names").count(), 0);
}

#[tokio::test]
async fn a_schema_may_be_named_after_a_manager_was_taken() {
    let office = office(memory().store);
    let taken = office.manager();
    let office = office.schema::<Theme>();
    let app = routes().layer(shop(memory().store)).layer(office);
    let mut client = Client::new(&app);
    assert_eq!(cookies(&client.post("/theme").await), ["__Host-staff"]);
    client.post("/login").await;
    assert_eq!(taken.sessions_of(&7_u64).await.unwrap().len(), 1);
}

#[tokio::test]
async fn cookies_of_one_name_are_warned_about_once() {
    let traced = Traced::start();
    let app = routes().layer(shop(memory().store)).layer(SessionLayer::new(memory().store));
    let mut client = Client::new(&app);
    for _ in 0..2 {
        client.get("/").await;
    }
    let text = traced.text();
    assert_eq!(text.matches("have cookies of one name").count(), 1, "{text}");
}

#[tokio::test]
async fn a_layer_that_comes_again_within_another_is_one() {
    let spy = Spy::new();
    let layer = shop(spy.clone());
    let before = from_fn(|mut s: Session<Customer>, request: Request, next: Next| async move {
        s.add_visits(100);
        s.publish();
        next.run(request).await
    });
    let again = routes().layer(layer.clone()).layer(office(memory().store));
    let mut client = Client::new(&again.layer(before).layer(layer));
    assert_eq!(cookies(&client.post("/visit").await), ["__Host-session", "__Host-staff"]);
    assert!(matches!(spy.calls()[..], [Call::Create(_)]));
    assert_eq!(client.get("/").await.body, "customer - 201 staff - 10");
}

/// A `Parts` has clones of the request's extensions.
#[tokio::test]
async fn parts_that_a_handler_keeps_lead_to_both_sessions() {
    let handler = |parts: Parts| async move {
        let (extensions, headers) = (&parts.extensions, &parts.headers);
        let mut customer = session_of::<Customer>(extensions, headers).await?;
        let mut staff = session_of::<Employee>(extensions, headers).await?;
        customer.add_visits(1);
        staff.add_visits(1);
        Ok::<_, SessionRejection>(())
    };
    let layers = || [shop(memory().store), office(memory().store)];
    let turned = |[inner, outer]: [SessionLayer; 2]| [outer, inner];
    for [inner, outer] in [layers(), turned(layers())] {
        let app = Router::new().route("/", post(handler)).layer(inner).layer(outer);
        let reply = Client::new(&app).post("/").await;
        assert_eq!(cookies(&reply), ["__Host-session", "__Host-staff"]);
    }
}

#[tokio::test]
async fn a_path_that_one_layer_leaves_out_has_the_session_of_the_other() {
    let traced = Traced::start();
    let (shop, office) = (shop(memory().store).exclude("/"), office(memory().store));
    for app in in_both_orders(&shop, &office) {
        assert_layered(&app, "/admin").await;
        let mut client = Client::new(&app);
        assert_eq!(client.get("/admin").await.status, 401);
        let reply = client.post("/leave-shop").await;
        assert_eq!(reply.status, 500, "that is no other session");
        assert_eq!(cookies(&reply), [""; 0]);
    }
    let text = traced.text();
    assert_eq!(text.matches("on a path that the session layer leaves out").count(), 2, "{text}");
}

/// The layer around fails when the layer within has stored what it had to.
#[tokio::test]
async fn the_cookie_of_a_stored_session_is_sent_whatever_becomes_of_the_other() {
    let theirs = from_fn(|request: Request, next: Next| async {
        let mut response: Response = next.run(request).await;
        response.headers_mut().append(header::SET_COOKIE, "handler=1".parse().unwrap());
        response
    });
    let third = CookieConfig::builder().name("third").build().unwrap();
    for (failing, expected) in [
        (["create", "", ""], vec![]),
        (["", "create", ""], vec!["__Host-session"]),
        (["", "", "create"], vec!["__Host-session", "__Host-staff"]),
    ] {
        let stores = failing.map(|operation| {
            let store = FaultStore::new(memory().store);
            if operation == "create" {
                store.next(Operation::Create, Fault::Fails(StoreErrorKind::Unavailable));
            }
            store
        });
        let [inner, middle, outer] = stores.clone();
        let app = Router::new()
            .route("/", post(all_three))
            .layer(theirs.clone())
            .layer(shop(inner))
            .layer(office(middle))
            .layer(SessionLayer::new(outer).cookie(third.clone()).schema::<Theme>());
        let mut client = Client::new(&app);
        let reply = client.post("/").await;
        assert_eq!(reply.status, 503);
        assert_eq!(cookies(&reply), expected);
        let caching = reply.headers.get(header::CACHE_CONTROL).map(|it| it.to_str().unwrap());
        assert_eq!(caching == Some("no-store"), !expected.is_empty());
        assert!(stores.iter().all(|store| store.remaining() == 0));
    }
}

async fn all_three(
    mut customer: Session<Customer>,
    mut staff: Session<Employee>,
    mut theme: Session<Theme>,
) {
    customer.set_number(7);
    staff.set_number(7);
    theme.set_theme("dark");
}

#[tokio::test]
async fn it_is_sent_too_if_two_layers_around_it_fail() {
    let [inner, middle, outer] = [(); 3].map(|()| FaultStore::new(memory().store));
    let third = CookieConfig::builder().name("third").build().unwrap();
    let leave = |mut customer: Session<Customer>,
                 mut staff: Session<Employee>,
                 mut theme: Session<Theme>| async move {
        customer.add_visits(1);
        staff.add_visits(1);
        theme.destroy();
    };
    let app = Router::new()
        .route("/", post(leave))
        .route("/theme", post(|mut s: Session<Theme>| async move { s.set_theme("dark") }))
        .layer(shop(inner))
        .layer(office(middle.clone()))
        .layer(SessionLayer::new(outer.clone()).cookie(third).schema::<Theme>());
    let mut client = Client::new(&app);
    client.post("/theme").await;
    middle.next(Operation::Create, Fault::Fails(StoreErrorKind::Unavailable));
    outer.next(Operation::Delete, Fault::Fails(StoreErrorKind::Unavailable));
    let reply = client.post("/").await;
    assert_eq!((middle.remaining(), outer.remaining()), (0, 0));
    assert_eq!(reply.status, 503);
    assert_eq!(cookies(&reply), ["__Host-session"]);
}
