/// What the shop remembers about a visitor.
pub struct Visitor {
    /// Who is signed in.
    #[session(principal)]
    user_id: Option<u64>,
    #[session(default = "en")]
    locale: String,
    #[session(counter)]
    visits: u64,
    /// What will be bought.
    cart: Vec<Item>,
    #[session(flash)]
    notice: Option<String>,
}
