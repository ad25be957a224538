//! Accessors need names.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
struct Visitor(String, u64);

fn main() {}
