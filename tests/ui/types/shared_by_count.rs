//! A field's type is shared between threads.

use std::rc::Rc;

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
struct Visitor {
    name: Rc<str>,
}

fn main() {}
