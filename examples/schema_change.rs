//! Run with: cargo run -p session-examples --example schema_change
//!
//! Open <http://127.0.0.1:3000>, then <http://127.0.0.1:3000/next>, then the first again.
//!
//! The struct of a released version, and that of the next one. What does a visitor
//! see who returns with a session that the released version stored?

use axum::Router;
use axum::routing::get;
use session_runtime::store::MemoryStore;
use session_runtime::{Session, SessionLayer};

mod released {
    #[derive(session_runtime::SessionSchema)]
    pub(crate) struct Visitor {
        pub(crate) basket: Vec<String>,
        pub(crate) page_size: String,
        pub(crate) locale: String,
    }
}

mod next {
    #[derive(session_runtime::SessionSchema)]
    pub(crate) struct Visitor {
        /// Renamed: values under the old name are still read.
        #[session(alias = "basket")]
        pub(crate) cart: Vec<String>,
        /// Another type: text does not decode as a number, so the field reads as its
        /// default. The text stays until the field is set.
        #[session(default = 20)]
        pub(crate) page_size: u32,
        /// New: reads as its default.
        pub(crate) theme: Option<String>,
        // `locale` was removed: stored values stay, unread.
    }
}

/// Stores values on the first visit. A later visit may follow a rollback.
async fn released(mut session: Session<released::Visitor>) -> String {
    if session.is_new() {
        session.set_basket(vec!["pen".into()]);
        session.set_page_size("fifty");
        session.set_locale("de");
    }
    let (basket, size, locale) = (session.basket(), session.page_size(), session.locale());
    format!("released: basket {basket:?}, page size {size:?}, locale {locale:?}")
}

async fn next(session: Session<next::Visitor>) -> String {
    let (cart, size, theme) = (session.cart(), session.page_size(), session.theme());
    format!("next: cart {cart:?}, page size {size}, theme {theme:?}")
}

/// Two releases would be two processes on one store. Here they are two layers.
fn app(layer: impl Fn() -> SessionLayer) -> Router {
    let released = Router::new().route("/", get(released)).layer(layer());
    let next = Router::new().route("/next", get(next)).layer(layer());
    released.merge(next)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let store = MemoryStore::new();
    // For plain http on your own machine. Leave this call out behind https.
    let layer = || SessionLayer::new(store.clone()).insecure_for_development();
    axum::serve(session_examples::listen().await, app(layer)).await
}

// One line checks all this before you deploy, and after every later change:
//
//     #[test]
//     fn sessions_of_the_released_version_survive() {
//         session_runtime::assert_schema_lock!("session.lock", Visitor);
//     }

#[cfg(test)]
#[path = "tests/schema_change.rs"]
mod tests;
