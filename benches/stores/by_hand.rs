//! What one writes without a library: the whole struct as JSON under a random
//! key, `GET` and `SET … EX`. No hash, no conflict, no error handling.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redis::aio::MultiplexedConnection;
use session_benches::shape::{Shape, next_user};

const NAME: &str = "__Host-session";
const SECONDS: u32 = 1_800;

/// One connection for all requests, as the other columns have it.
pub(crate) async fn router<S: Shape + 'static>(url: &str) -> Router {
    let client = redis::Client::open(url).expect("a URL");
    let server = client.get_multiplexed_async_connection().await.expect("it runs");
    Router::new()
        .route("/ignore", get(|| async { "ok" }))
        .route("/read", get(read::<S>))
        .route("/change", get(change::<S>))
        .route("/login", get(login::<S>))
        .route("/renew", get(renew))
        .with_state(server)
}

fn key(jar: &CookieJar) -> &str {
    jar.get(NAME).expect("signed in").value()
}

async fn load<S: Shape>(server: &mut MultiplexedConnection, key: &str) -> S {
    let json: Vec<u8> = redis::cmd("GET").arg(key).query_async(server).await.expect("answered");
    serde_json::from_slice(&json).expect("decodes")
}

async fn save<S: Shape>(server: &mut MultiplexedConnection, key: &str, session: &S) {
    let json = serde_json::to_vec(session).expect("encodes");
    let mut set = redis::cmd("SET");
    set.arg(key).arg(json).arg("EX").arg(SECONDS);
    set.query_async::<()>(server).await.expect("answered");
}

async fn read<S: Shape>(State(mut server): State<MultiplexedConnection>, jar: CookieJar) -> String {
    load::<S>(&mut server, key(&jar)).await.visits_mut().to_string()
}

async fn change<S: Shape>(
    State(mut server): State<MultiplexedConnection>,
    jar: CookieJar,
) -> String {
    let mut session = load::<S>(&mut server, key(&jar)).await;
    *session.visits_mut() += 1;
    save(&mut server, key(&jar), &session).await;
    session.visits_mut().to_string()
}

async fn login<S: Shape>(
    State(mut server): State<MultiplexedConnection>,
    jar: CookieJar,
) -> (CookieJar, &'static str) {
    let (id, cookie) = new_id();
    save(&mut server, &id, &S::of(next_user())).await;
    (jar.add(cookie), "ok")
}

async fn renew(
    State(mut server): State<MultiplexedConnection>,
    jar: CookieJar,
) -> (CookieJar, &'static str) {
    let (id, cookie) = new_id();
    let mut rename = redis::cmd("RENAME");
    rename.arg(key(&jar)).arg(&id).query_async::<()>(&mut server).await.expect("answered");
    (jar.add(cookie), "ok")
}

// The rule that this skips is for the toolkit itself.
#[allow(clippy::disallowed_methods)]
fn new_id() -> (String, Cookie<'static>) {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("random bytes");
    let id = URL_SAFE_NO_PAD.encode(bytes);
    let cookie = Cookie::build((NAME, id.clone()))
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .build();
    (id, cookie)
}
