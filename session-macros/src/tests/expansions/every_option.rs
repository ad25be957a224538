#[session(version = 3, namespace = "admin", migrate = upgrade::from_earlier)]
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
    #[session(merge = union)]
    tags: Vec<String>,
    #[session(compare, ttl = "12h", clear_on_login, listed)]
    device: Option<String>,
    #[session(write_once, secret)]
    seed: u64,
    #[session(nonce, with = foreign, secret, alias = "code")]
    one_time_code: Option<Foreign>,
    #[session(flash, ttl = "1d", carry_over)]
    notice: Option<String>,
    #[deprecated(note = "use `roles`")]
    role: String,
}
