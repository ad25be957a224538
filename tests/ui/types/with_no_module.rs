//! `with` names a module of two functions.

use session_runtime::SessionSchema;


struct Foreign;

mod foreign {}

#[derive(SessionSchema)]
struct Visitor {
    #[session(with = "foreign", default = Foreign)]
    foreign: Foreign,
}

fn main() {}
