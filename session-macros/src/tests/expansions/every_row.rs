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
    r#type: u8,
}
