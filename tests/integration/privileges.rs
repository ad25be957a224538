//! Who somebody is, and what they may do, is never a left-over of somebody
//! else's.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use http::{Method, StatusCode};
use session_runtime::__private::patch::{FieldOp, Lifetime, Op, Outcome, Patch};
use session_runtime::__private::record::{Applying, Fields, Meta, Record};
use session_runtime::__private::token::SessionToken;
use session_runtime::store::AnyStore;
use session_runtime::{Realm, Session, SessionLayer, SessionManager, SessionSchema};
use session_tests::stores::{all, clock, memory};
use session_tests::{Client, Reply};
use tokio::sync::Barrier;

use crate::visitor::Visitor;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn who(session: &Session<Visitor>) -> String {
    let user = session.user_id().map_or("nobody".to_owned(), |id| id.to_string());
    format!("{user} {:?}", session.role())
}

fn routes() -> Router {
    let sign_in =
        |Path(user): Path<u64>, mut s: Session<Visitor>| async move { s.set_user_id(user) };
    Router::new()
        .route("/sign-in/{user}", post(sign_in))
        .route("/sign-out", post(|mut s: Session<Visitor>| async move { s.clear_user_id() }))
        .route("/role", post(|mut s: Session<Visitor>| async move { s.set_role("admin") }))
        .route("/regenerate", post(|mut s: Session<Visitor>| async move { s.regenerate() }))
        .route("/who", get(|s: Session<Visitor>| async move { who(&s) }))
}

/// The same record under another release: another process has another layer.
fn release(routes: Router, store: &AnyStore) -> Router {
    routes.layer(SessionLayer::new(store.clone()))
}

/// The browser of `client`, sent to the servers of `app`.
fn moved(client: &Client, app: &Router) -> Client {
    let mut moved = Client::new(app);
    moved.cookies = client.cookies.clone();
    moved
}

#[tokio::test]
async fn an_unreadable_counter_never_makes_a_late_sign_in_somebody_elses() {
    #[derive(SessionSchema)]
    struct Before {
        #[session(principal)]
        user_id: Option<u64>,
        visits: String,
    }
    for under in all().await {
        let fill = |mut s: Session<Before>| async move {
            s.set_user_id(1);
            s.set_visits("many");
        };
        let before = release(Router::new().route("/fill", post(fill)), &under.store);
        let meet = Arc::new(Barrier::new(2));
        let waits = Arc::clone(&meet);
        let late = move |mut s: Session<Visitor>| async move {
            waits.wait().await;
            waits.wait().await;
            s.add_visits(1);
            s.set_user_id(2);
            "hello 2"
        };
        let after = release(routes().route("/late", post(late)), &under.store);
        let mut old = Client::new(&before);
        old.post("/fill").await;
        let mut client = moved(&old, &after);
        let mut tab = client.tab();
        let late = tokio::spawn(async move {
            let reply = tab.post("/late").await;
            (tab, reply)
        });
        meet.wait().await;
        client.post("/regenerate").await;
        meet.wait().await;
        let (mut tab, reply) = late.await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, "hello 2"));
        assert_eq!(tab.get("/who").await.body, "2 None", "{}", under.name);
        // Another user's sign-in ends the session, as a logout under the old token does.
        assert_eq!(client.get("/who").await.body, "nobody None", "{}", under.name);
    }
}

/// For how many days the answer's cookie is kept; `None`: until the browser is
/// closed.
fn remembered(reply: &Reply) -> Option<u64> {
    let (_, rest) = reply.set_cookie().unwrap().split_once("Max-Age=")?;
    let seconds: u64 = rest.split(';').next().unwrap().parse().unwrap();
    Some(seconds / DAY.as_secs())
}

fn remembering() -> Router {
    let remember = |mut s: Session<Visitor>| async move { s.remember(30 * DAY) };
    let both = |mut s: Session<Visitor>| async move {
        s.set_user_id(1);
        s.remember(30 * DAY);
    };
    routes().route("/remember", post(remember)).route("/sign-in-remembered", post(both))
}

#[tokio::test]
async fn nobody_inherits_for_how_long_another_user_asked_to_be_remembered() {
    for under in all().await {
        let app = release(remembering(), &under.store);
        let mut client = Client::new(&app);
        assert_eq!(remembered(&client.post("/sign-in-remembered").await), Some(30));
        let mut other = client.tab();
        assert_eq!(remembered(&client.post("/sign-out").await), None, "{}", under.name);
        assert_eq!(remembered(&client.post("/sign-in/2").await), None, "{}", under.name);

        other.post("/sign-in-remembered").await;
        assert_eq!(remembered(&other.post("/sign-in/2").await), None, "at once, too");
        // Nor does the store keep it.
        under.clock.advance(DAY);
        assert_eq!(other.get("/who").await.body, "nobody None", "{}", under.name);
    }
}

