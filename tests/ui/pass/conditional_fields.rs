//! `#[cfg]` removes a field before the derive sees it; other attributes stay.

use session_runtime::{Session, SessionSchema};

#[derive(SessionSchema)]
struct Visitor {
    #[cfg(any())]
    gone: NoSuchType,
    #[cfg(all())]
    here: u8,
    #[cfg_attr(all(), session(default = "en"))]
    locale: String,
}

fn read(session: &Session<Visitor>) -> (u8, &str) {
    (session.here(), session.locale())
}

fn main() {
    assert_eq!(Visitor::SCHEMA.fields.len(), 2);
    let _ = read;
}
