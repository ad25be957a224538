//! Run with: cargo run -p session-examples --example checkout
//!
//! Three forms over one session. The address is removed after ten minutes (`ttl`)
//! and at sign-in, because another person may have left it (`clear_on_login`).
//! A `transaction` spends the visitor's last voucher. (A stock that visitors
//! share belongs in a database.) The order is written once *per session*: a shop that takes
//! more than one, as `shop/checkout.rs` does, numbers its orders with a counter instead.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::Form;
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use session_runtime::store::MemoryStore;
use session_runtime::{Session, SessionError, SessionLayer, SessionSchema};

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<String>,
    #[session(ttl = "10m", clear_on_login)]
    address: Option<String>,
    #[session(default = 1)]
    vouchers: u32,
    #[session(counter)]
    discount: u64,
    #[session(write_once)]
    order: Option<u64>,
}

#[derive(serde::Deserialize)]
struct Address {
    address: String,
}

async fn address(mut session: Session<Visitor>, Form(form): Form<Address>) -> Redirect {
    session.set_address(form.address);
    Redirect::to("/")
}

/// If two tabs do this at once, the closure of one runs again and finds none left.
async fn voucher(mut session: Session<Visitor>) -> Result<Redirect, SessionError> {
    session
        .transaction(|session| {
            if session.vouchers() > 0 {
                session.set_vouchers(session.vouchers() - 1);
                session.add_discount(5);
            }
        })
        .await?;
    Ok(Redirect::to("/"))
}

async fn order(mut session: Session<Visitor>) -> Result<Redirect, SessionError> {
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    if session.address().is_some() {
        session.set_order(NUMBERS.fetch_add(1, Ordering::Relaxed));
        match session.save().await {
            // A double click or a second tab: the first number is kept.
            Ok(()) | Err(SessionError::AlreadySet { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Redirect::to("/"))
}

async fn sign_in(mut session: Session<Visitor>) -> Redirect {
    session.set_user("ann");
    Redirect::to("/")
}

async fn home(session: Session<Visitor>) -> Html<String> {
    let (address, left) = (session.address().is_some(), session.vouchers());
    let (discount, order) = (session.discount(), session.order());
    Html(format!(
        r#"<p>address: {address}, vouchers: {left}, discount: {discount}, order: {order:?}
        <form method=post action=/address>1. <input name=address required>
        <button>Deliver there</button></form>
        <form method=post>2. <button formaction=/voucher>Use a voucher</button>
        3. <button formaction=/order>Order</button>
        <button formaction=/sign-in>Sign in</button></form>"#
    ))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // For plain http on your own machine. Leave this call out behind https.
    let sessions = SessionLayer::new(MemoryStore::new()).insecure_for_development();
    let app = axum::Router::new()
        .route("/", get(home))
        .route("/address", post(address))
        .route("/voucher", post(voucher))
        .route("/order", post(order))
        .route("/sign-in", post(sign_in))
        .layer(sessions);
    axum::serve(session_examples::listen().await, app).await
}

#[cfg(test)]
#[path = "tests/checkout.rs"]
mod tests;
