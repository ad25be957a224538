//! A default has the field's type.

use session_runtime::SessionSchema;


#[derive(serde::Serialize, serde::Deserialize)]
struct Limit(u32);

#[derive(SessionSchema)]
struct Visitor {
    #[session(default = 'x')]
    locale: String,
    #[session(default = "ten")]
    limit: Limit,
    #[session(default = 1.5)]
    page: Option<u32>,
}

fn main() {}
