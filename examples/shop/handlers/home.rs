//! The start page.

use std::time::SystemTime;

use axum::response::Html;
use session_runtime::clock::Clock;
use session_runtime::{Session, SessionError, SessionManager};

use crate::pages::{self, Facts, Frame, Home};
use crate::session::Visitor;

pub(crate) async fn home(
    mut session: Session<Visitor>,
    sessions: SessionManager<Visitor>,
) -> Result<Html<String>, SessionError> {
    session.add_visits(1);
    let frame = Frame::of(&mut session, "/");
    if session.is_new() {
        // Saved now rather than with the response, because the page shows the id.
        match session.save().await {
            // The user has just signed in or out in another tab. This response
            // is late, and must not undo that.
            Ok(()) | Err(SessionError::Gone) => {}
            Err(error) => return Err(error),
        }
    }
    let devices = match session.user() {
        Some(user) => sessions.sessions_of(&user).await?,
        None => Vec::new(),
    };
    let page = Home {
        now: SystemTime::from(Clock::system().now()),
        frame,
        visits: session.visits(),
        cart: session.cart(),
        facts: Facts::of(&session),
        devices: &devices,
    };
    Ok(Html(pages::home(&page).into_string()))
}
