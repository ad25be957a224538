//! Rules that every expansion keeps.

use std::fmt::Write;

use proc_macro2::{TokenStream, TokenTree};

use super::expand;

/// All tokens, a pair of delimiters counting two.
fn flat(tokens: TokenStream, out: &mut Vec<String>) {
    for tree in tokens {
        match tree {
            TokenTree::Group(group) => {
                out.push("(".to_owned());
                flat(group.stream(), out);
                out.push(")".to_owned());
            }
            other => out.push(other.to_string()),
        }
    }
}

fn tokens_of(source: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    flat(expand(source), &mut tokens);
    tokens
}

/// 10 integers, 30 strings, 10 lists; a line of documentation on each.
fn large() -> String {
    let mut source = "/// Large.\npub struct Large {".to_owned();
    for i in 0..50 {
        let ty = match i {
            0..10 => "u64",
            10..40 => "String",
            _ => "Vec<String>",
        };
        writeln!(source, "/// Field {i}.\nfield_{i}: {ty},").unwrap();
    }
    source + "}"
}

#[test]
fn a_large_schema_costs_at_most_260_tokens_per_field() {
    let tokens = tokens_of(&large()).len();
    println!("{tokens} tokens, {} per field", tokens / 50);
    assert!(tokens <= 260 * 50, "{tokens} tokens are {} per field", tokens / 50);
}

#[test]
fn the_output_is_the_same_every_time() {
    assert_eq!(tokens_of(&large()), tokens_of(&large()));
}

#[test]
fn the_output_names_only_core_and_the_runtime() {
    let tokens = tokens_of(include_str!("expansions/every_row.rs"));
    let mut paths = 0;
    for window in tokens.windows(4) {
        let [before, first, second, root] = window else { unreachable!() };
        let continues = before.chars().all(|c| c.is_alphanumeric() || c == '_') || before == ">";
        if first == ":" && second == ":" && !continues {
            assert!(["core", "session_runtime"].contains(&root.as_str()), "::{root}");
            paths += 1;
        }
    }
    assert!(paths > 10);
}

#[test]
fn the_output_allows_nothing() {
    let tokens = tokens_of(include_str!("expansions/every_row.rs"));
    for lint in ["allow", "expect", "warn", "unsafe"] {
        assert!(!tokens.iter().any(|token| token == lint), "{lint}");
    }
}

#[test]
fn every_error_of_a_struct_is_reported() {
    let source = r#"
        struct Visitor {
            #[session(principal)] id: u64,
            #[session(counter, flash, colour)] visits: u32,
            #[session(rename = "")] empty: u8,
        }
    "#;
    let errors = tokens_of(source).iter().filter(|token| *token == "compile_error").count();
    assert_eq!(errors, 6);
}
