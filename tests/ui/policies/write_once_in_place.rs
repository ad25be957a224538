//! A field that is written once has a getter and a setter.

use session_runtime::{Session, SessionSchema};

#[derive(SessionSchema)]
struct Visitor {
    #[session(write_once)]
    campaign: Option<String>,
}

fn in_place(session: &mut Session<Visitor>) {
    session.campaign_mut().take();
}

fn clear(session: &mut Session<Visitor>) {
    session.clear_campaign();
}

fn main() {}
