//! Run with:
//! `cargo run -p session-examples --example move_sessions -- sqlite:shop-sessions.db sqlite:new.db`
//! (for servers add `--features redis`, `postgres` or `mysql`)
//!
//! Moves all live sessions from one store to another, while a service uses both:
//! that service has `MovingStore::new(old, new)` in the place of its store, so
//! that nobody is signed out, and a logout during the move stays a logout. Stop
//! this program whenever you like; started again, it goes on.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use session_runtime::store::{AnyStore, MoveProgress, MovingStore};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let urls: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = urls.as_slice() else {
        eprintln!("usage: move_sessions <url of the old store> <url of the new store>");
        return ExitCode::from(2);
    };
    match move_sessions(from, to).await {
        Ok(progress) => {
            println!("{progress}");
            ExitCode::from(u8::from(progress.too_large > 0))
        }
        Err(error) => {
            // The text of an error says what failed, that of its source why.
            eprint!("{error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprint!(": {cause}");
                source = cause.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

async fn move_sessions(
    from: &str,
    to: &str,
) -> Result<MoveProgress, Box<dyn std::error::Error + Send + Sync>> {
    let store = MovingStore::new(AnyStore::connect(from).await?, AnyStore::connect(to).await?);
    let bar = std::io::stderr().is_terminal();
    let moved = store.move_all(|progress| {
        if bar {
            draw(&progress);
        }
    });
    let progress = moved.await?;
    if bar {
        eprintln!();
    }
    Ok(progress)
}

/// `[=====>         ] 12345 of 40000 sessions moved`
fn draw(progress: &MoveProgress) {
    const WIDTH: u64 = 40;
    let total = progress.total.max(progress.done).max(1);
    let full = (progress.done * WIDTH / total) as usize;
    let mut out = std::io::stderr().lock();
    let _ = write!(out, "\r[{:<width$}] {progress}", "=".repeat(full), width = WIDTH as usize);
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use session_runtime::patch::{Lifetime, SignIn};
    use session_runtime::record::{Fields, Meta, Record};
    use session_runtime::store::{SessionStore, SqliteStore};
    use session_runtime::token::SessionToken;

    use super::*;

    #[tokio::test]
    async fn all_sessions_of_one_file_are_in_the_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let old = SqliteStore::open(path("old.db")).await.unwrap();
        let lifetime =
            Lifetime { idle: Some(Duration::from_secs(60)), absolute: None, remember: false };
        for _ in 0..300 {
            let token = SessionToken::generate().unwrap();
            let meta = Meta::new(token.secret_hash(), old.clock().now(), lifetime);
            let record = Record { id: token.id(), meta, fields: Fields::new() };
            old.create(record, SignIn::default()).await.unwrap();
        }
        let url = |name: &str| format!("sqlite:{}", path(name).display());
        let progress = move_sessions(&url("old.db"), &url("new.db")).await.unwrap();
        assert_eq!(progress.to_string(), "300 of 300 sessions moved");
        let new = SqliteStore::open(path("new.db")).await.unwrap();
        assert_eq!((old.count().await.unwrap(), new.count().await.unwrap()), (0, 300));
    }

    #[tokio::test]
    async fn a_store_that_does_not_exist_is_named() {
        let error = move_sessions("sqlite:/nowhere/at/all.db", "memory:").await.unwrap_err();
        assert!(!error.to_string().is_empty());
        let error = move_sessions("memory:", "nonsense:").await.unwrap_err();
        assert!(error.to_string().contains("no such store"), "{error}");
    }
}
