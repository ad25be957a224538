#[session(handle = Basket, crate = crate::toolkit)]
struct Visitor {
    #[session(default)]
    plain: u8,
    #[session(default = 10)]
    number: u8,
    #[session(default = 20)]
    optional_number: Option<u8>,
    #[session(default = "en", rename = "language", alias = "lang", alias("l", "tongue"))]
    locale: String,
    #[session(with = "foreign::as_text")]
    foreign: Foreign,
    #[session(skip)]
    cache: Cache,
    #[session(renew, on_invalid = drop_session)]
    roles: Vec<String>,
    #[session(on_invalid = error)]
    checked: u8,
    #[deprecated(note = "use `roles`")]
    role: String,
}
