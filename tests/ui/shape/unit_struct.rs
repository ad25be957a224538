//! Braces, even without fields.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
struct Visitor;

fn main() {}
