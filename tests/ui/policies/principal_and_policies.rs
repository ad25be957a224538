//! Who is signed in is neither merged nor hidden nor timed.

use session_runtime::SessionSchema;

#[derive(SessionSchema)]
struct Consumed {
    #[session(principal, nonce)]
    user_id: Option<u64>,
}

#[derive(SessionSchema)]
struct Timed {
    #[session(principal, ttl = "1h")]
    user_id: Option<u64>,
}

#[derive(SessionSchema)]
struct Merged {
    #[session(principal, merge = newest)]
    user_id: Option<u64>,
}

#[derive(SessionSchema)]
struct Compared {
    #[session(principal, compare)]
    user_id: Option<u64>,
}

#[derive(SessionSchema)]
struct Once {
    #[session(principal, write_once)]
    user_id: Option<u64>,
}

#[derive(SessionSchema)]
struct Cleared {
    #[session(principal, clear_on_login)]
    user_id: Option<u64>,
}

#[derive(SessionSchema)]
struct Secret {
    #[session(principal, secret)]
    user_id: Option<u64>,
}

#[derive(SessionSchema)]
struct Listed {
    #[session(principal, listed)]
    user_id: Option<u64>,
}

fn main() {}
