//! Levels of authentication: what a handler asks for beyond a signed-in user.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::{Method, StatusCode, header};
use session_runtime::store::CachedStore;
use session_runtime::testing::TestSession;
use session_runtime::{
    Authenticated, AuthenticatedRejection, Fresh, Level, Session, SessionLayer, SessionSchema,
    Transports,
};
use session_tests::Client;
use session_tests::stores::{Under, all, memory};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    #[session(renew, clear_on_login, ttl = "8h")]
    second_factor: bool,
}

type Handle = Session<Visitor>;
type Strong = Authenticated<Visitor, SecondFactor>;
type Strongest = Authenticated<Visitor, (SecondFactor, Fresh<300>)>;

struct SecondFactor;

impl Level<Visitor> for SecondFactor {
    fn missing(session: &Handle) -> Option<&'static str> {
        (!session.second_factor()).then_some("second-factor")
    }
}

const MINUTE: Duration = Duration::from_secs(60);

fn layer(under: &Under) -> SessionLayer {
    let layer = SessionLayer::new(under.store.clone()).schema::<Visitor>();
    layer.idle_timeout(None).login_redirect("/login")
}

fn app(layer: SessionLayer) -> Router {
    let optional = async |who: Option<Strong>| format!("{:?}", who.map(|who| *who.principal()));
    let partly = async |who: Authenticated<Visitor>| who.at_level::<SecondFactor>().map(|_| ());
    Router::new()
        .route("/login", get(async |mut s: Handle| s.set_user(7)))
        .route("/logout", get(async |mut s: Handle| s.clear_user()))
        .route("/prove", get(async |mut who: Authenticated<Visitor>| who.set_second_factor(true)))
        .route("/again", get(async |mut who: Authenticated<Visitor>| who.reauthenticated()))
        .route("/strong", get(async |who: Strong| who.principal().to_string()))
        .route("/strongest", get(async |who: Strongest| who.principal().to_string()))
        .route("/proved", get(async |s: Handle| s.second_factor().to_string()))
        .route("/optional", get(optional))
        .route("/partly", get(partly))
        .layer(layer)
}

/// The proof that a page asks for, or its text.
async fn open(client: &mut Client, path: &str) -> Result<String, String> {
    let reply = client.get(path).await;
    match reply.headers.get(header::LOCATION) {
        Some(to) => Err(to.to_str().unwrap().to_owned()),
        None => Ok(reply.body),
    }
}

fn proof(path: &str, name: &str) -> Result<String, String> {
    Err(format!("/login?next={path}&proof={name}"))
}

#[tokio::test]
async fn a_proof_counts_from_when_it_is_given_until_it_expires() {
    for under in all().await {
        let app = app(layer(&under));
        let mut client = Client::new(&app);
        assert_eq!(open(&mut client, "/strong").await, Err("/login?next=/strong".to_owned()));
        client.get("/login").await;
        assert_eq!(open(&mut client, "/strong").await, proof("/strong", "second-factor"));
        assert_eq!(open(&mut client, "/strongest").await, proof("/strongest", "second-factor"));
        let token = client.token().map(str::to_owned);
        client.get("/prove").await;
        assert_ne!(
            client.token().map(str::to_owned),
            token,
            "{}: a proof is a privilege",
            under.name
        );
        assert_eq!(open(&mut client, "/strong").await.as_deref(), Ok("7"));
        assert_eq!(open(&mut client, "/strongest").await.as_deref(), Ok("7"));

        under.clock.advance(6 * MINUTE);
        assert_eq!(open(&mut client, "/strong").await.as_deref(), Ok("7"), "{}", under.name);
        assert_eq!(open(&mut client, "/strongest").await, proof("/strongest", "fresh"));
        client.get("/again").await;
        assert_eq!(open(&mut client, "/strongest").await.as_deref(), Ok("7"));

        under.clock.advance(8 * 60 * MINUTE);
        assert_eq!(open(&mut client, "/strong").await, proof("/strong", "second-factor"));
    }
}

#[tokio::test]
async fn a_proof_ends_with_the_sign_in_that_it_belongs_to() {
    for under in all().await {
        let app = app(layer(&under));
        for leave in [&["/login"][..], &["/logout", "/login"]] {
            let mut client = Client::new(&app);
            for path in ["/login", "/prove"] {
                client.get(path).await;
            }
            assert_eq!(open(&mut client, "/strong").await.as_deref(), Ok("7"));
            for path in leave {
                client.get(path).await;
            }
            let now = open(&mut client, "/strong").await;
            assert_eq!(now, proof("/strong", "second-factor"), "{}", under.name);
        }
    }
}

#[tokio::test]
async fn a_script_and_a_program_learn_which_proof_is_missing() {
    let under = memory();
    let app = app(layer(&under).transports(Transports::Both));
    let mut client = Client::new(&app);
    client.get("/login").await;
    let by_script = [("sec-fetch-mode", "cors")];
    for (path, name) in [("/strong", "second-factor"), ("/strongest", "second-factor")] {
        let reply = client.ask_with(Method::GET, path, &by_script).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        assert_eq!(reply.body, format!("proof required: {name}"));
        // RFC 9470, section 3.
        let challenge =
            format!("Bearer error=\"insufficient_user_authentication\", acr_values=\"{name}\"");
        assert_eq!(reply.headers[header::WWW_AUTHENTICATE], challenge);
    }
    // Without the redirect, as a part of a handler that asks for more than the rest of it.
    let reply = client.get("/partly").await;
    assert_eq!(
        (reply.status, &*reply.body),
        (StatusCode::UNAUTHORIZED, "proof required: second-factor")
    );
    assert_eq!(client.get("/optional").await.body, "None");
    client.get("/prove").await;
    assert_eq!(client.get("/optional").await.body, "Some(7)");
    assert_eq!(client.get("/partly").await.status, StatusCode::OK);
    under.clock.advance(6 * MINUTE);
    let reply = client.ask_with(Method::GET, "/strongest", &by_script).await;
    assert_eq!(reply.body, "proof required: fresh");
}

/// A cached record may be older than the loss of a proof.
#[tokio::test]
async fn a_level_is_that_of_the_store() {
    let under = memory();
    let cached = CachedStore::new(under.store.clone()).stale_for(60 * MINUTE);
    let cached = app(SessionLayer::new(cached).schema::<Visitor>());
    let mut client = Client::new(&cached);
    for path in ["/login", "/prove"] {
        client.get(path).await;
    }
    assert_eq!(client.get("/proved").await.body, "true");
    assert_eq!(client.get("/strong").await.body, "7");
    let elsewhere = layer(&under).manager_for::<Visitor>().unwrap();
    elsewhere.update(&7, |s| s.set_second_factor(false)).await.unwrap();
    assert_eq!(client.ask(Method::GET, "/proved").await.body, "true", "from the cache");
    assert_eq!(client.get("/strong").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_test_calls_a_handler_with_its_level() {
    async fn transfer(who: Strong) -> u64 {
        *who.principal()
    }
    let t = TestSession::<Visitor>::new().signed_in_as(7);
    let refused = t.authenticated().at_level::<SecondFactor>().unwrap_err();
    let is = AuthenticatedRejection::ProofRequired { proof: "second-factor", login: None };
    assert_eq!(format!("{refused:?}"), format!("{is:?}"));
    assert_eq!(refused.to_string(), "the proof `second-factor` is required");
    t.session().set_second_factor(true);
    assert_eq!(transfer(t.authenticated().at_level().unwrap()).await, 7);
}
