//! The language.

use axum::extract::Form;
use axum::response::Redirect;
use serde::Deserialize;
use session_runtime::Session;

use crate::checkout::{DONE, STEPS};
use crate::session::Visitor;
use crate::texts::Locale;

#[derive(Deserialize)]
pub(crate) struct Change {
    locale: Locale,
    /// The page with the button.
    back: Option<String>,
}

pub(crate) async fn change(mut session: Session<Visitor>, Form(change): Form<Change>) -> Redirect {
    session.set_locale(change.locale);
    // Redirect only to our own pages: a form on another site could name any.
    let mut pages = STEPS.into_iter().chain([DONE]);
    let back = pages.find(|page| Some(*page) == change.back.as_deref());
    Redirect::to(back.unwrap_or("/"))
}
