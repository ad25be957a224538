//! What the derive prints, as plain Rust files one can read, and how much.
//!
//! `expansions/<case>.rs` is the user's struct, `<case>.expanded.rs` what comes
//! of it. `UPDATE_EXPANSIONS=1 cargo test -p session-macros` writes the latter
//! anew; then somebody reads the difference.

mod output;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proc_macro2::TokenStream;

fn expand(source: &str) -> TokenStream {
    crate::derive(&syn::parse_str(source).unwrap())
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/expansions").join(name)
}

#[test]
fn expansions_are_those_on_file() {
    for case in ["readme", "every_row", "every_option", "empty", "fallback"] {
        let source = std::fs::read_to_string(file(&format!("{case}.rs"))).unwrap();
        let expected = file(&format!("{case}.expanded.rs"));
        let expansion = expand(&source).to_string();
        if std::env::var_os("UPDATE_EXPANSIONS").is_some() {
            std::fs::write(&expected, formatted(&expansion)).unwrap();
        }
        let on_file = std::fs::read_to_string(expected).unwrap();
        assert!(
            essence(&on_file) == essence(&expansion),
            "the expansion of {case} changed; UPDATE_EXPANSIONS=1 writes it:\n{}",
            formatted(&expansion),
        );
    }
}

/// What no formatter changes.
fn essence(code: &str) -> String {
    code.chars().filter(|c| !c.is_whitespace() && !",{}".contains(*c)).collect()
}

/// By rustfmt where there is one, for the reader alone.
fn formatted(code: &str) -> String {
    let rustfmt = || -> Option<String> {
        let mut rustfmt = Command::new("rustfmt")
            .args(["--edition", "2024"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        rustfmt.stdin.take()?.write_all(code.as_bytes()).ok()?;
        let output = rustfmt.wait_with_output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()
    };
    rustfmt().unwrap_or_else(|| code.to_owned())
}
