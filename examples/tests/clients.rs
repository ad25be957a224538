use axum::body::{Body, to_bytes};
use futures_util::StreamExt;
use http::Request;
use session_runtime::testing::TestSession;

use super::*;

async fn text(response: http::Response<Body>) -> String {
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    String::from_utf8(body.into()).unwrap()
}

fn post(path: &str, form: &'static str) -> Request<Body> {
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    request.body(Body::from(form)).unwrap()
}

#[tokio::test]
async fn a_browser_a_terminal_and_a_job_share_a_user() {
    let browser = TestSession::<Visitor>::with_layer(layer());
    let app = app(browser.layer());
    browser.send(&app, post("/sign-in", "user=1")).await;
    assert!(browser.cookie().is_some());
    let terminal = browser.another_visitor();
    let token = text(terminal.send(&app, post("/api/sign-in", "user=1")).await).await;
    assert_eq!(terminal.cookie(), None);
    let terminal = terminal.with_bearer_token(token);
    assert_eq!(text(terminal.send(&app, post("/points", "")).await).await, "1 points\n");

    let request = Request::get("/events").body(Body::empty()).unwrap();
    let mut stream = browser.send(&app, request).await.into_body().into_data_stream();
    let mut told =
        async || String::from_utf8(stream.next().await.unwrap().unwrap().into()).unwrap();
    give_points(&browser.typed_manager(), 1).await.unwrap();
    assert_eq!(told().await, "data: 10\n\n");
    assert_eq!(text(terminal.send(&app, post("/points", "")).await).await, "12 points\n");

    terminal.send(&app, post("/others", "")).await;
    assert_eq!(told().await, "event: ended\ndata: other-device\n\n");
    assert_eq!(browser.session().ended_because(), Some(EndReason::OtherDevice));
    assert_eq!(terminal.session().points(), 12);

    browser.send(&app, post("/sign-in", "user=1")).await;
    browser.send(&app, post("/others", "")).await;
    let refused = terminal.send(&app, post("/points", "")).await;
    assert_eq!(
        refused.headers()["www-authenticate"],
        "Bearer error=\"invalid_token\", error_description=\"other-device\""
    );
}

#[tokio::test]
async fn a_page_of_another_site_gets_no_stream() {
    let browser = TestSession::<Visitor>::with_layer(layer()).signed_in_as(1);
    let request = Request::get("/events").header("sec-fetch-site", "same-site");
    let refused = browser.send(&app(browser.layer()), request.body(Body::empty()).unwrap()).await;
    assert_eq!(refused.status(), 403);
}
