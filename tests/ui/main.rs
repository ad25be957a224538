//! What the derive accepts, and what it says of everything else.
//!
//! One file per mistake, in a folder per family. The messages are those of the
//! pinned stable compiler; `TRYBUILD=overwrite cargo test --test ui` writes
//! them anew, and then somebody reads them.

mod documents;

/// Compiled here as well, because trybuild does not run clippy.
#[path = "pass/strict_crate.rs"]
pub mod strict_crate;

#[test]
fn clippy_sees_the_strict_crate() {
    strict_crate::main();
}

#[test]
fn good_schemas_compile_and_every_mistake_is_explained() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    let of_the_derive = ["shape", "options", "names", "policies", "types"];
    for family in of_the_derive.into_iter().chain(["extract", "levels", "records", "habits"]) {
        cases.compile_fail(format!("ui/{family}/*.rs"));
    }
}
