//! Run with: cargo run -p session-examples --example two_schemas
//!
//! Two parts of a program, each with its own schema, share one session: one
//! cookie, one record, one sign-out. The `namespace` separates the two fields
//! called `theme`. `same_record!` checks at compile time that no fields
//! collide: remove the namespace to see the error.

use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use session_runtime::store::MemoryStore;
use session_runtime::{Session, SessionLayer, SessionSchema, same_record};

#[derive(SessionSchema)]
struct Shop {
    #[session(principal)]
    user: Option<String>,
    #[session(default = "colourful")]
    theme: String,
}

/// Stored as `forum:theme` and `forum:draft`.
#[derive(SessionSchema)]
#[session(namespace = "forum")]
struct Forum {
    #[session(default = 12)]
    theme: u8,
    #[session(clear_on_login)]
    draft: Option<String>,
}

same_record!(Shop, Forum);

async fn shop(mut shop: Session<Shop>) -> Redirect {
    shop.set_theme("plain");
    Redirect::to("/")
}

/// Uses the forum's fields only.
async fn forum(mut forum: Session<Forum>) -> Redirect {
    forum.set_theme(forum.theme() + 1);
    forum.set_draft("I think that");
    Redirect::to("/")
}

/// A sign-in affects the whole session: it also removes the forum's draft.
async fn sign_in(mut shop: Session<Shop>) -> Redirect {
    shop.set_user("ann");
    Redirect::to("/")
}

async fn sign_out(mut shop: Session<Shop>) -> Redirect {
    shop.destroy();
    Redirect::to("/")
}

async fn home(shop: Session<Shop>, forum: Session<Forum>) -> Html<String> {
    Html(format!(
        "<p>shop: user {:?}, theme {:?}<p>forum: theme {}, draft {:?}<form method=post>
        <button formaction=/shop>Shop</button> <button formaction=/forum>Forum</button>
        <button formaction=/sign-in>Sign in</button> <button formaction=/sign-out>Sign out</button>",
        shop.user(),
        shop.theme(),
        forum.theme(),
        forum.draft(),
    ))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // For plain http on your own machine. Leave this call out behind https.
    let sessions = SessionLayer::new(MemoryStore::new()).insecure_for_development();
    let app = axum::Router::new()
        .route("/", get(home))
        .route("/shop", post(shop))
        .route("/forum", post(forum))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .layer(sessions.schema::<Shop>().schema::<Forum>());
    axum::serve(session_examples::listen().await, app).await
}

#[cfg(test)]
#[path = "tests/two_schemas.rs"]
mod tests;