#[tokio::test]
async fn being_remembered_again_does_not_add_up() {
    for under in all().await {
        let app = release(remembering(), &under.store);
        let mut client = Client::new(&app);
        client.post("/sign-in-remembered").await;
        for path in ["/remember", "/sign-in-remembered", "/remember", "/sign-in-remembered"] {
            under.clock.advance(29 * DAY);
            let reply = client.post(path).await;
            assert_eq!(remembered(&reply), Some(30), "{} {path}", under.name);
            assert_eq!(client.get("/who").await.body, "1 None", "{}", under.name);
        }
        under.clock.advance(30 * DAY);
        assert_eq!(client.get("/who").await.body, "nobody None", "{}", under.name);
    }
}

#[tokio::test]
async fn a_privilege_given_up_stays_given_up_when_the_response_fails() {
    let drop_role = |mut s: Session<Visitor>| async move {
        s.clear_role();
        StatusCode::BAD_GATEWAY
    };
    for under in all().await {
        let app = release(routes().route("/drop-role", post(drop_role)), &under.store);
        let mut client = Client::new(&app);
        client.post("/sign-in/1").await;
        client.post("/role").await;
        assert_eq!(client.get("/who").await.body, "1 Some(\"admin\")");
        let before = client.tab();
        let reply = client.post("/drop-role").await;
        assert_eq!(reply.status, 502);
        assert_eq!(client.get("/who").await.body, "1 None", "{}", under.name);
        assert_ne!(client.token(), before.token(), "and renews the token");
        assert_eq!(before.ask(Method::GET, "/who").await.body, "nobody None");
    }
}

#[tokio::test]
async fn a_replace_after_a_sign_in_does_not_take_the_sign_in_back() {
    let again = |mut s: Session<Visitor>| async move {
        s.set_user_id(1);
        let mut all = s.snapshot();
        all.locale = "fr".to_owned();
        s.replace(all);
    };
    let app = release(routes().route("/again", post(again)), &memory().store);
    let mut client = Client::new(&app);
    client.post("/sign-in/1").await;
    let before = client.tab();
    client.post("/again").await;
    assert_ne!(client.token(), before.token(), "signing in again renews");
    assert_eq!(client.get("/who").await.body, "1 None");
    assert_eq!(before.ask(Method::GET, "/who").await.body, "nobody None");
}

#[tokio::test]
async fn revoke_others_means_the_others_of_who_is_signed_in_by_now() {
    let only_two = |mut s: Session<Visitor>, sessions: SessionManager| async move {
        s.set_user_id(2);
        sessions.revoke_others(&s).await.map(|ended| ended.to_string())
    };
    for under in all().await {
        let app = release(routes().route("/only-two", post(only_two)), &under.store);
        let [mut of_one, mut of_two, mut client, mut fresh] =
            std::array::from_fn(|_| Client::new(&app));
        of_one.post("/sign-in/1").await;
        of_two.post("/sign-in/2").await;
        client.post("/sign-in/1").await;
        assert_eq!(client.post("/only-two").await.body, "1", "{}", under.name);
        assert_eq!(of_two.get("/who").await.body, "nobody None", "{}", under.name);
        assert_eq!(of_one.get("/who").await.body, "1 None", "{}", under.name);
        assert_eq!(client.get("/who").await.body, "2 None", "{}", under.name);
        // Somebody who had no session at all.
        assert_eq!(fresh.post("/only-two").await.body, "1", "{}", under.name);
        assert_eq!(client.get("/who").await.body, "nobody None");
        assert_eq!(fresh.get("/who").await.body, "2 None");
    }
}

#[tokio::test]
async fn schemas_that_disagree_on_what_renews_the_token_are_refused() {
    #[derive(SessionSchema)]
    struct Careless {
        role: Option<String>,
    }
    let layer = SessionLayer::new(memory().store).schema::<Visitor>().schema::<Careless>();
    let error = layer.check().unwrap_err().to_string();
    for word in ["Visitor", "Careless", "role"] {
        assert!(error.contains(word), "{error}");
    }
    let careless = |mut s: Session<Careless>| async move { s.set_role("admin") };
    let app = release(routes().route("/careless", post(careless)), &memory().store);
    let mut client = Client::new(&app);
    client.post("/sign-in/1").await;
    assert_eq!(client.post("/careless").await.status, 500, "without `.schema` too");
    assert_eq!(client.get("/who").await.body, "1 None");
}

