//! One of those who send requests. Each has users of its own, so it knows what
//! their sessions must hold; the store has those of all.

use std::time::{Duration, SystemTime};

use session_runtime::SessionManager;
use session_runtime::clock::Clock;
use session_tests::Client;

use crate::app::CAP;
use crate::browser::{Browser, assert_ended, ok};

/// Of this many sign-ins one is kept, to send more requests.
const KEPT: u64 = 64;
/// Ended tokens that are asked for again and again.
const ENDED: usize = 256;

pub(crate) struct Worker {
    client: Client,
    sessions: SessionManager,
    clock: Clock,
    random: u64,
    next_user: u64,
    /// Sessions that are left alone after their sign-in.
    pub(crate) left_alone: u64,
    /// The users whose browsers are kept, each with all of theirs.
    pub(crate) users: Vec<Vec<Browser>>,
    ended: Vec<String>,
    pub(crate) requests: u64,
}

impl Worker {
    pub(crate) fn new(client: Client, sessions: SessionManager, clock: Clock, number: u64) -> Self {
        Self {
            client,
            sessions,
            clock,
            random: 0x9e37_79b9_7f4a_7c15 ^ (number + 1),
            next_user: number << 40,
            left_alone: 0,
            users: Vec::new(),
            ended: Vec::new(),
            requests: 0,
        }
    }

    /// Xorshift: the same every time.
    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    pub(crate) fn live(&self) -> u64 {
        self.left_alone + self.users.iter().map(|all| all.len() as u64).sum::<u64>()
    }

    /// That many sign in, each as somebody else.
    pub(crate) async fn sign_in(mut self, number: u64) -> Self {
        for count in 0..number {
            self.next_user += 1;
            let browser = Browser::sign_in(&self.client, self.next_user).await;
            self.requests += 1;
            if count % KEPT == 0 {
                self.users.push(vec![browser]);
            } else {
                self.left_alone += 1;
            }
        }
        self
    }

    /// That many random things happen, while `step` passes with each.
    pub(crate) async fn live_on(mut self, number: u64, step: Duration) -> Self {
        for _ in 0..number {
            self.something().await;
            self.clock.advance(step);
        }
        self
    }

    async fn something(&mut self) {
        let at = self.random(self.users.len() as u64) as usize;
        let mut all = std::mem::take(&mut self.users[at]);
        let one = self.random(all.len() as u64) as usize;
        let number = self.random(1_000);
        let client = self.client.clone();
        let browser = &mut all[one];
        self.requests += 1;
        match self.random(100) {
            0..30 => browser.check(&client).await,
            30..35 => browser.check_and_lose_the_answer(&client).await,
            35..50 => {
                browser.post(&client, &format!("/visit/{number}")).await;
                browser.visits += number;
            }
            50..60 => {
                browser.post(&client, &format!("/note/{number}")).await;
                browser.note = Some(number);
            }
            60..70 => {
                browser.post(&client, &format!("/push/{number}")).await;
                browser.cart.push(number);
                let surplus = browser.cart.len().saturating_sub(4);
                browser.cart.drain(..surplus);
            }
            70..80 => self.two_tabs(browser, number).await,
            80..85 => {
                // Again, by the same user: another token.
                let old = browser.token.clone();
                browser.post(&client, &format!("/sign-in/{}", browser.user)).await;
                self.end(old);
            }
            85..90 => self.another_device(&mut all).await,
            90..94 => {
                let mut browser = all.swap_remove(one);
                let token = browser.token.clone();
                browser.post(&client, "/logout").await;
                self.end(token);
            }
            94..96 => {
                let count = browser.post(&client, "/everywhere").await.body;
                assert_eq!(count, all.len().to_string(), "sessions that were revoked");
                all.drain(..).for_each(|browser| self.end(browser.token));
            }
            _ => {
                let listed = self.sessions.sessions_of(&browser.user).await.unwrap();
                assert_eq!(listed.len(), all.len(), "sessions that are listed");
                let now = SystemTime::from(self.clock.now());
                assert!(listed.iter().all(|session| session.expires_at > now));
            }
        }
        if all.is_empty() {
            // Somebody else comes.
            self.next_user += 1;
            all.push(Browser::sign_in(&client, self.next_user).await);
        }
        self.users[at] = all;
        if !self.ended.is_empty() && self.random(8) == 0 {
            let at = self.random(self.ended.len() as u64) as usize;
            assert_ended(&client, &self.ended[at]).await;
            self.requests += 1;
        }
    }

    /// Two requests of one session at the same time, which change different
    /// fields, and one of them a counter that both add to.
    async fn two_tabs(&mut self, browser: &mut Browser, number: u64) {
        // Both find the same record, whether or not a renewal is due.
        browser.check(&self.client).await;
        let tabs = [format!("/visit/{number}"), format!("/note/{number}"), "/visit/1".to_owned()];
        let tabs = tabs.map(|path| {
            let mut tab = browser.tab(&self.client);
            tokio::spawn(async move { tab.post(&path).await })
        });
        for tab in tabs {
            ok(&tab.await.unwrap());
        }
        self.requests += 3;
        browser.visits += number + 1;
        browser.note = Some(number);
        browser.check(&self.client).await;
    }

    /// The same user signs in once more; one too many ends one of the others.
    async fn another_device(&mut self, all: &mut Vec<Browser>) {
        let user = all[0].user;
        let mut new = Browser::sign_in(&self.client, user).await;
        new.check(&self.client).await;
        if all.len() == CAP as usize {
            let mut ended = Vec::new();
            for (at, browser) in all.iter_mut().enumerate() {
                if !browser.is_live(&self.client).await {
                    ended.push(at);
                }
            }
            assert_eq!(ended.len(), 1, "one session was one too many");
            let browser = all.swap_remove(ended[0]);
            self.end(browser.token);
        }
        all.push(new);
    }

    fn end(&mut self, token: String) {
        if self.ended.len() < ENDED {
            self.ended.push(token);
        } else {
            let at = self.random(ENDED as u64) as usize;
            self.ended[at] = token;
        }
    }

    /// Everybody whose browsers are kept comes by.
    pub(crate) async fn check_all(mut self) -> Self {
        for browser in self.users.iter_mut().flatten() {
            browser.check(&self.client).await;
            self.requests += 1;
        }
        for token in &self.ended {
            assert_ended(&self.client, token).await;
            self.requests += 1;
        }
        self
    }

    /// Everybody whose browsers are kept signs out everywhere.
    pub(crate) async fn sign_out(mut self) -> Self {
        for mut all in std::mem::take(&mut self.users) {
            let count = all[0].post(&self.client, "/everywhere").await.body;
            assert_eq!(count, all.len().to_string());
            for browser in all {
                assert_ended(&self.client, &browser.token).await;
            }
        }
        self
    }
}
