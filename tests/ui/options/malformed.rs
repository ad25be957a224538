//! All malformed options are reported at once.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
#[session]
struct Visitor {
    #[session(counter = true)]
    visits: u64,
    #[session(rename = language)]
    locale: String,
    #[session(rename)]
    theme: String,
    #[session(alias(basket))]
    cart: Vec<String>,
    #[session(default = )]
    limit: u32,
    #[session(default("en"))]
    language: String,
    #[session(on_invalid = ignore)]
    roles: Vec<String>,
    #[session(flash renew)]
    notice: Option<String>,
    #[session = "flash"]
    warning: Option<String>,
    #[session("flash")]
    hint: Option<String>,
    #[session(with = 3)]
    seen: u64,
}

fn main() {}
