//! Limits at their edges, and clocks that jump.

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use http::Method;
use session_runtime::__private::record::{COMMIT_LEEWAY, MAX_LIFETIME};
use session_runtime::clock::Timestamp;
use session_runtime::store::SessionStore;
use session_runtime::{Session, SessionError, SessionLayer};
use session_tests::slow::{Fault, Method as Call};
use session_tests::stores::{Under, all};
use session_tests::{Client, Reply, Slow};

use crate::visitor::{Visitor, show};

const MS: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const IDLE: Duration = Duration::from_secs(30 * 60);
const ABSOLUTE: Duration = Duration::from_secs(12 * 60 * 60);

const LIVE: &str = "nobody en 1 []";
const OVER: &str = "nobody en 0 []";

fn app(layer: SessionLayer) -> Router {
    Router::new()
        .route("/visit", post(|mut s: Session<Visitor>| async move { s.add_visits(1) }))
        .route("/locale", post(|mut s: Session<Visitor>| async move { s.set_locale("de") }))
        .route("/sign-in", post(|mut s: Session<Visitor>| async move { s.set_user_id(7) }))
        .route("/again", post(|mut s: Session<Visitor>| async move { s.reauthenticated() }))
        .route("/logout", post(|mut s: Session<Visitor>| async move { s.destroy() }))
        .route("/remember/{ms}", post(|axum::extract::Path(ms): axum::extract::Path<u64>, mut s: Session<Visitor>| async move {
            s.remember(Duration::from_millis(ms));
        }))
        .route("/remember", post(|mut s: Session<Visitor>| async move { s.remember(Duration::MAX) }))
        .route("/read", get(|s: Session<Visitor>| async move { show(&s) }))
        .route("/left", get(|s: Session<Visitor>| async move { format!("{:?}", s.expires_in()) }))
        .layer(layer)
}

fn of(under: &Under) -> Router {
    app(SessionLayer::new(under.store.clone()))
}

async fn been_to(app: &Router, path: &str) -> Client {
    let mut client = Client::new(app);
    client.post(path).await;
    client
}

/// What a tab sees, whose answer nobody keeps.
async fn seen(client: &Client) -> String {
    client.ask(Method::GET, "/read").await.body
}

/// SQLite writes activity behind the answer; listings wait for nobody.
async fn settled(under: &Under) {
    if under.name == "sqlite" {
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

#[tokio::test]
async fn a_silent_session_is_live_until_its_last_millisecond_and_not_one_longer() {
    for under in all().await {
        // Without a tab that looks, so that nothing is extended.
        for (age, expected) in [(IDLE - MS, LIVE), (IDLE, OVER), (IDLE + MS, OVER)] {
            let client = been_to(&of(&under), "/visit").await;
            under.clock.advance(age);
            assert_eq!(seen(&client).await, expected, "{} {age:?}", under.name);
        }
    }
}

#[tokio::test]
async fn a_busy_session_is_live_until_the_last_millisecond_of_its_absolute_limit() {
    for under in all().await {
        let client = been_to(&of(&under), "/visit").await;
        let steps = 12 * 60 / 20;
        for step in 1..=steps {
            assert_eq!(seen(&client).await, LIVE, "{} {step}", under.name);
            settled(&under).await;
            under.clock.advance(20 * MINUTE - if step == steps { MS } else { Duration::ZERO });
        }
        assert_eq!(seen(&client).await, LIVE, "{}", under.name);
        assert_eq!(client.ask(Method::GET, "/left").await.body, "Some(1ms)", "{}", under.name);
        under.clock.advance(MS);
        assert_eq!(seen(&client).await, OVER, "{}", under.name);
    }
}

#[tokio::test]
async fn whichever_limit_comes_first_ends_the_session() {
    for (idle, absolute) in [(None, Some(2)), (Some(2), None), (Some(2), Some(2))] {
        for under in all().await {
            let minutes = |limit: Option<u32>| limit.map(|limit| limit * MINUTE);
            let layer = SessionLayer::new(under.store.clone())
                .idle_timeout(minutes(idle))
                .absolute_timeout(minutes(absolute));
            let client = been_to(&app(layer), "/visit").await;
            let case = format!("{} {idle:?} {absolute:?}", under.name);
            under.clock.advance(2 * MINUTE);
            assert_eq!(seen(&client).await, OVER, "{case}");
        }
    }
}

#[tokio::test]
async fn no_limit_means_none_and_silence_of_400_days_ends_it_all_the_same() {
    for under in all().await {
        let layer =
            || SessionLayer::new(under.store.clone()).idle_timeout(None).absolute_timeout(None);
        let quiet = been_to(&app(layer()), "/visit").await;
        let busy = been_to(&app(layer()), "/visit").await;
        under.clock.advance(MAX_LIFETIME - MS);
        assert_eq!(seen(&busy).await, LIVE, "{}", under.name);
        settled(&under).await;
        under.clock.advance(MS);
        assert_eq!(seen(&quiet).await, OVER, "{}", under.name);
        for _ in 0..5 {
            under.clock.advance(399 * DAY);
            assert_eq!(seen(&busy).await, LIVE, "{}: years", under.name);
            settled(&under).await;
        }
    }
}

fn max_age(reply: &Reply) -> Option<u64> {
    let seconds = reply.set_cookie()?.split("Max-Age=").nth(1)?;
    seconds.split(';').next()?.parse().ok()
}

#[tokio::test]
async fn to_be_remembered_is_at_least_a_second_and_at_most_400_days() {
    for under in all().await {
        let cases: [(&str, Duration); 5] = [
            ("/remember/0", Duration::from_secs(1)),
            ("/remember/1", Duration::from_secs(1)),
            ("/remember/1500", Duration::from_millis(1500)),
            ("/remember", MAX_LIFETIME),
            ("/remember/18446744073709551615", MAX_LIFETIME),
        ];
        for (path, lives) in cases {
            let mut client = been_to(&of(&under), "/visit").await;
            let reply = client.post(path).await;
            assert_eq!(max_age(&reply), Some(lives.as_secs()), "{} {path}", under.name);
            under.clock.advance(lives - MS);
            assert_eq!(seen(&client).await, LIVE, "{} {path}", under.name);
            under.clock.advance(MS);
            assert_eq!(seen(&client).await, OVER, "{} {path}", under.name);
        }
    }
}

#[tokio::test]
async fn who_signs_in_or_out_later_does_not_inherit_for_how_long_somebody_was_remembered() {
    for under in all().await {
        let mut client = been_to(&of(&under), "/visit").await;
        client.post("/remember").await;
        let reply = client.post("/sign-in").await;
        assert_eq!(max_age(&reply), None, "{}", under.name);
        under.clock.advance(IDLE);
        assert_eq!(seen(&client).await, OVER, "{}", under.name);
    }
}

#[tokio::test]
async fn limits_of_any_size_overflow_nothing() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone())
            .idle_timeout(Some(Duration::MAX))
            .absolute_timeout(Some(Duration::MAX));
        let app = app(layer);
        let client = been_to(&app, "/visit").await;
        assert_eq!(seen(&client).await, LIVE, "{}", under.name);
        let left = client.ask(Method::GET, "/left").await.body;
        assert_eq!(left, format!("{:?}", Some(MAX_LIFETIME)), "{}", under.name);
        under.clock.advance(MAX_LIFETIME);
        assert_eq!(seen(&client).await, OVER, "{}", under.name);
    }
}

