//! Schemas alone share a record.

use session_runtime::{SessionSchema, same_record};

#[derive(SessionSchema)]
struct Visitor {}

struct Admin;

same_record!(Visitor, Admin);

fn main() {}
