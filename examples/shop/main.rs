//! A small shop that shows what typed sessions do, and survives `kill -9`.
//!
//! Run it with `cargo run -p session-examples`, and read it in this order:
//! `session.rs` (what is stored), `routes.rs` (routes and layers),
//! `checkout.rs` (how an order is placed once), `handlers/` (what each request
//! does), `demo/` (what two tabs do at once).

mod catalogue;
mod checkout;
mod demo;
mod device;
mod handlers;
mod options;
mod pages;
mod routes;
mod session;
mod texts;

use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use session_runtime::AtLimit;
use session_runtime::SessionLayer;
use session_runtime::store::AnyStore;
use tokio::net::TcpListener;

use crate::options::{Asked, HELP, Options};
use crate::session::Visitor;

/// Renews tokens at this interval, so that a stolen one soon stops working.
const TOKEN_AGE: Duration = Duration::from_secs(15 * 60);

/// At this limit, another sign-in ends the user's oldest session.
const MOST_DEVICES: u32 = 5;

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Options::read() {
        Ok(Asked::Serve(options)) => serve(&options).await,
        Ok(Asked::Help) => {
            print!("{HELP}");
            Ok(())
        }
        Err(problem) => Err(problem),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("shop: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: &Options) -> Result<(), String> {
    // The port first: if you start a second shop by mistake, the error should be
    // about the port, not about the first shop's file.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
        .await
        .map_err(|error| about_port(options.port, &error))?;
    let port = listener.local_addr().map_err(|error| error.to_string())?.port();
    let store = AnyStore::connect(&options.store).await.map_err(|error| about_store(&error))?;

    // Names the schema, so that `check` below covers it.
    let mut sessions = SessionLayer::new(store)
        .schema::<Visitor>()
        .renew_after(TOKEN_AGE)
        .max_sessions(MOST_DEVICES, AtLimit::EvictOldest)
        .login_redirect("/#account");
    if !options.strict_cookie {
        // `__Host-` cookies need https. Chromium and Firefox make an exception
        // for localhost, Safari does not, and the demo must work in all of them.
        // Use this call only for plain http on your own machine.
        sessions = sessions.insecure_for_development();
    }
    sessions.check().map_err(|error| error.to_string())?;

    greet(options, port);
    axum::serve(listener, routes::app(sessions))
        .with_graceful_shutdown(stop_signal())
        .await
        .map_err(|error| format!("the server stopped: {error}"))?;
    println!("\nThe shop is closed. Everyone is still signed in when you open it again.");
    Ok(())
}

fn greet(options: &Options, port: u16) {
    let kept = match options.store.strip_prefix("sqlite:") {
        Some(file) => format!("in the file {file}; delete it to remove all sessions"),
        None => format!("in {} while the shop is open", options.store),
    };
    let cookie = if options.strict_cookie {
        "__Host-session; a browser that refuses it on plain http cannot sign in"
    } else {
        "session, in development mode (plain http)"
    };
    println!("The shop is open at  http://127.0.0.1:{port}");
    println!("  sessions  {kept}");
    println!("  cookie    {cookie}");
    println!("  stop      Ctrl-C, or even kill -9: everyone stays signed in");
}

fn about_port(port: u16, error: &io::Error) -> String {
    let other = if port < u16::MAX { port + 1 } else { 3000 };
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {port} is taken by another program, perhaps another shop: stop that one, or run `shop --port {other}`"
        ),
        io::ErrorKind::PermissionDenied => format!(
            "port {port} needs administrator rights: choose one above 1023, such as `shop --port 3000`"
        ),
        _ => format!("cannot listen on 127.0.0.1:{port}: {error}"),
    }
}

fn about_store(error: &dyn Error) -> String {
    let mut text = format!("cannot open the session store: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text + "; choose another one with `shop --store sqlite:some-file.db`, or keep sessions in memory with `shop --store memory:`"
}

/// Waits for Ctrl-C or the signal that service managers send.
async fn stop_signal() {
    let ctrl_c = async {
        // If no handler can be installed, the default action still ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    };
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signals) => signals.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<Option<()>>();
    tokio::select! {
        () = ctrl_c => {}
        _ = terminate => {}
    }
}
