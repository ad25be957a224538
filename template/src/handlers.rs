//! What each path does.

use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::Markup;
use serde::Deserialize;
use session_runtime::{
    Authenticated, EndReason, Fresh, Session, SessionId, SessionManager, local_path,
};

use crate::error::Error;
use crate::pages::{self, Device};
use crate::session::Visitor;
use crate::users::{self, Users};

/// How recently, in seconds, the password must have been entered for what cannot be undone.
const FRESH: u64 = 10 * 60;
const SHORTEST_PASSWORD: usize = 12;

#[derive(Deserialize)]
pub struct FromElsewhere {
    next: Option<String>,
    /// Why the session that the browser had is over.
    ended: Option<String>,
}

#[derive(Deserialize)]
pub struct Credentials {
    name: String,
    password: String,
    next: Option<String>,
}

#[derive(Deserialize)]
pub struct Password {
    password: String,
}

#[derive(Deserialize)]
pub struct NewPassword {
    current: String,
    new: String,
}

#[derive(Deserialize)]
pub struct Chosen {
    id: String,
}

/// Anyone can write a link with a `next`, so only paths of this host count.
fn target(next: Option<&str>) -> &str {
    next.and_then(local_path).unwrap_or("/account")
}

/// Reads the session without creating one, so that crawlers leave nothing behind.
pub async fn home(session: Option<Session<Visitor>>) -> Markup {
    pages::welcome(&session.map(|mut it| it.take_notices()).unwrap_or_default())
}

pub async fn register_form(session: Option<Session<Visitor>>) -> Markup {
    let notices = session.map(|mut it| it.take_notices()).unwrap_or_default();
    pages::credentials("Create an account", "/register", "", &notices)
}

pub async fn register(
    mut session: Session<Visitor>,
    State(users): State<Users>,
    headers: HeaderMap,
    Form(form): Form<Credentials>,
) -> Result<Redirect, Error> {
    if form.password.chars().count() < SHORTEST_PASSWORD {
        session.push_notices(format!("At least {SHORTEST_PASSWORD} characters, please."));
        return Ok(Redirect::to("/register"));
    }
    match users.add(form.name, form.password).await {
        Ok(id) => {
            session.set_user(id);
            session.set_device(device_of(&headers));
            Ok(Redirect::to("/account"))
        }
        Err(users::Error::Taken) => {
            session.push_notices("That name is taken.");
            Ok(Redirect::to("/register"))
        }
        Err(error) => Err(error.into()),
    }
}

pub async fn login_form(
    session: Option<Session<Visitor>>,
    Query(query): Query<FromElsewhere>,
) -> Markup {
    let mut notices = session.map(|mut it| it.take_notices()).unwrap_or_default();
    // Anyone can write a link with an `ended`, so it only selects a message.
    let ended = query.ended.as_deref().and_then(EndReason::named);
    notices.extend(ended.and_then(|because| match because {
        EndReason::OtherDevice => Some("You were signed out from another device.".to_owned()),
        EndReason::Idle | EndReason::Expired => Some("Your session has expired.".to_owned()),
        _ => None,
    }));
    pages::credentials("Sign in", "/login", target(query.next.as_deref()), &notices)
}

pub async fn login(
    mut session: Session<Visitor>,
    sessions: SessionManager<Visitor>,
    State(users): State<Users>,
    headers: HeaderMap,
    Form(form): Form<Credentials>,
) -> Result<Response, Error> {
    let id = users.id_of(form.name).await?;
    // Taken before the password is checked: a change of the password stops logins under way.
    let ticket = id.map(|id| sessions.login_ticket(&id)).transpose()?;
    let (Some(id), Some(ticket), true) = (id, ticket, users.verify(id, form.password).await?)
    else {
        // A wrong guess creates no session: the page itself shows the message, and keeps the way back.
        let notices = ["Wrong name or password.".to_owned()];
        let page = pages::credentials("Sign in", "/login", target(form.next.as_deref()), &notices);
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    };
    session.set_user(id);
    session.redeem(ticket);
    session.set_device(device_of(&headers));
    Ok(Redirect::to(target(form.next.as_deref())).into_response())
}

