//! Server functions and the page, as a browser calls them.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use session_runtime::{SessionLayer, store::MemoryStore};
use tower::ServiceExt as _;

struct Browser {
    app: Router,
    cookie: Option<String>,
}

impl Browser {
    fn new(app: &Router) -> Self {
        Self { app: app.clone(), cookie: None }
    }

    async fn ask(&mut self, request: Request<Body>) -> (StatusCode, String) {
        let mut request = request;
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
        }
        let response = self.app.clone().oneshot(request).await.unwrap();
        if let Some(set) = response.headers().get(header::SET_COOKIE) {
            let set = set.to_str().unwrap();
            self.cookie =
                (!set.contains("Max-Age=0")).then(|| set.split(';').next().unwrap().into());
        }
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.into()).unwrap())
    }

    async fn page(&mut self) -> String {
        let (status, page) = self.ask(Request::get("/").body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        // Between two texts stands a comment, by which the browser's side finds them.
        page.replace("<!>", "")
    }

    async fn call(&mut self, function: &str, form: &'static str) -> (StatusCode, String) {
        let request = Request::post(format!("/api/{function}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(Body::from(form));
        self.ask(request.unwrap()).await
    }
}

#[tokio::test]
async fn server_functions_and_pages_share_a_session() {
    let app = session_leptos::app(SessionLayer::new(MemoryStore::new()));
    let mut browser = Browser::new(&app);
    assert!(browser.page().await.contains("Hello, nobody."));
    assert_eq!(browser.cookie, None, "who only looks leaves nothing behind");
    assert_eq!(browser.call("whoami", "").await.0, StatusCode::UNAUTHORIZED);

    assert_eq!(browser.call("visit", "").await, (StatusCode::OK, "1".to_owned()));
    let before = browser.cookie.clone().unwrap();
    assert_eq!(browser.call("visit", "").await.1, "2");
    assert_eq!(browser.call("sign_in", "name=ann").await.0, StatusCode::OK);
    assert_ne!(browser.cookie, Some(before), "a sign-in renews the token");

    assert!(browser.page().await.contains("Hello, ann. Welcome."));
    assert!(!browser.page().await.contains("Welcome."), "a notice is shown once");
    assert_eq!(browser.call("whoami", "").await, (StatusCode::OK, "\"ann\"".to_owned()));
    assert_eq!(browser.call("visit", "").await.1, "3", "what was counted before is kept");

    assert_eq!(browser.call("sign_out", "").await.0, StatusCode::OK);
    assert_eq!(browser.cookie, None);
    assert!(browser.page().await.contains("Hello, nobody."));
}
