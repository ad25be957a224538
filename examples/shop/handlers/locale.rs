//! The language.

use axum::extract::Form;
use axum::response::Redirect;
use serde::Deserialize;
use session_runtime::Session;

use crate::session::Visitor;
use crate::texts::Locale;

#[derive(Deserialize)]
pub(crate) struct Change {
    locale: Locale,
}

pub(crate) async fn change(mut session: Session<Visitor>, Form(change): Form<Change>) -> Redirect {
    session.set_locale(change.locale);
    Redirect::to("/")
}
