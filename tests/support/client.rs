//! A browser as far as sessions go: it keeps the cookie it is told to keep.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, Method, Request, StatusCode, header};
use tower::ServiceExt;

#[derive(Clone)]
pub struct Client {
    app: Router,
    pub cookies: BTreeMap<String, String>,
}

#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Reply {
    pub fn set_cookie(&self) -> Option<&str> {
        self.headers.get(header::SET_COOKIE).map(|value| value.to_str().unwrap())
    }
}

impl Client {
    pub fn new(app: &Router) -> Self {
        Self { app: app.clone(), cookies: BTreeMap::new() }
    }

    /// Another tab: the same cookies as of now, an own jar from then on.
    pub fn tab(&self) -> Self {
        self.clone()
    }

    pub fn token(&self) -> Option<&str> {
        self.cookies.get("__Host-session").map(String::as_str)
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        self.send(Method::GET, path).await
    }

    pub async fn post(&mut self, path: &str) -> Reply {
        self.send(Method::POST, path).await
    }

    pub async fn send(&mut self, method: Method, path: &str) -> Reply {
        let reply = self.ask(method, path).await;
        self.keep(&reply);
        reply
    }

    /// Sends a request with headers of its own.
    pub async fn send_with(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Reply {
        let reply = self.ask_with(method, path, headers).await;
        self.keep(&reply);
        reply
    }

    /// Sends a request and leaves the answer's cookies alone: a late answer.
    pub async fn ask(&self, method: Method, path: &str) -> Reply {
        self.ask_with(method, path, &[]).await
    }

    /// The same with headers of its own.
    pub async fn ask_with(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        let response =
            self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.into()).unwrap(),
        }
    }

    /// Does with an answer's cookies what a browser does.
    pub fn keep(&mut self, reply: &Reply) {
        for header in reply.headers.get_all(header::SET_COOKIE) {
            let text = header.to_str().unwrap();
            let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
            if text.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
