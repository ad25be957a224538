pub(crate) struct Rows {
    integer: i128,
    flag: bool,
    text: std::string::String,
    list: Vec<Item>,
    optional_integer: Option<u8>,
    optional_text: Option<String>,
    optional_list: Option<Vec<u8>>,
    optional_other: core::option::Option<Item>,
    other: HashMap<String, Item>,
    #[session(copy)]
    copied: Point,
    #[session(copy)]
    optional_copied: Option<Point>,
    #[session(counter)]
    signed: i64,
    #[session(flash)]
    flash: Item,
    #[session(nonce)]
    text_nonce: Option<String>,
    #[session(nonce)]
    nonce: core::option::Option<Item>,
    #[session(nonce = keyed, ttl = "90s")]
    text_nonces: std::collections::HashMap<String, String>,
    /// In the user's words.
    #[session(nonce = keyed, ttl = "90s")]
    nonces: BTreeMap<std::string::String, Option<Item>>,
    #[session(write_once)]
    once: Option<Item>,
    r#type: u8,
}
