//! The token is in the cookie and nowhere else; what a session holds is in no log either.

mod failures;
mod settings;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use session_runtime::store::SqliteStore;
use session_runtime::{Realm, Session, SessionLayer};
use session_tests::Client;
use session_tests::stores::memory;
use session_tests::traced::Traced;

use crate::visitor::Visitor;

#[tokio::test]
async fn no_token_is_traced_printed_or_told_in_an_error() {
    let traced = Traced::start();
    let printed: Arc<Mutex<String>> = Arc::default();
    let under = memory();
    let layer = SessionLayer::new(under.store.clone());
    let print = {
        let (printed, layer) = (Arc::clone(&printed), layer.clone());
        move |s: Session<Visitor>, request: axum::extract::Request| async move {
            let manager = layer.manager();
            let all = manager.sessions_of(&42_u64).await;
            printed.lock().unwrap().push_str(&format!(
                "{s:?} {layer:?} {manager:?} {all:?} {:?}",
                request.extensions()
            ));
        }
    };
    let app = Router::new()
        .route("/in", post(|mut s: Session<Visitor>| async move { s.set_user_id(42) }))
        .route("/print", get(print))
        .route("/out", post(|mut s: Session<Visitor>| async move { s.destroy() }))
        .layer(layer);
    let mut client = Client::new(&app);
    let mut tokens = Vec::new();
    for _ in 0..3 {
        client.post("/in").await;
        tokens.push(client.token().unwrap().to_owned());
        client.get("/print").await;
    }
    let late = client.tab();
    client.post("/out").await;
    late.clone().get("/print").await;
    let text = traced.text() + &printed.lock().unwrap();
    assert!(text.contains("session created") && text.contains("Session {"), "{text}");
    for token in tokens {
        // The first 22 characters are the public id, the last of them shared
        // with the secret.
        let secret = &token[22..];
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn a_dump_of_the_store_does_not_hold_the_secret() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let app = Router::new()
        .route("/in", post(|mut s: Session<Visitor>| async move { s.set_user_id(42) }))
        .layer(SessionLayer::new(store));
    let mut client = Client::new(&app);
    client.post("/in").await;
    let token = client.token().unwrap().to_owned();
    client.post("/in").await;
    let raw = session_runtime::__private::token::SessionToken::parse(&token).unwrap();
    let hash = raw.secret_hash(&Realm::default());
    // Id and secret have sixteen bytes each, in one text of base64.
    let secret = URL_SAFE_NO_PAD.decode(&token).unwrap()[16..].to_vec();
    let mut dump = Vec::new();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        dump.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let holds = |needle: &[u8]| dump.windows(needle.len()).any(|window| window == needle);
    assert!(holds(raw.id().to_string().as_bytes()), "the id is there");
    let in_base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes).into_bytes();
    assert!(holds(&in_base64(hash.as_bytes())), "and the hash");
    assert!(!holds(token.as_bytes()) && !holds(&token.as_bytes()[22..]));
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    for form in [secret.clone(), in_base64(&secret), hex.into_bytes()] {
        assert!(!holds(&form), "{form:?}");
        // A column or a hash may cut it.
        assert!(!holds(&form[..form.len() / 2]), "{form:?}");
    }
}
