//! Renewal by age signs no client out: not if refreshes come at once, if answers are lost, nor
//! if a request arrives late.

use std::collections::HashSet;
use std::time::Duration;

use http::StatusCode;
use session_runtime::clock::Clock;
use session_runtime::store::SessionStore;
use session_runtime::{Session, SessionLayer, SessionSchema, Transports};
use tokio::task::JoinSet;

use crate::{Answer, Tab};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
}

type S = Session<Visitor>;

const AGE: Duration = Duration::from_secs(600);
const AT_ONCE: usize = 8;

/// How many rounds `usual` are, in a test that may be asked for more.
fn rounds(usual: u32) -> u32 {
    std::env::var("SESSION_TESTS_REFRESHES").map_or(usual, |it| it.parse().expect("a number"))
}

/// In each round, eight requests at once present the client's token, and an answer is heard or
/// lost. Requests with the token before arrive within its grace, before the round and in it.
pub async fn refreshes_sign_nobody_out(
    store: &(impl SessionStore + Clone),
    clock: &Clock,
    usual: u32,
) {
    let layer = SessionLayer::new(store.clone())
        .transports(Transports::Bearer)
        .renew_after(AGE)
        .idle_timeout(None)
        .absolute_timeout(None);
    let mut client = Tab::bearing(&layer);
    client.run(|mut s: S| async move { s.set_user(7) }).await.ok();
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let (mut before, mut renewals, mut lost) = (None, 0, 0);
    let rounds = rounds(usual);
    for round in 0..rounds {
        let mut sent = vec![client.clone(); AT_ONCE];
        // Sent before the client heard of its token, and slow.
        if let Some(late) = before.take() {
            sent.insert(dice.below(AT_ONCE), late);
        }
        let mut answers = JoinSet::new();
        for tab in sent {
            answers.spawn(async move { tab.ask(|s: S| async move { s.user() }).await });
        }
        let mut heard = HashSet::new();
        for Answer { status, headers, value } in answers.join_all().await {
            assert_eq!(status, StatusCode::OK, "round {round}");
            assert_eq!(value, Some(Some(7)), "round {round}: signed out");
            heard.extend(headers.get("session-token").map(|it| it.to_str().unwrap().to_owned()));
        }
        assert!(heard.len() <= 1, "round {round}: {} successors", heard.len());
        match heard.into_iter().next() {
            // The client learns of it in three rounds of four.
            Some(next) if dice.below(4) > 0 => {
                renewals += 1;
                before = Some(client.clone());
                client.cookie = Some(next);
            }
            Some(_) => lost += 1,
            None => {}
        }
        clock.advance(match before {
            // The new token is presented in the next round, and the old one with it.
            Some(_) => Duration::from_secs(dice.below(50) as u64),
            None => AGE,
        });
    }
    assert!(renewals > rounds / 5 && lost > rounds / 20, "{renewals} renewals, {lost} lost");
    assert_eq!(layer.manager().sessions_of(&7_u64).await.unwrap().len(), 1, "no fork");
}

/// xorshift64, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
