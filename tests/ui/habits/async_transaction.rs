//! A transaction may run many times, so it waits for nothing.

use session_runtime::{Session, SessionError, SessionSchema};

#[derive(SessionSchema)]
struct Visitor {
    seats: Vec<u32>,
}

async fn reserve(mut session: Session<Visitor>) -> Result<(), SessionError> {
    session.transaction(async |session| session.seats_mut().push(7)).await?;
    session.transaction(|session| async move { session.seats_mut().push(7) }).await?;
    Ok(())
}

fn main() {
    let _ = reserve;
}