#[tokio::test]
async fn no_time_that_a_clock_can_show_is_a_panic_or_a_500() {
    let times =
        [0, 1, i64::MAX as u64 - 1, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX - 1, u64::MAX];
    for under in all().await {
        for from in times {
            under.clock.set(Timestamp::from_millis(from));
            let client = been_to(&of(&under), "/visit").await;
            for to in times {
                under.clock.set(Timestamp::from_millis(to));
                let mut tab = client.tab();
                for path in ["/visit", "/remember", "/locale", "/sign-in", "/again", "/logout"] {
                    let status = tab.post(path).await.status;
                    let case = format!("{} {path} from {from} to {to}", under.name);
                    assert!(status == 200 || status == 409, "{case}: {status}");
                }
                under.store.sweep(100).await.unwrap();
                under.store.count().await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_clock_that_goes_back_extends_no_session_beyond_its_absolute_limit() {
    for under in all().await {
        let start = under.clock.now();
        let client = been_to(&of(&under), "/visit").await;
        // Back and forth as it likes, and never silent for long.
        for hour in 0..11 {
            for minutes in [0, 25, 50, 0] {
                under.clock.set(start.after((60 * hour + minutes) * MINUTE));
                assert_eq!(seen(&client).await, LIVE, "{} {hour}:{minutes}", under.name);
                settled(&under).await;
            }
        }
        for minutes in [11 * 60 + 15, 11 * 60 + 40] {
            under.clock.set(start.after(minutes * MINUTE));
            seen(&client).await;
            settled(&under).await;
        }
        under.clock.set(start.after(ABSOLUTE - MS));
        assert_eq!(seen(&client).await, LIVE, "{}", under.name);
        settled(&under).await;
        under.clock.set(start.after(ABSOLUTE));
        assert_eq!(seen(&client).await, OVER, "{}", under.name);
    }
}

#[tokio::test]
async fn activity_under_a_clock_that_ran_ahead_is_worth_one_idle_time_at_most() {
    for under in all().await {
        let start = under.clock.now();
        let client = been_to(&of(&under), "/visit").await;
        under.clock.set(start.after(IDLE - MS));
        assert_eq!(seen(&client).await, LIVE);
        settled(&under).await;
        // Right again: it lives until an idle time after what was written.
        under.clock.set(start);
        assert_eq!(seen(&client).await, LIVE, "{}", under.name);
        settled(&under).await;
        under.clock.set(start.after(2 * IDLE - MS));
        assert_eq!(seen(&client).await, OVER, "{}", under.name);
    }
}

#[tokio::test]
async fn a_clock_that_jumps_forward_by_years_at_the_load_ends_the_session_and_the_next_one_works() {
    for under in all().await {
        let app = of(&under);
        let mut client = been_to(&app, "/visit").await;
        under.clock.advance(3650 * DAY);
        assert_eq!(client.post("/visit").await.status, 200, "{}", under.name);
        assert_eq!(seen(&client).await, LIVE, "{}: a fresh one", under.name);
    }
}

/// The clock moves by so much between the load and the commit.
async fn commits_after(under: &Under, jump: impl Fn(&Under)) -> (u16, String, u16) {
    let slow = Slow::on(under.store.clone());
    let app = app(SessionLayer::new(slow.clone()));
    let start = under.clock.now();
    let client = been_to(&app, "/visit").await;
    let gate = slow.next(Call::Apply, Fault::AskedLate);
    let change = async {
        gate.reached().await;
        jump(under);
        gate.open();
    };
    let (reply, ()) = tokio::join!(client.ask(Method::POST, "/locale"), change);
    under.clock.set(start);
    let after = seen(&client).await;
    (reply.status.as_u16(), after, client.ask(Method::GET, "/read").await.status.as_u16())
}

#[tokio::test]
async fn a_session_that_was_live_at_its_load_commits_for_a_minute_more() {
    for under in all().await {
        let to = |by: Duration| move |under: &Under| under.clock.advance(by);
        let kept = (200, "nobody de 1 []".to_owned(), 200);
        assert_eq!(commits_after(&under, to(IDLE)).await, kept, "{}", under.name);
        let edge = IDLE + COMMIT_LEEWAY;
        assert_eq!(commits_after(&under, to(edge - MS)).await, kept, "{}", under.name);
        let (status, ..) = commits_after(&under, to(edge)).await;
        assert_eq!(status, 409, "{}: it is over, and \"done\" would be a lie", under.name);
    }
}

#[tokio::test]
async fn a_clock_that_goes_back_between_load_and_commit_loses_nothing() {
    for under in all().await {
        for back in [MINUTE, 400 * DAY, 10_000 * DAY] {
            let back = |under: &Under| {
                let now = under.clock.now().as_millis();
                let to = now.saturating_sub(u64::try_from(back.as_millis()).unwrap());
                under.clock.set(Timestamp::from_millis(to));
            };
            let kept = (200, "nobody de 1 []".to_owned(), 200);
            assert_eq!(commits_after(&under, back).await, kept, "{}", under.name);
        }
    }
}

#[tokio::test]
async fn a_sweep_under_a_clock_that_went_back_removes_nothing_and_a_later_one_does() {
    for under in all().await {
        let start = under.clock.now();
        let client = been_to(&of(&under), "/visit").await;
        under.clock.set(Timestamp::from_millis(0));
        assert_eq!(under.store.sweep(100).await.unwrap().removed, 0, "{}", under.name);
        under.clock.set(start.after(IDLE - MS));
        assert_eq!(under.store.sweep(100).await.unwrap().removed, 0, "{}", under.name);
        assert_eq!(seen(&client).await, LIVE, "{}", under.name);
        settled(&under).await;
        under.clock.set(start.after(IDLE + IDLE + COMMIT_LEEWAY));
        under.store.sweep(100).await.unwrap();
        assert_eq!(under.store.count().await.unwrap(), 0, "{}", under.name);
        assert_eq!(seen(&client).await, OVER, "{}", under.name);
    }
}

#[tokio::test]
async fn a_logout_under_a_clock_that_went_back_is_a_logout() {
    for under in all().await {
        let start = under.clock.now();
        let mut client = been_to(&of(&under), "/sign-in").await;
        let old = client.tab();
        under.clock.set(Timestamp::from_millis(start.as_millis() / 2));
        assert_eq!(client.post("/logout").await.status, 200, "{}", under.name);
        for time in [Timestamp::from_millis(0), start, start.after(3650 * DAY)] {
            under.clock.set(time);
            assert_eq!(seen(&old).await, OVER, "{}", under.name);
        }
    }
}

#[tokio::test]
async fn what_a_handle_tells_of_its_times_is_the_same_under_any_clock() {
    for under in all().await {
        let clock = under.clock.clone();
        let handler = move |mut s: Session<Visitor>| async move {
            s.set_user_id(7);
            s.save().await?;
            let times = (s.created_at(), s.authenticated_at(), s.expires_at());
            clock.set(Timestamp::from_millis(0));
            assert_eq!(times, (s.created_at(), s.authenticated_at(), s.expires_at()));
            assert!(s.expires_in().is_some_and(|left| left > IDLE));
            clock.set(Timestamp::from_millis(u64::MAX));
            assert_eq!(s.expires_in(), Some(Duration::ZERO));
            Ok::<_, SessionError>(())
        };
        let layer = SessionLayer::new(under.store.clone());
        let app = Router::new().route("/", post(handler)).layer(layer);
        assert_eq!(Client::new(&app).post("/").await.status, 200, "{}", under.name);
    }
}