#[tokio::test]
async fn a_renamed_principal_does_not_mix_users_up_while_both_releases_run() {
    #[derive(SessionSchema)]
    struct Before {
        #[session(principal)]
        uid: Option<u64>,
    }
    #[derive(SessionSchema)]
    struct After {
        #[session(principal, alias = "uid")]
        user_id: Option<u64>,
    }
    for under in all().await {
        let before = Router::new()
            .route(
                "/sign-in/{user}",
                post(|Path(u): Path<u64>, mut s: Session<Before>| async move { s.set_uid(u) }),
            )
            .route("/who", get(|s: Session<Before>| async move { format!("{:?}", s.uid()) }));
        let after = Router::new()
            .route(
                "/sign-in/{user}",
                post(|Path(u): Path<u64>, mut s: Session<After>| async move { s.set_user_id(u) }),
            )
            .route("/who", get(|s: Session<After>| async move { format!("{:?}", s.user_id()) }));
        let [before, after] = [before, after].map(|routes| release(routes, &under.store));
        let mut old = Client::new(&before);
        old.post("/sign-in/1").await;
        let mut new = moved(&old, &after);
        assert_eq!(new.get("/who").await.body, "Some(1)", "{}: who was there stays", under.name);
        new.post("/sign-in/2").await;
        assert_eq!(new.get("/who").await.body, "Some(2)", "{}", under.name);
        let mut old = moved(&new, &before);
        assert_eq!(old.get("/who").await.body, "None", "{}: nobody, not user 1", under.name);
        old.post("/sign-in/3").await;
        assert_eq!(old.get("/who").await.body, "Some(3)", "{}", under.name);
        let mut new = moved(&old, &after);
        assert_eq!(new.get("/who").await.body, "Some(3)", "{}: nothing is left of 2", under.name);
        new.post("/sign-in/4").await;
        assert_eq!(new.get("/who").await.body, "Some(4)", "{}", under.name);
    }
}

#[tokio::test]
async fn a_stored_principal_that_nobody_signed_in_with_is_nobody() {
    // Once the field was whatever a visitor typed; now it says who they are.
    #[derive(SessionSchema)]
    struct Before {
        user_id: Option<u64>,
    }
    for under in all().await {
        let typed = Router::new()
            .route("/type", post(|mut s: Session<Before>| async move { s.set_user_id(1) }))
            .route("/typed", get(|s: Session<Before>| async move { format!("{:?}", s.user_id()) }));
        let before = release(typed, &under.store);
        let layer = SessionLayer::new(under.store.clone()).schema::<Visitor>();
        let manager = layer.manager();
        let after = routes().layer(layer);
        let mut old = Client::new(&before);
        old.post("/type").await;
        let mut new = moved(&old, &after);
        assert_eq!(new.get("/who").await.body, "nobody None", "{}", under.name);
        assert_eq!(manager.sessions_of(&1_u64).await.unwrap(), []);
        assert_eq!(old.get("/typed").await.body, "Some(1)", "a rolled-back deploy finds it");
        new.post("/sign-in/1").await;
        assert_eq!(new.get("/who").await.body, "1 None", "{}", under.name);
    }
}

#[test]
fn a_repeated_patch_does_not_gain_the_authority_of_a_sign_in_since() {
    let now = clock().now();
    let set = |value: &str| Patch::of(vec![FieldOp::new("a", Op::set(value))]);
    let stored = |record: &Arc<Record>, epoch, patch: &Patch| match record.apply(epoch, patch, now)
    {
        Applying::Stored(record, _) => Arc::new((*record).clone()),
        answer @ Applying::Answer(_) => panic!("{answer:?}"),
    };
    let answered =
        |record: &Arc<Record>, epoch, patch: &Patch| match record.apply(epoch, patch, now) {
            Applying::Answer(Outcome::Applied(applied)) => applied,
            other => panic!("{other:?}"),
        };
    let renewing = |record: &Record| {
        let mut patch = Patch::new();
        patch.meta.renew =
            Some(SessionToken::renew(record.id).unwrap().secret_hash(&Realm::default()));
        patch
    };
    let token = SessionToken::generate().unwrap();
    let lifetime = Lifetime { idle: None, absolute: None, remember: false };
    let meta = Meta::new(token.secret_hash(&Realm::default()), now, lifetime);
    let record = Arc::new(Record::new(token.id(), meta, Fields::new()));

    // Applied, its answer lost; somebody signs in; then it is repeated.
    let first = set("1");
    let record = stored(&record, 1, &first);
    let sign_in = renewing(&record);
    let record = stored(&record, 1, &sign_in);
    let repeated = answered(&record, 1, &first);
    assert_eq!((repeated.repeated, repeated.epoch), (true, 1));
    let next = record.apply(repeated.epoch, &set("2"), now);
    assert!(matches!(next, Applying::Answer(Outcome::Gone(_))), "{next:?}");

    // The sign-in itself gets what it gave, whoever came after it.
    assert_eq!(answered(&record, 1, &sign_in).epoch, 2);
    let record = stored(&record, 2, &renewing(&record));
    assert_eq!(answered(&record, 1, &sign_in).epoch, 2);
    assert_eq!(record.meta.epoch, 3);
}
