use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::http::header::{COOKIE, SET_COOKIE};
use tower::ServiceExt;

use super::*;

#[tokio::test]
async fn a_deploy_loses_nothing_and_neither_does_its_rollback() {
    let store = MemoryStore::new();
    let app = app(|| SessionLayer::new(store.clone()));
    let ask = async |path: &str, cookie: &str| {
        let request = Request::get(path).header(COOKIE, cookie).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let cookie = response.headers().get(SET_COOKIE).cloned();
        let body = to_bytes(response.into_body(), 1_000).await.unwrap();
        (String::from_utf8(body.to_vec()).unwrap(), cookie)
    };
    let (before, cookie) = ask("/", "").await;
    let cookie = cookie.unwrap().to_str().unwrap().to_owned();
    assert_eq!(before, r#"released: basket ["pen"], page size "fifty", locale "de""#);
    let (next, _) = ask("/next", &cookie).await;
    assert_eq!(next, r#"next: cart ["pen"], page size 20, theme None"#);
    assert_eq!(ask("/", &cookie).await.0, before);
}
