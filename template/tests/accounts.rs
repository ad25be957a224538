//! The application as a browser sees it, without a network.

use app::users::Users;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use session_runtime::store::{AnyStore, MemoryStore};
use session_runtime::testing::frozen_clock;
use tower::ServiceExt as _;

struct Browser {
    app: Router,
    agent: &'static str,
    cookie: Option<String>,
}

struct Answer {
    status: StatusCode,
    location: Option<String>,
    page: String,
}

impl Browser {
    fn new(app: &Router, agent: &'static str) -> Self {
        Self {
            app: app.clone(),
            agent,
            cookie: None,
        }
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path), Body::empty()).await
    }

    async fn post(&mut self, path: &str, form: &str) -> Answer {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin");
        self.send(request, Body::from(form.to_owned())).await
    }

    async fn send(&mut self, request: axum::http::request::Builder, body: Body) -> Answer {
        let mut request = request
            .header(header::USER_AGENT, self.agent)
            .header("sec-fetch-mode", "navigate")
            .header(header::HOST, "example.org");
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let response = self
            .app
            .clone()
            .oneshot(request.body(body).unwrap())
            .await
            .unwrap();
        let text = |name| {
            response
                .headers()
                .get(name)
                .map(|it| it.to_str().unwrap().to_owned())
        };
        let (set, location) = (text(header::SET_COOKIE), text(header::LOCATION));
        if let Some(set) = set {
            self.cookie =
                (!set.contains("Max-Age=0")).then(|| set.split(';').next().unwrap().into());
        }
        let status = response.status();
        let page = response.into_body().collect().await.unwrap().to_bytes();
        Answer {
            status,
            location,
            page: String::from_utf8(page.into()).unwrap(),
        }
    }
}

const ANN: &str = "name=ann&password=correct+horse+battery";

fn application() -> (Router, session_runtime::clock::Clock) {
    let clock = frozen_clock();
    let store = AnyStore::new(MemoryStore::with_clock(clock.clone()));
    let app = app::app(app::sessions(store), Users::in_memory().unwrap()).unwrap();
    (app, clock)
}

async fn registered(app: &Router) -> Browser {
    let mut browser = Browser::new(app, "Linux");
    assert_eq!(
        browser.post("/register", ANN).await.location.as_deref(),
        Some("/account")
    );
    browser
}

#[tokio::test]
async fn an_account_is_created_and_its_owner_comes_back() {
    let (app, _) = application();
    let mut browser = registered(&app).await;
    assert!(
        browser
            .get("/account")
            .await
            .page
            .contains("<strong>ann</strong>")
    );
    assert_eq!(
        browser.post("/logout", "").await.location.as_deref(),
        Some("/")
    );
    assert!(browser.get("/").await.page.contains("Goodbye."));
    let login = browser.get("/account").await.location.unwrap();
    assert_eq!(login, "/login?next=/account");
    let wrong = browser.post("/login", "name=ann&password=guess").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.page.contains("Wrong name or password."));
    let elsewhere = format!("{ANN}&next=https://evil.example/");
    assert_eq!(
        browser.post("/login", &elsewhere).await.location.as_deref(),
        Some("/account")
    );
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
}

#[tokio::test]
async fn visitors_who_only_look_leave_no_session() {
    let (app, _) = application();
    let mut browser = Browser::new(&app, "Linux");
    for path in ["/", "/login", "/register"] {
        assert_eq!(browser.get(path).await.status, StatusCode::OK);
    }
    assert_eq!(browser.cookie, None);
}

#[tokio::test]
async fn devices_are_listed_and_signed_out() {
    let (app, _) = application();
    let mut laptop = registered(&app).await;
    let mut phone = Browser::new(&app, "Android");
    phone.post("/login", ANN).await;
    let page = laptop.get("/account").await.page;
    assert!(
        page.contains("Linux (this one)") && page.contains("Android"),
        "{page}"
    );
    let id = page
        .split("name=\"id\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    laptop.post("/devices/end", &format!("id={id}")).await;
    let signed_out = phone.get("/account").await;
    assert_eq!(signed_out.status, StatusCode::SEE_OTHER);
    let login = phone.get(&signed_out.location.unwrap()).await.page;
    assert!(
        login.contains("You were signed out from another device."),
        "{login}"
    );

    phone.post("/login", ANN).await;
    phone.post("/devices/end-others", "").await;
    assert!(phone.get("/account").await.page.contains("1 signed out."));
    assert_eq!(laptop.get("/account").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn another_users_device_cannot_be_signed_out() {
    let (app, _) = application();
    let mut ann = registered(&app).await;
    let mut bob = Browser::new(&app, "Windows");
    bob.post("/register", "name=bob&password=correct+horse+battery")
        .await;
    let mut phone = Browser::new(&app, "Android");
    phone.post("/login", ANN).await;
    let page = ann.get("/account").await.page;
    let id = page
        .split("name=\"id\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    bob.post("/devices/end", &format!("id={id}")).await;
    assert_eq!(phone.get("/account").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_new_password_signs_out_all_other_devices() {
    let (app, _) = application();
    let mut laptop = registered(&app).await;
    let mut phone = Browser::new(&app, "Android");
    phone.post("/login", ANN).await;
    laptop
        .post("/password", "current=wrong&new=another+good+password")
        .await;
    assert!(
        laptop
            .get("/account")
            .await
            .page
            .contains("Wrong password.")
    );
    assert_eq!(phone.get("/account").await.status, StatusCode::OK);

    let form = "current=correct+horse+battery&new=another+good+password";
    laptop.post("/password", form).await;
    let page = laptop.get("/account").await.page;
    assert!(page.contains("Changed.") && page.contains("Linux (this one)"));
    assert_eq!(phone.get("/account").await.status, StatusCode::SEE_OTHER);
    phone.post("/login", ANN).await;
    assert_eq!(
        phone.get("/account").await.status,
        StatusCode::SEE_OTHER,
        "the old password"
    );
}

#[tokio::test]
async fn closing_the_account_asks_for_the_password_again() {
    let (app, clock) = application();
    let mut browser = registered(&app).await;
    clock.advance(std::time::Duration::from_secs(20 * 60));
    assert_eq!(
        browser.post("/close", "").await.location.as_deref(),
        Some("/confirm?proof=fresh")
    );
    browser.post("/confirm", "password=wrong").await;
    assert_eq!(
        browser.post("/close", "").await.location.as_deref(),
        Some("/confirm?proof=fresh")
    );
    browser
        .post("/confirm", "password=correct+horse+battery")
        .await;
    assert_eq!(
        browser.post("/close", "").await.location.as_deref(),
        Some("/")
    );
    browser.post("/login", ANN).await;
    assert_eq!(
        browser.get("/account").await.status,
        StatusCode::SEE_OTHER,
        "no such user"
    );
}

#[tokio::test]
async fn a_form_on_another_site_changes_nothing() {
    let (app, _) = application();
    let mut browser = registered(&app).await;
    let request = Request::post("/logout").header("sec-fetch-site", "cross-site");
    assert_eq!(
        browser.send(request, Body::empty()).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
}
