//! Schemas that agree share a record.

#![no_implicit_prelude]

mod shop {
    use ::session_runtime::SessionSchema;

    #[derive(SessionSchema)]
    pub struct Visitor {
        #[session(principal)]
        pub user_id: ::std::option::Option<u64>,
        #[session(default = "en", renew)]
        pub locale: ::std::string::String,
        #[session(compare, alias = "basket")]
        pub cart: ::std::vec::Vec<u8>,
        pub mine: u8,
    }
}

/// Reads the same fields, with other defaults and listings.
#[derive(::session_runtime::SessionSchema)]
struct Reader {
    #[session(principal)]
    user_id: ::std::option::Option<u64>,
    #[session(default = "de", renew, listed)]
    locale: ::std::string::String,
    #[session(compare, ttl = "0010ms")]
    other: ::std::vec::Vec<u8>,
}

/// A version and a `locale` of its own.
#[derive(::session_runtime::SessionSchema)]
#[session(namespace = "admin", version = 2)]
struct Admin {
    locale: ::std::option::Option<u8>,
}

::session_runtime::same_record!(shop::Visitor, Reader, Admin);
::session_runtime::same_record!(Admin);

fn main() {
    ::session_runtime::same_record!(Admin, Reader,);
}
