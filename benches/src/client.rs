//! A browser that sends one kind of request again and again.

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode, header};
use tower::ServiceExt;

use crate::scenario::Scenario;

/// As long as a valid one.
const UNKNOWN_COOKIE: &str = "__Host-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A client of one service.
#[derive(Debug)]
pub struct Client {
    router: Router,
    scenario: Scenario,
    /// Empty: none is sent.
    cookie: String,
}

impl Client {
    /// A client of this service; known to it already if the scenario says so.
    pub async fn of(router: Router, scenario: Scenario) -> Self {
        // As `axum::serve` does: otherwise axum builds every route and layer anew
        // for each request.
        let router = router.with_state(());
        let mut client = Self { router, scenario, cookie: String::new() };
        if scenario.sends_cookie() {
            client.cookie = client.sign_in().await.unwrap_or_else(|| UNKNOWN_COOKIE.to_owned());
        }
        client
    }

    /// Signs another visitor in and returns the cookie.
    pub async fn sign_in(&self) -> Option<String> {
        let mut visitor =
            Self { router: self.router.clone(), scenario: Scenario::Login, cookie: String::new() };
        visitor.request(true).await;
        Some(visitor.cookie).filter(|cookie| !cookie.is_empty())
    }

    /// Becomes the client with this cookie.
    pub fn present(&mut self, cookie: &str) {
        self.cookie.clear();
        self.cookie.push_str(cookie);
    }

    /// Sends `count` requests, one after the other.
    pub async fn requests(&mut self, count: u32) {
        let adopt = self.scenario == Scenario::Renew;
        for _ in 0..count {
            self.request(adopt).await;
        }
    }

    async fn request(&mut self, adopt: bool) {
        let mut request = Request::builder().uri(self.scenario.path());
        if !self.cookie.is_empty() {
            request = request.header(header::COOKIE, self.cookie.as_str());
        }
        let request = request.body(Body::empty()).expect("a request is valid");
        // What a server does for each request of a connection.
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        assert_eq!(response.status(), StatusCode::OK);
        if adopt && let Some(set) = response.headers().get(header::SET_COOKIE) {
            let pair = set.to_str().expect("cookies are ASCII").split(';').next();
            self.cookie.clear();
            self.cookie.push_str(pair.unwrap_or_default());
        }
        to_bytes(response.into_body(), usize::MAX).await.expect("a body in memory");
    }
}
