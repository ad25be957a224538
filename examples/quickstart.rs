//! Run with: cargo run -p session-examples --example quickstart
//!
//! Then open <http://127.0.0.1:3000> in several tabs.

use axum::response::Redirect;
use axum::routing::get;
use axum::{Router, response::Html};
use session_runtime::store::MemoryStore;
use session_runtime::{Session, SessionLayer, SessionSchema};

#[derive(SessionSchema)]
struct Visitor {
    #[session(counter)]
    visits: u64,
    #[session(default = "blue")]
    colour: String,
}

/// Counts every GET, so even a crawler gets a session. A page that only reads stores nothing.
async fn home(mut session: Session<Visitor>) -> Html<String> {
    session.add_visits(1);
    let (visits, colour) = (session.visits(), session.colour());
    let button = r#"<form method="post"><button>Another colour</button></form>"#;
    Html(format!(r#"<h1 style="color: {colour}">{visits} visits</h1>{button}"#))
}

async fn change(mut session: Session<Visitor>) -> Redirect {
    session.set_colour(if session.colour() == "blue" { "teal" } else { "blue" });
    Redirect::to("/")
}

fn app(sessions: SessionLayer) -> Router {
    Router::new().route("/", get(home).post(change)).layer(sessions)
}

#[tokio::main]
async fn main() -> Result<(), String> {
    // For plain http on your own machine. Leave this call out behind https.
    let sessions = SessionLayer::new(MemoryStore::new()).insecure_for_development();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000");
    let listener = listener.await.map_err(|error| format!("port 3000: {error}"))?;
    println!("http://127.0.0.1:3000");
    axum::serve(listener, app(sessions)).await.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use session_runtime::testing::TestSession;

    use super::*;

    #[tokio::test]
    async fn two_tabs_at_once_lose_nothing() {
        let t = TestSession::<Visitor>::new();
        let _ = home(t.session()).await;
        let (one, two, three) = (t.session(), t.session(), t.session());
        let _ = (home(one).await, change(two).await, home(three).await);
        assert_eq!((t.session().visits(), t.session().colour()), (3, "teal"));
    }
}
