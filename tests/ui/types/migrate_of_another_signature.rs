//! The migration gets a `Migration` and may fail.

use session_runtime::SessionSchema;

fn infallible(_: &mut session_runtime::schema::Migration<'_>) {}

fn of_the_struct(_: &mut Second) -> Result<(), session_runtime::schema::MigrateError> {
    Ok(())
}

#[derive(SessionSchema)]
#[session(version = 2, migrate = infallible)]
struct First {}

#[derive(SessionSchema)]
#[session(version = 2, migrate = of_the_struct)]
struct Second {}

#[derive(SessionSchema)]
#[session(version = 2, migrate = nowhere)]
struct Third {}

fn main() {}
