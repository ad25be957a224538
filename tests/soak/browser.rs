//! A browser, and what its session must hold.

use http::Method;
use session_tests::{Client, Reply};

use crate::app;

pub(crate) const COOKIE: &str = "__Host-session";

/// What was acknowledged to one browser.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    pub(crate) token: String,
    pub(crate) user: u64,
    pub(crate) visits: u64,
    pub(crate) note: Option<u64>,
    pub(crate) cart: Vec<u64>,
}

impl Browser {
    pub(crate) async fn sign_in(client: &Client, user: u64) -> Self {
        let mut client = client.tab();
        client.cookies.clear();
        ok(&client.post(&format!("/sign-in/{user}")).await);
        let token = client.token().expect("signed in").to_owned();
        Self { token, user, visits: 0, note: None, cart: Vec::new() }
    }

    /// The client with this browser's cookie.
    pub(crate) fn tab(&self, client: &Client) -> Client {
        let mut client = client.tab();
        client.cookies.insert(COOKIE.to_owned(), self.token.clone());
        client
    }

    /// A request that must succeed; its cookie is kept.
    pub(crate) async fn send(&mut self, client: &Client, method: Method, path: &str) -> Reply {
        let mut tab = self.tab(client);
        let reply = tab.send(method, path).await;
        ok(&reply);
        if let Some(token) = tab.token().filter(|token| *token != self.token) {
            self.token = token.to_owned();
        }
        reply
    }

    pub(crate) async fn post(&mut self, client: &Client, path: &str) -> Reply {
        self.send(client, Method::POST, path).await
    }

    /// Everything that was acknowledged is there.
    pub(crate) async fn check(&mut self, client: &Client) {
        let expected = app::shown(self.user, self.visits, self.note, &self.cart);
        let reply = self.send(client, Method::GET, "/read").await;
        assert_eq!(reply.body, expected, "an acknowledged change is lost");
    }

    /// As `check`, and the answer never arrives.
    pub(crate) async fn check_and_lose_the_answer(&self, client: &Client) {
        let expected = app::shown(self.user, self.visits, self.note, &self.cart);
        let reply = self.tab(client).ask(Method::GET, "/read").await;
        ok(&reply);
        assert_eq!(reply.body, expected, "an acknowledged change is lost");
    }

    pub(crate) async fn is_live(&mut self, client: &Client) -> bool {
        self.send(client, Method::GET, "/read").await.body != "nobody"
    }
}

pub(crate) fn ok(reply: &Reply) {
    assert_eq!(reply.status, 200, "{}", reply.body);
}

/// A token that ended stays ended, and gets nobody a cookie.
pub(crate) async fn assert_ended(client: &Client, token: &str) {
    let mut client = client.tab();
    client.cookies.insert(COOKIE.to_owned(), token.to_owned());
    let reply = client.ask(Method::GET, "/read").await;
    ok(&reply);
    assert_eq!(reply.body, "nobody", "a session that ended lives");
    assert!(reply.set_cookie().is_none_or(|cookie| cookie.contains("Max-Age=0")));
}
