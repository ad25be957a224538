//! The principal's type is as visible as the schema.

pub mod accounts {
    use session_runtime::SessionSchema;

    #[derive(serde::Serialize, serde::Deserialize)]
    struct UserId(u64);

    #[derive(SessionSchema)]
    pub struct Visitor {
        #[session(principal)]
        user_id: Option<UserId>,
    }
}

fn main() {}
