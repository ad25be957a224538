//! Typed sessions in a Leptos application.
//!
//! A server function takes its session with `leptos_axum::extract`, as a handler of axum does
//! with an argument. Two things are different:
//!
//! - The handle is dropped, and so published, when the function returns: nothing to do.
//! - A page is streamed. A session that a page *creates*, or a sign-in in it, needs a cookie,
//!   so such a page is rendered before its head leaves (`SsrMode::Async`). Reading is possible
//!   in every mode.

use axum::Router;
use axum::extract::FromRequestParts as _;
use axum::http::request::Parts;
use axum::response::IntoResponse as _;
use leptos::prelude::*;
use leptos_axum::{LeptosRoutes, generate_route_list};
use leptos_router::components::{Route, Router as Routes};
use leptos_router::{SsrMode, path};
use session_runtime::{Authenticated, Session, SessionLayer, SessionSchema};

#[derive(SessionSchema)]
pub struct Visitor {
    #[session(principal)]
    user: Option<String>,
    #[session(counter)]
    visits: u64,
    #[session(flash)]
    notice: Option<String>,
}

/// Counts a visit, and returns how many there were.
#[server(endpoint = "visit")]
pub async fn visit() -> Result<u64, ServerFnError> {
    let mut session: Session<Visitor> = leptos_axum::extract().await?;
    session.add_visits(1);
    Ok(session.visits())
}

/// Signs in. The token is renewed by itself.
#[server(endpoint = "sign_in")]
pub async fn sign_in(name: String) -> Result<(), ServerFnError> {
    // After the password was checked.
    let mut session: Session<Visitor> = leptos_axum::extract().await?;
    session.set_user(name);
    session.set_notice("Welcome.");
    Ok(())
}

#[server(endpoint = "sign_out")]
pub async fn sign_out() -> Result<(), ServerFnError> {
    let mut session: Session<Visitor> = leptos_axum::extract().await?;
    session.destroy();
    Ok(())
}

/// For signed-in users alone: 401 otherwise.
#[server(endpoint = "whoami")]
pub async fn whoami() -> Result<String, ServerFnError> {
    Ok(signed_in().await?.principal().clone())
}

/// `extract` makes an error of every rejection, which would be answered with 500.
async fn signed_in() -> Result<Authenticated<Visitor>, ServerFnError> {
    let mut parts = expect_context::<Parts>();
    Authenticated::from_request_parts(&mut parts, &()).await.map_err(|rejection| {
        let text = rejection.to_string();
        let status = rejection.into_response().status();
        expect_context::<leptos_axum::ResponseOptions>().set_status(status);
        ServerFnError::new(text)
    })
}

/// What the page shows: who is signed in, and a notice, once.
async fn greeting() -> Result<(String, String), ServerFnError> {
    // Creates no session: visitors who only look leave nothing behind.
    let session: Option<Session<Visitor>> = leptos_axum::extract().await?;
    let Some(mut session) = session else { return Ok(("nobody".to_owned(), String::new())) };
    let notice = session.take_notice().unwrap_or_default();
    Ok((session.user().unwrap_or("nobody").to_owned(), notice))
}

#[component]
fn Home() -> impl IntoView {
    let greeting = Resource::new(|| (), |()| async { greeting().await.unwrap_or_default() });
    view! {
        <Suspense>
            {move || {
                greeting.get().map(|(name, notice)| view! { <p>"Hello, " {name} ". " {notice}</p> })
            }}
        </Suspense>
    }
}

fn shell() -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <title>"Sessions in Leptos"</title>
            </head>
            <body>
                <Routes>
                    <leptos_router::components::Routes fallback=|| "not found">
                        <Route path=path!("/") view=Home ssr=SsrMode::Async />
                    </leptos_router::components::Routes>
                </Routes>
            </body>
        </html>
    }
}

/// The application within `sessions`.
pub fn app(sessions: SessionLayer) -> Router {
    let options = LeptosOptions::builder().output_name("session-leptos").build();
    let routes = generate_route_list(shell);
    Router::new()
        .leptos_routes(&options, routes, shell)
        .with_state(options)
        .layer(sessions.schema::<Visitor>())
}
