//! What one writes without a library: a cookie jar, and typed structs under
//! random keys. No hashing, no conflicts, no error handling.

pub mod json;
pub mod map;
pub mod redis;
pub mod sql;
pub mod sqlite;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub use map::Map;

use crate::shape::{Shape, next_user};

const NAME: &str = "__Host-session";

/// Where the structs are.
pub trait Structs<S>: Clone + Send + Sync + 'static {
    /// Returns the one field.
    fn read(&mut self, key: &str) -> impl Future<Output = u32> + Send;
    /// Changes the one field and returns it.
    fn change(&mut self, key: &str) -> impl Future<Output = u32> + Send;
    /// Stores a struct under a new key.
    fn insert(&mut self, key: &str, value: S) -> impl Future<Output = ()> + Send;
    /// Moves a struct to a new key.
    fn rename(&mut self, old: &str, new: &str) -> impl Future<Output = ()> + Send;
}

/// The service.
pub fn router<S: Shape, T: Structs<S>>(structs: T) -> Router {
    Router::new()
        .route("/ignore", get(|| async { "ok" }))
        .route("/read", get(read::<S, T>))
        .route("/change", get(change::<S, T>))
        .route("/login", get(login::<S, T>))
        .route("/renew", get(renew::<S, T>))
        .with_state(structs)
}

fn key(jar: &CookieJar) -> &str {
    jar.get(NAME).expect("signed in").value()
}

async fn read<S: Shape, T: Structs<S>>(State(mut structs): State<T>, jar: CookieJar) -> String {
    structs.read(key(&jar)).await.to_string()
}

async fn change<S: Shape, T: Structs<S>>(State(mut structs): State<T>, jar: CookieJar) -> String {
    structs.change(key(&jar)).await.to_string()
}

async fn login<S: Shape, T: Structs<S>>(
    State(mut structs): State<T>,
    jar: CookieJar,
) -> (CookieJar, &'static str) {
    let cookie = new_cookie();
    structs.insert(cookie.value(), S::of(next_user())).await;
    (jar.add(cookie), "ok")
}

async fn renew<S: Shape, T: Structs<S>>(
    State(mut structs): State<T>,
    jar: CookieJar,
) -> (CookieJar, &'static str) {
    let cookie = new_cookie();
    structs.rename(key(&jar), cookie.value()).await;
    (jar.add(cookie), "ok")
}

// The rule that this skips is for the toolkit itself.
#[allow(clippy::disallowed_methods)]
fn new_cookie() -> Cookie<'static> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("random bytes");
    Cookie::build((NAME, URL_SAFE_NO_PAD.encode(bytes)))
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .build()
}
