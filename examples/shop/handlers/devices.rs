//! The other sessions of the signed-in user.

use axum::extract::Form;
use axum::response::Redirect;
use serde::Deserialize;
use session_runtime::{Authenticated, SessionError, SessionId, SessionManager};

use crate::session::{Notice, Visitor};

const BACK: &str = "/#devices";

#[derive(Deserialize)]
pub(crate) struct End {
    /// Public: it names a session, but does not open it.
    id: SessionId,
}

pub(crate) async fn end_one(
    mut who: Authenticated<Visitor>,
    sessions: SessionManager<Visitor>,
    Form(end): Form<End>,
) -> Result<Redirect, SessionError> {
    // Does nothing if the session belongs to another user.
    if sessions.revoke(who.principal(), end.id).await? {
        who.set_notice(Notice::EndedOne);
    }
    Ok(Redirect::to(BACK))
}

pub(crate) async fn end_others(
    mut who: Authenticated<Visitor>,
    sessions: SessionManager<Visitor>,
) -> Result<Redirect, SessionError> {
    let ended = sessions.revoke_others(&who).await?;
    who.set_notice(Notice::EndedOthers(ended));
    Ok(Redirect::to(BACK))
}
