use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use tower::ServiceExt;

use super::*;

/// One request with `cookie`; its status, its text, and the cookie's value, if it
/// sets one.
async fn ask(
    app: &axum::Router,
    method: &str,
    path: &str,
    cookie: &str,
) -> (StatusCode, String, Option<String>) {
    let form = if method == "POST" && path.ends_with("/sign-in") { "number=42" } else { "" };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::COOKIE, cookie)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = app.clone().oneshot(request.body(Body::from(form)).unwrap()).await.unwrap();
    let set = answer.headers().get(header::SET_COOKIE).map(|set| {
        let (_, value) = set.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
        value.to_owned()
    });
    let status = answer.status();
    let text = to_bytes(answer.into_body(), 10_000).await.unwrap();
    (status, String::from_utf8(text.to_vec()).unwrap(), set)
}

#[tokio::test]
async fn customer_42_is_not_administrator_42() {
    let keys: KeyRing = "9vdcVlTgQeVAXWVCKeqVSIhgc5f4Kd7hIbaCQ7PXcJg=".parse().unwrap();
    for keys in [None, Some(keys)] {
        let layers = layers(MemoryStore::new(), keys).unwrap();
        layers.iter().for_each(|layer| layer.check().unwrap());
        let app = app(layers);
        let (_, _, customer) = ask(&app, "POST", "/sign-in", "").await;
        let (_, _, admin) = ask(&app, "POST", "/admin/sign-in", "").await;
        let (customer, admin) = (customer.unwrap(), admin.unwrap());
        let (status, page, _) = ask(&app, "GET", "/admin", &format!("__Host-admin={admin}")).await;
        assert_eq!((status, &*page), (StatusCode::OK, "Administrator 42"));

        let swapped = format!("__Host-admin={customer}");
        let (status, page, set) = ask(&app, "GET", "/admin", &swapped).await;
        assert_eq!((status, &*page, set), (StatusCode::UNAUTHORIZED, "sign in first", None));
        let (_, page, _) = ask(&app, "GET", "/", &format!("__Host-session={admin}")).await;
        assert!(page.starts_with("<p>Customer None"), "{page}");

        let both = format!("__Host-session={customer}; __Host-admin={admin}");
        let (_, page, _) = ask(&app, "GET", "/", &both).await;
        assert!(page.starts_with("<p>You are administrator 42.<p>Customer Some(42)"), "{page}");
    }
}

#[tokio::test]
async fn the_next_customer_finds_the_language_and_nothing_else() {
    use session_runtime::testing::TestSession;
    let t = TestSession::<Customer>::new().signed_in_as(42);
    drop(language(t.session()).await);
    drop(add(t.session()).await);
    let first = t.cookie().unwrap();
    drop(sign_in(t.session(), Form(Login { number: 43 })).await);
    let session = t.session();
    assert_eq!((session.number(), session.language(), session.cart().len()), (Some(43), "de", 0));
    drop(session);
    let back = t.another_visitor().with_cookie(first);
    assert_eq!(back.session().number(), None, "the session of 42 is over");
}
