//! A schema is one type.

use session_runtime::{Session, SessionSchema};


#[derive(SessionSchema)]
struct Visitor<T: Clone, const N: usize> {
    cart: Vec<T>,
    #[session(principal)]
    user_id: Option<u64>,
    #[session(counter)]
    visits: u64,
}

fn handler(session: Session<Visitor<u64, 3>>) -> usize {
    session.cart().len()
}

fn main() {}
