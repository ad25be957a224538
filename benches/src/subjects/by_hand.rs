//! A cookie jar and a map of typed structs: no expiry, no hashing, no
//! conflicts, no error handling.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dashmap::DashMap;

use crate::shape::{Shape, next_user};

const NAME: &str = "__Host-session";

type Sessions<S> = Arc<DashMap<String, S>>;

/// The service.
pub fn router<S: Shape>() -> Router {
    Router::new()
        .route("/ignore", get(|| async { "ok" }))
        .route("/read", get(read::<S>))
        .route("/change", get(change::<S>))
        .route("/login", get(login::<S>))
        .route("/renew", get(renew::<S>))
        .with_state(Sessions::<S>::default())
}

async fn read<S: Shape>(State(sessions): State<Sessions<S>>, jar: CookieJar) -> String {
    let cookie = jar.get(NAME).expect("signed in");
    let mut session = sessions.get_mut(cookie.value()).expect("stored");
    session.visits_mut().to_string()
}

async fn change<S: Shape>(State(sessions): State<Sessions<S>>, jar: CookieJar) -> String {
    let cookie = jar.get(NAME).expect("signed in");
    let mut session = sessions.get_mut(cookie.value()).expect("stored");
    *session.visits_mut() += 1;
    session.visits_mut().to_string()
}

async fn login<S: Shape>(
    State(sessions): State<Sessions<S>>,
    jar: CookieJar,
) -> (CookieJar, &'static str) {
    let (id, cookie) = new_id();
    sessions.insert(id, S::of(next_user()));
    (jar.add(cookie), "ok")
}

async fn renew<S: Shape>(
    State(sessions): State<Sessions<S>>,
    jar: CookieJar,
) -> (CookieJar, &'static str) {
    let old = jar.get(NAME).expect("signed in");
    let (_, session) = sessions.remove(old.value()).expect("stored");
    let (id, cookie) = new_id();
    sessions.insert(id, session);
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
