//! Nothing that the derive writes triggers a lint in the user's crate.

#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    dead_code,
    unused,
    deprecated,
    unreachable_pub,
    unused_qualifications,
    unused_results,
    unused_lifetimes,
    single_use_lifetimes,
    let_underscore_drop,
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    private_interfaces,
    private_bounds,
    unnameable_types,
    trivial_casts,
    non_local_definitions,
    variant_size_differences,
    keyword_idents,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::unwrap_used,
    clippy::missing_errors_doc,
    clippy::must_use_candidate
)]

use std::collections::HashMap;

use session_runtime::SessionSchema;
use session_runtime::schema::{MigrateError, Migration};

/// Visible less than the schema; the field is private, so that is fine.
#[derive(serde::Serialize, serde::Deserialize, Default, Clone, Copy, Debug)]
struct Private;

/// Replaced by something better.
#[deprecated]
#[derive(serde::Serialize, serde::Deserialize, Default, Debug)]
#[allow(clippy::derive_partial_eq_without_eq)]
pub struct Old;

/// What is known of a visitor.
#[derive(SessionSchema, Debug)]
#[session(version = 2, namespace = "strict", migrate = upgrade)]
#[allow(deprecated, unused_qualifications)]
pub struct Visitor {
    /// Who is signed in.
    #[session(principal)]
    user_id: Option<u64>,
    undocumented: String,
    #[session(counter)]
    visits: u64,
    /// Many
    ///
    /// lines.
    cart: Vec<std::string::String>,
    #[session(flash)]
    notice: Option<String>,
    private: Private,
    #[session(copy)]
    copied: Private,
    old: Old,
    #[deprecated(note = "use `cart`")]
    basket: Vec<String>,
    #[session(default = "x")]
    id_text: Option<String>,
    /// Text with an UnquotedName, which pedantic does not like.
    #[allow(clippy::doc_markdown)]
    words: Option<Vec<u8>>,
    tuple: (u8, Option<Box<u8>>),
    #[session(skip)]
    skipped: u8,
    #[session(nonce, ttl = "1d")]
    code: Option<String>,
    /// Sign-ins on their way.
    ///
    /// By `state`.
    #[session(nonce = keyed, ttl = "400d", clear_on_login, secret)]
    flows: HashMap<String, Option<Private>>,
    #[deprecated]
    #[session(nonce)]
    old_code: Option<Old>,
    #[session(write_once, listed)]
    campaign: Option<String>,
    #[session(merge = union, secret)]
    tags: Vec<String>,
    #[session(merge = newest)]
    note: String,
    #[session(compare, ttl = "40000000ms")]
    seats: u32,
}

fn union(base: &[String], stored: &[String], mut mine: Vec<String>) -> Vec<String> {
    mine.extend(stored.iter().filter(|tag| !base.contains(tag)).cloned());
    mine
}

fn newest(_base: &str, stored: &str, mine: String) -> String {
    if mine.is_empty() { stored.to_owned() } else { mine }
}

fn upgrade(migration: &mut Migration<'_>) -> Result<(), MigrateError> {
    let tag: Option<String> = migration.get("tag")?;
    migration.set("tags", &tag.into_iter().collect::<Vec<_>>())
}

session_runtime::same_record!(Visitor, Empty);

mod inner {
    #![allow(clippy::redundant_pub_crate)]

    /// Not seen outside, hardly used.
    #[derive(super::SessionSchema)]
    pub(super) struct Hidden {
        never_read: u8,
        list: Vec<u8>,
        #[session(flash)]
        flash: Option<u8>,
        #[session(nonce)]
        nonce: Option<String>,
        #[session(nonce = keyed, ttl = "10m")]
        nonces: std::collections::BTreeMap<String, u8>,
        #[session(write_once)]
        once: u8,
    }
}

#[derive(SessionSchema)]
struct HardlyUsed {
    a: u8,
}

const fn hardly(session: &session_runtime::Session<HardlyUsed>) {
    let _ = session;
}

/// Nothing at all.
#[derive(SessionSchema, Debug)]
pub struct Empty {}

/// Called by the test, where clippy sees this file.
pub fn main() {
    let _ = hardly;
    let _ = <inner::Hidden as SessionSchema>::SCHEMA;
    let _ = <Visitor as SessionSchema>::SCHEMA;
    let visitor: Option<Visitor> = None;
    if let Some(visitor) = visitor {
        let _ = visitor.skipped;
    }
}
