//! The nearest option is suggested, and all are listed.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
#[session(handel = Basket)]
struct Visitor {
    #[session(prinicpal)]
    user_id: Option<u64>,
    #[session(defualt = "en")]
    locale: String,
    #[session(ttl = "10m")]
    code: Option<String>,
}

fn main() {}
