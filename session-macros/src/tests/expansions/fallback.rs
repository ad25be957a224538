struct Visitor {
    #[session(principal)]
    user_id: Option<u64>,
    #[session(prinicpal)]
    id: Option<u32>,
}
