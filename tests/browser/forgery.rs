//! Forms of other origins, in both orders of the layers.

use axum::Router;
use axum::response::Html;
use axum::routing::{get, post};
use serde_json::json;
use session_runtime::store::MemoryStore;
use session_runtime::{Session, SessionLayer, SessionSchema};
use tower_http::csrf::CsrfLayer;

use crate::support::{Browser, serve, wait_for};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<String>,
    orders: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Csrf {
    Outside,
    Inside,
    /// To see that the forms reach their goal otherwise.
    Without,
}

fn app(csrf: Csrf) -> Router {
    let page = |session: Session<Visitor>| async move {
        let (user, orders) = (session.user().unwrap_or("nobody"), session.orders().len());
        Html(format!(
            "<p id=user>{user}<p id=orders>{orders}\
             <form method=post action=/in><button id=in>in</button></form>\
             <form method=post action=/order><button id=order>order</button></form>"
        ))
    };
    let routes = Router::new()
        .route("/", get(page))
        .route(
            "/in",
            post(|mut s: Session<Visitor>| async move {
                s.set_user("ann");
                "in"
            }),
        )
        .route(
            "/order",
            post(|mut s: Session<Visitor>| async move {
                s.orders_mut().push("pen".into());
                "done"
            }),
        );
    let sessions = SessionLayer::new(MemoryStore::new()).insecure_for_development();
    match csrf {
        Csrf::Outside => routes.layer(sessions).layer(CsrfLayer::new()),
        Csrf::Inside => routes.layer(CsrfLayer::new()).layer(sessions),
        Csrf::Without => routes.layer(sessions),
    }
}

/// A page that has its visitors order something elsewhere.
fn evil(port: u16) -> Router {
    let form = format!(
        "<form method=post action=http://127.0.0.1:{port}/order><button id=evil>win</button></form>"
    );
    Router::new().route("/", get(|| async { Html(form) }))
}

#[test]
fn our_forms_work_and_those_of_other_origins_are_refused_in_both_orders() {
    for csrf in [Csrf::Outside, Csrf::Inside, Csrf::Without] {
        let port = serve(|_| app(csrf));
        let elsewhere = serve(|_| evil(port));
        let base = format!("http://127.0.0.1:{port}");
        let Some(browser) = Browser::open(&base, "forms of other origins") else { return };

        browser.submit("#in");
        assert_eq!(browser.text("body"), "in", "{csrf:?}");
        let cookie = browser.cookie();
        assert_eq!((cookie.name.as_str(), cookie.same_site.as_deref()), ("session", Some("Lax")));
        browser.go("/");
        assert_eq!(browser.text("#user"), "ann", "{csrf:?}");
        browser.submit("#order");
        assert_eq!(browser.text("body"), "done", "{csrf:?}");

        // Another port is the same site, so the cookie comes along; another name is not.
        for (host, is_same_site) in [("127.0.0.1", true), ("localhost", false)] {
            browser.go("/");
            let before = browser.text("#orders");
            let url = format!("http://{host}:{elsewhere}/");
            browser.script("window.location = arguments[0]", &json!([url]));
            wait_for("the other page", || browser.has("#evil").then_some(()));
            browser.submit("#evil");
            let answer = browser.text("body");
            browser.go("/");
            let (user, after) = (browser.text("#user"), browser.text("#orders"));
            if csrf != Csrf::Without {
                assert_ne!(answer, "done", "{csrf:?} {host}");
                assert_eq!((user.as_str(), after), ("ann", before), "{csrf:?} {host}");
                assert_eq!(browser.cookie().value, cookie.value, "{csrf:?} {host}");
            } else if is_same_site {
                assert_eq!((answer.as_str(), user.as_str()), ("done", "ann"));
                assert_ne!(after, before, "the cookie alone does not stop it");
            }
        }
    }
}
