//! Run with `cargo run -p session-examples --example quickstart`, then open
//! <http://127.0.0.1:3000> in several tabs.

use axum::response::Redirect;
use axum::routing::{get, post};
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

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // Plain http, on this machine alone; without this line cookies need https.
    let sessions = SessionLayer::new(MemoryStore::new()).insecure_for_development();
    let app = Router::new().route("/", get(home)).route("/", post(change)).layer(sessions);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, app).await
}
