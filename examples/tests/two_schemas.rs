use axum::body::{Body, to_bytes};
use axum::http::Request;
use session_runtime::testing::TestSession;

use super::*;

/// One visitor of both parts.
async fn page(t: &TestSession<Shop>, path: &str) -> String {
    let app = axum::Router::new()
        .route("/", get(home))
        .route("/shop", get(shop))
        .route("/forum", get(forum))
        .route("/sign-in", get(sign_in))
        .route("/sign-out", get(sign_out))
        .layer(t.layer());
    for path in [path, "/"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = t.send(&app, request).await;
        if path == "/" {
            let bytes = to_bytes(answer.into_body(), 10_000).await.unwrap();
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            return text.split("<form").next().unwrap().to_owned();
        }
    }
    unreachable!("the page itself comes last")
}

#[tokio::test]
async fn fields_of_one_name_do_not_meet_and_a_sign_out_ends_both() {
    let layer = SessionLayer::new(MemoryStore::new()).schema::<Shop>().schema::<Forum>();
    let t = TestSession::with_layer(layer);
    let fresh = page(&t, "/").await;
    page(&t, "/shop").await;
    let both = page(&t, "/forum").await;
    assert!(both.contains(r#"theme "plain""#) && both.contains("theme 13"), "{both}");
    assert!(both.contains("I think that"));

    let signed_in = page(&t, "/sign-in").await;
    assert!(signed_in.contains("ann") && signed_in.contains("theme 13"), "{signed_in}");
    assert!(signed_in.contains("draft None"), "{signed_in}");
    assert_eq!(page(&t, "/sign-out").await, fresh);
}
