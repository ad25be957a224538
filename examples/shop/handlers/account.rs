//! Signing in and out.

use std::time::Duration;

use axum::extract::{Form, Query};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, Redirect};
use serde::Deserialize;
use session_runtime::Session;

use crate::catalogue::{User, UserId};
use crate::device;
use crate::pages;
use crate::session::{Notice, Visitor};
use crate::texts::Locale;

const A_MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[derive(Deserialize)]
pub(crate) struct SignIn {
    user: u64,
    /// A check box is sent only if it is checked.
    remember: Option<String>,
}

pub(crate) async fn sign_in(
    mut session: Session<Visitor>,
    headers: HeaderMap,
    Form(form): Form<SignIn>,
) -> Result<Redirect, (StatusCode, &'static str)> {
    // A real shop checks a password here.
    let user =
        User::find(UserId(form.user)).ok_or((StatusCode::UNPROCESSABLE_ENTITY, "no such user"))?;
    // Setting the principal renews the token, so a token that an attacker planted
    // is now useless. The cart is kept, the address is removed.
    session.set_user(user.id);
    match device::name(&headers) {
        Some(name) => session.set_device(name),
        None => session.clear_device(),
    }
    if form.remember.is_some() {
        session.remember(A_MONTH);
    }
    session.set_notice(Notice::SignedIn(user.id));
    Ok(Redirect::to("/"))
}

/// `Option`, so that a visitor without a session does not get one.
pub(crate) async fn sign_out(session: Option<Session<Visitor>>) -> Redirect {
    let Some(mut session) = session else {
        return Redirect::to("/goodbye");
    };
    let locale = session.locale();
    session.destroy();
    // The session is gone, so the URL carries the language.
    Redirect::to(locale.goodbye())
}

#[derive(Deserialize)]
pub(crate) struct Goodbye {
    #[serde(default)]
    locale: Locale,
}

pub(crate) async fn goodbye(Query(query): Query<Goodbye>) -> Html<String> {
    Html(pages::goodbye(query.locale).into_string())
}
