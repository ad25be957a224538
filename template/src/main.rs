use std::error::Error;
use std::net::Ipv4Addr;

use app::users::Users;
use session_runtime::store::AnyStore;
use tokio::net::TcpListener;

/// Users and sessions, unless `REDIS_URL` says where sessions live.
const FILE: &str = "data.db";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let users = Users::open(FILE)?;
    let store = match std::env::var("REDIS_URL") {
        Ok(url) => AnyStore::connect(&url).await?,
        Err(_) => AnyStore::connect("sqlite:sessions.db").await?,
    };
    let mut sessions = app::sessions(store.clone());
    if std::env::var_os("INSECURE").is_some() {
        // Plain http on this machine: browsers do not keep a `Secure` cookie there.
        sessions = sessions.insecure_for_development();
    }
    let app = app::app(sessions, users)?;
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    store.close().await?;
    Ok(())
}
