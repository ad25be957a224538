//! Run with: cargo run -p session-examples --example two_kinds_of_users
//!
//! Customers and administrators have a layer and a cookie each, and share one store.
//! Customer 42 is not administrator 42: what a layer creates belongs to its realm, by
//! default the cookie's name, and is unknown in the other realm. To see that, put one
//! cookie's value under the other cookie's name.
//!
//! The shop page uses both sessions, to show an administrator's number. Each layer
//! names its schema, so each extractor gets the right session.
//!
//! If another customer signs in in the same browser, they get a new session that keeps
//! only the language.
//!
//! With `SESSION_KEYS=$(openssl rand -base64 32)` the tokens are signed as well.

use axum::extract::Form;
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use session_runtime::keys::KeyRing;
use session_runtime::store::{MemoryStore, SessionStore};
use session_runtime::{Authenticated, Session, SessionLayer, SessionSchema};
use session_runtime::{CookieConfig, SetupError};

#[derive(SessionSchema)]
struct Customer {
    #[session(principal)]
    number: Option<u64>,
    #[session(carry_over, default = "en")]
    language: String,
    cart: Vec<String>,
}

#[derive(SessionSchema)]
struct Administrator {
    #[session(principal)]
    number: Option<u64>,
}

#[derive(serde::Deserialize)]
struct Login {
    number: u64,
}

async fn shop(
    customer: Session<Customer>,
    administrator: Option<Authenticated<Administrator>>,
) -> Html<String> {
    let bar = administrator.map(|who| format!("<p>You are administrator {}.", who.principal()));
    Html(format!(
        r#"{}<p>Customer {:?}, {} things, in {}. <a href=/admin>Administration</a>
        <form method=post action=/sign-in><input name=number value=42> <button>Sign in</button>
        </form> <form method=post><button formaction=/add>Add a pen</button>
        <button formaction=/language>Deutsch</button></form>"#,
        bar.unwrap_or_default(),
        customer.number(),
        customer.cart().len(),
        customer.language(),
    ))
}

/// Check a password here. If another customer was signed in before, the new session
/// contains none of their data.
async fn sign_in(mut customer: Session<Customer>, Form(login): Form<Login>) -> Redirect {
    customer.set_number(login.number);
    Redirect::to("/")
}

async fn add(mut customer: Session<Customer>) -> Redirect {
    customer.cart_mut().push("pen".to_owned());
    Redirect::to("/")
}

async fn language(mut customer: Session<Customer>) -> Redirect {
    customer.set_language("de");
    Redirect::to("/")
}

async fn administration(who: Authenticated<Administrator>) -> String {
    format!("Administrator {}", who.principal())
}

async fn admin_sign_in(mut admin: Session<Administrator>, Form(login): Form<Login>) -> Redirect {
    admin.set_number(login.number);
    Redirect::to("/admin")
}

fn layers(
    store: impl SessionStore + Clone,
    keys: Option<KeyRing>,
) -> Result<[SessionLayer; 2], SetupError> {
    let layer = || {
        let layer = SessionLayer::new(store.clone());
        match &keys {
            Some(keys) => layer.keys(keys.clone()).sign_tokens(),
            None => layer,
        }
    };
    let cookie = CookieConfig::builder().name("admin").build()?;
    Ok([layer().schema::<Customer>(), layer().cookie(cookie).schema::<Administrator>()])
}

fn app([customers, administrators]: [SessionLayer; 2]) -> axum::Router {
    axum::Router::new()
        .route("/", get(shop))
        .route("/sign-in", post(sign_in))
        .route("/add", post(add))
        .route("/language", post(language))
        .route("/admin", get(administration))
        .route("/admin/sign-in", post(admin_sign_in))
        .layer(customers)
        .layer(administrators)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keys = std::env::var("SESSION_KEYS").ok().map(|keys| keys.parse()).transpose()?;
    // For plain http on your own machine. Leave this call out behind https.
    let layers = layers(MemoryStore::new(), keys)?.map(SessionLayer::insecure_for_development);
    Ok(axum::serve(session_examples::listen().await, app(layers)).await?)
}

#[cfg(test)]
#[path = "tests/two_kinds_of_users.rs"]
mod tests;