pub async fn logout(mut session: Session<Visitor>) -> Redirect {
    session.destroy();
    session.push_notices("Goodbye.");
    Redirect::to("/")
}

pub async fn account(
    mut who: Authenticated<Visitor>,
    sessions: SessionManager<Visitor>,
    State(users): State<Users>,
) -> Result<Markup, Error> {
    let name = users.name_of(*who.principal()).await?.unwrap_or_default();
    let all = sessions.sessions_of(who.principal()).await?;
    let devices: Vec<_> = all
        .iter()
        .map(|one| Device {
            id: one.id.to_string(),
            name: one.get(Visitor::DEVICE).unwrap_or_default(),
            is_this_one: Some(&one.id) == who.id(),
        })
        .collect();
    Ok(pages::account(&name, &who.take_notices(), &devices))
}

pub async fn end_device(
    who: Authenticated<Visitor>,
    sessions: SessionManager<Visitor>,
    Form(chosen): Form<Chosen>,
) -> Result<Redirect, Error> {
    // Ends a session of this user only, whatever id the form names.
    if let Ok(id) = chosen.id.parse::<SessionId>() {
        sessions.revoke(who.principal(), id).await?;
    }
    Ok(Redirect::to("/account"))
}

pub async fn end_others(
    mut who: Authenticated<Visitor>,
    sessions: SessionManager<Visitor>,
) -> Result<Redirect, Error> {
    let ended = sessions.revoke_others(&who).await?;
    who.push_notices(format!("{ended} signed out."));
    Ok(Redirect::to("/account"))
}

pub async fn change_password(
    mut who: Authenticated<Visitor>,
    sessions: SessionManager<Visitor>,
    State(users): State<Users>,
    headers: HeaderMap,
    Form(form): Form<NewPassword>,
) -> Result<Redirect, Error> {
    let id = *who.principal();
    if form.new.chars().count() < SHORTEST_PASSWORD {
        who.push_notices(format!("At least {SHORTEST_PASSWORD} characters, please."));
    } else if users.verify(Some(id), form.current).await? {
        users.set_password(id, form.new).await?;
        // A thief may know the old password, or hold one of the sessions. This ends all of them,
        // and stops logins that have begun with the old password.
        sessions.revoke_all(&id).await?;
        // This browser goes on, in a new session.
        who.set_user(id);
        who.set_device(device_of(&headers));
        who.push_notices("Changed. All other devices are signed out.");
    } else {
        who.push_notices("Wrong password.");
    }
    Ok(Redirect::to("/account"))
}

pub async fn confirm_form(mut who: Authenticated<Visitor>) -> Markup {
    pages::confirm(&who.take_notices())
}

pub async fn confirm(
    mut who: Authenticated<Visitor>,
    State(users): State<Users>,
    Form(form): Form<Password>,
) -> Result<Redirect, Error> {
    if users.verify(Some(*who.principal()), form.password).await? {
        who.reauthenticated();
        Ok(Redirect::to("/account"))
    } else {
        who.push_notices("Wrong password.");
        Ok(Redirect::to("/confirm"))
    }
}

/// A session that was left open is not enough for this.
pub async fn close(
    mut who: Authenticated<Visitor, Fresh<FRESH>>,
    sessions: SessionManager<Visitor>,
    State(users): State<Users>,
) -> Result<Redirect, Error> {
    users.remove(*who.principal()).await?;
    sessions.revoke_all(who.principal()).await?;
    who.destroy();
    Ok(Redirect::to("/"))
}

/// A short name for the list of devices.
fn device_of(headers: &HeaderMap) -> String {
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|it| it.to_str().ok())
        .unwrap_or_default();
    let known = ["Android", "iPhone", "iPad", "Windows", "Macintosh", "Linux"];
    known
        .into_iter()
        .find(|name| agent.contains(name))
        .unwrap_or("Another device")
        .to_owned()
}
