//! The output names nothing that the surroundings could have replaced.

#![no_implicit_prelude]
#![allow(non_camel_case_types, dead_code)]

extern crate serde as _;
extern crate session_runtime as toolkit;

mod core {}
mod std {}
mod __private {}

struct Key;
struct Field;
struct Handle;
struct Box;
struct Some;
struct None;
struct str_;
trait Into {}
trait Default {}
fn default() {}
struct Result;
struct Ok;
struct Err;
struct String;
struct HashMap;
struct Duration;
struct Nonce;
struct Schema;
fn agree() {}
fn drop() {}

/// Everything under a name of its own.
#[derive(toolkit::SessionSchema)]
#[session(crate = toolkit, handle = Basket, namespace = "a", version = 7, migrate = migrate)]
pub struct Visitor {
    #[session(principal)]
    user_id: ::std::option::Option<u64>,
    handle_name: ::std::string::String,
    #[session(default = "en")]
    locale: ::std::option::Option<::std::string::String>,
    #[session(counter)]
    visits: i64,
    #[session(flash)]
    notice: ::std::option::Option<u8>,
    list: ::std::vec::Vec<u8>,
    #[session(merge = merge, secret, ttl = "1h", clear_on_login, renew)]
    merged: ::std::vec::Vec<u8>,
    #[session(compare, listed)]
    compared: u8,
    #[session(write_once)]
    once: ::std::option::Option<::std::string::String>,
    #[session(nonce)]
    code: ::std::option::Option<::std::string::String>,
    #[session(nonce = keyed, ttl = "10m")]
    states: ::std::collections::HashMap<::std::string::String, ::std::string::String>,
    #[session(nonce = keyed, ttl = "10m")]
    flows: ::std::collections::BTreeMap<::std::string::String, u8>,
}

fn merge(base: &[u8], stored: &[u8], mine: ::std::vec::Vec<u8>) -> ::std::vec::Vec<u8> {
    let _ = (base, stored);
    mine
}

fn migrate(
    _: &mut toolkit::schema::Migration<'_>,
) -> ::std::result::Result<(), toolkit::schema::MigrateError> {
    ::std::result::Result::Ok(())
}

toolkit::same_record!(Visitor, FromMacro);

fn inside_a_function() {
    #[derive(toolkit::SessionSchema)]
    #[session(crate = ::session_runtime)]
    struct Local {
        x: u8,
    }
    fn read(session: &LocalSession) -> u8 {
        session.x()
    }
    let _ = read;
}

macro_rules! schema {
    ($name:ident, $field:ident: $ty:ty = $default:expr) => {
        #[derive(toolkit::SessionSchema)]
        #[session(crate = "toolkit")]
        struct $name {
            #[session(default = $default)]
            $field: $ty,
        }
    };
}

schema!(FromMacro, size: ::std::option::Option<u32> = 3 + 4);

fn read(session: &FromMacroSession) -> ::std::option::Option<u32> {
    session.size()
}

fn main() {
    let _: fn(&Basket) -> ::std::option::Option<u64> = Basket::user_id;
    inside_a_function();
    let _ = read;
    let _ = |basket: &mut Basket| basket.set_states("a", "b");
}
