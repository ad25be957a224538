//! Run with: cargo run --manifest-path examples/leptos/Cargo.toml

use session_runtime::{SessionLayer, store::MemoryStore};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // Plain http on this machine; without this line cookies need https.
    let sessions = SessionLayer::new(MemoryStore::new()).insecure_for_development();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, session_leptos::app(sessions)).await
}
