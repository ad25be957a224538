//! Versions are counted from 1, and migrations lead to a later one.

use session_runtime::SessionSchema;
use session_runtime::schema::{MigrateError, Migration};

#[derive(SessionSchema)]
#[session(version = 0)]
struct Zero {}

#[derive(SessionSchema)]
#[session(version = "2")]
struct Text {}

#[derive(SessionSchema)]
#[session(version = 4294967296)]
struct Large {}

#[derive(SessionSchema)]
#[session(migrate = upgrade)]
struct Unversioned {}

#[derive(SessionSchema)]
#[session(version = 1, migrate = "upgrade")]
struct First {}

fn upgrade(_: &mut Migration<'_>) -> Result<(), MigrateError> {
    Ok(())
}

fn main() {}
