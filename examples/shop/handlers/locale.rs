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
    /// Where the button was.
    back: Option<String>,
}

pub(crate) async fn change(mut session: Session<Visitor>, Form(change): Form<Change>) -> Redirect {
    session.set_locale(change.locale);
    // Only to our own pages: whoever made the form may have made up the rest.
    let mut pages = STEPS.into_iter().chain([DONE]);
    let back = pages.find(|page| Some(*page) == change.back.as_deref());
    Redirect::to(back.unwrap_or("/"))
}
