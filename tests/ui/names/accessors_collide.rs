//! Two fields do not generate the same method.

use session_runtime::SessionSchema;


#[derive(SessionSchema)]
struct Visitor {
    locale: String,
    set_locale: bool,
    cart_mut: Vec<u8>,
    cart: Vec<u8>,
    name: Option<String>,
    take_name: u8,
    #[session(rename = "cleared")]
    clear_name: u8,
    #[session(counter)]
    visits: u64,
    add_visits: u8,
    consume_code: u8,
    #[session(nonce)]
    code: Option<String>,
}

fn main() {}
