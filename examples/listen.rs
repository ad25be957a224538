//! Shared by the examples that serve pages.

use std::net::Ipv4Addr;

use tokio::net::TcpListener;

/// Listens on 127.0.0.1, on port 3000 or the port in `PORT`, and prints the
/// address. If that fails, prints the reason in one line and ends the program.
pub async fn listen() -> TcpListener {
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    match bind(&port).await {
        Ok(listener) => listener,
        Err(problem) => {
            eprintln!(
                "cannot listen on port {port}: {problem}; try another one, `PORT=3001 cargo run …`"
            );
            std::process::exit(1)
        }
    }
}

async fn bind(port: &str) -> Result<TcpListener, String> {
    let number: u16 = port.parse().map_err(|_| "that is no number up to 65535".to_owned())?;
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).await;
    let listener = bound.map_err(|error| error.to_string())?;
    println!("http://{}", listener.local_addr().map_err(|error| error.to_string())?);
    Ok(listener)
}
