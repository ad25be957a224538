//! Run with: cargo run -p session-examples --example two_schemas
//!
//! Two parts of a program, each with a schema of its own, on one session: one
//! cookie, one record, one sign-out. The `namespace` keeps `theme` and `theme`
//! apart, and `same_record!` says at compile time that nothing else collides:
//! take the namespace away and see.

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

/// Knows nothing of the shop.
async fn forum(mut forum: Session<Forum>) -> Redirect {
    forum.set_theme(forum.theme() + 1);
    forum.set_draft("I think that");
    Redirect::to("/")
}

/// Signing in is for the whole session: the forum's draft goes, too.
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
    // Plain http, on this machine alone; without this line cookies need https.
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
