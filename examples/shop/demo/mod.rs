//! Two tabs at once: parallel requests that change different fields of one
//! session, with a deliberate pause between reading and writing. See
//! docs/guide/concurrency.md.

mod shadow;

use std::time::Duration;

use axum::Json;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use session_runtime::Session;

pub(crate) use self::shadow::Shadows;
use self::shadow::{Run, Whole};
use crate::catalogue::Product;
use crate::session::Visitor;
use crate::texts::Locale;

/// How many of the requests count a click.
pub(crate) const CLICKS: u64 = 4;

/// The longest pause, in milliseconds.
const LONGEST: u64 = 5_000;

/// The values before a run, and the expected result.
#[derive(Serialize)]
pub(crate) struct Start {
    before: Whole,
    expected: Whole,
}

pub(crate) async fn start(
    session: Session<Visitor>,
    State(shadows): State<Shadows>,
) -> Result<Json<Start>, StatusCode> {
    // The session expired, or ended in another tab: the page must be reloaded.
    let id = session.id().ok_or(StatusCode::CONFLICT)?;
    let before = Whole::of(&session);
    let expected = Whole {
        locale: before.locale.next(),
        items: before.items + 1,
        clicks: before.clicks + CLICKS,
    };
    shadows.begin(*id, before);
    Ok(Json(Start { before, expected }))
}

/// One of the parallel requests.
#[derive(Deserialize)]
pub(crate) struct Step {
    change: Change,
    /// Milliseconds between reading and writing.
    wait: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Locale,
    Cart,
    Click,
}

pub(crate) async fn step(
    mut session: Session<Visitor>,
    State(shadows): State<Shadows>,
    Form(step): Form<Step>,
) -> StatusCode {
    let id = session.id().copied();
    // Both read now and write after the pause: the handle, and the copy that stands
    // for a session layer that saves sessions as a whole.
    let mut whole = id.and_then(|id| shadows.read(id));
    let next: Locale = session.locale().next();

    tokio::time::sleep(Duration::from_millis(step.wait.min(LONGEST))).await;

    match step.change {
        Change::Locale => session.set_locale(next),
        Change::Cart => session.add_to_cart(Product::Pen),
        Change::Click => session.add_clicks(1),
    }
    if let (Some(id), Some(whole)) = (id, &mut whole) {
        match step.change {
            Change::Locale => whole.locale = next,
            Change::Cart => whole.items += 1,
            Change::Click => whole.clicks += 1,
        }
        shadows.write(id, *whole);
    }
    StatusCode::NO_CONTENT
}

/// The result of a run.
#[derive(Serialize)]
pub(crate) struct Finish {
    actual: Whole,
    whole: Option<Whole>,
}

/// Shows what came of it, and takes it back: the visitor goes on as before.
pub(crate) async fn finish(
    mut session: Session<Visitor>,
    State(shadows): State<Shadows>,
) -> Json<Finish> {
    let actual = Whole::of(&session);
    let run = session.id().and_then(|id| shadows.finish(*id));
    if let Some(Run { before, .. }) = run {
        session.set_locale(before.locale);
        if actual.items > before.items {
            session.take_from_cart(Product::Pen);
        }
        session.add_clicks(-(actual.clicks.saturating_sub(before.clicks) as i64));
    }
    Json(Finish { actual, whole: run.map(|run| run.whole) })
}
