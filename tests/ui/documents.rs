//! `docs/errors.md` knows every message there is, and no other.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{:?}: {error}", path.as_ref()))
}

/// The part of the document between two headlines.
fn between<'d>(document: &'d str, begin: &str, end: &str) -> &'d str {
    let at = |text: &str, headline: &str| {
        text.find(headline).unwrap_or_else(|| panic!("docs/errors.md has no `{headline}`"))
    };
    let part = &document[at(document, begin) + begin.len()..];
    &part[..at(part, end)]
}

/// The first cells of its tables, split where one row is about several.
fn first_cells(part: &str) -> Vec<&str> {
    let rows = part.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let cells = rows.flat_map(|cell| cell.split("<br>")).map(str::trim);
    cells.filter(|cell| !matches!(*cell, "message" | "")).collect()
}

/// The first line of every error that a mistake is answered with.
fn messages() -> Vec<String> {
    let mut messages = Vec::new();
    for family in fs::read_dir(repository().join("tests/ui")).unwrap() {
        let Ok(files) = fs::read_dir(family.unwrap().path()) else { continue };
        for file in files.map(|file| file.unwrap().path()) {
            if file.extension().is_none_or(|extension| extension != "stderr") {
                continue;
            }
            let text = read(&file);
            let errors = text.lines().filter_map(|line| line.strip_prefix("error"));
            let errors = errors.filter_map(|rest| {
                let message = match rest.strip_prefix('[') {
                    Some(coded) => coded.split_once("]: ")?.1,
                    None => rest.split_once(": ")?.1,
                };
                Some(message.to_owned())
            });
            messages.extend(errors.filter(|text| !text.starts_with("could not compile")));
        }
    }
    messages
}

/// Whether `message` begins as `pattern` says, in which `…` is anything.
fn fits(pattern: &str, message: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = message.strip_prefix(first) else { return false };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

#[test]
fn every_message_of_the_compiler_stands_in_the_document_and_nothing_else() {
    let document = read(repository().join("docs/errors.md"));
    let part = between(&document, "## When a schema does not compile", "## When it runs");
    let patterns = first_cells(part);
    let messages = messages();
    assert!(messages.len() > 100 && patterns.len() > 50, "the test reads what it should");
    for message in &messages {
        let known = patterns.iter().any(|pattern| fits(pattern, message));
        assert!(known, "docs/errors.md has no cure for:\n{message}");
    }
    for pattern in patterns {
        let there = messages.iter().any(|message| fits(pattern, message));
        assert!(there, "no test in tests/ui sees this message any more:\n{pattern}");
    }
}

/// The names of an enum's variants, read from its source.
fn variants(source: &str, of: &str) -> Vec<String> {
    let source = read(repository().join("session-runtime/src").join(source));
    let body = source.split_once(&format!("pub enum {of} {{")).unwrap().1;
    let body = body.split_once("\n}").unwrap().0;
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let named = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    named.map(|line| line.chars().take_while(char::is_ascii_alphanumeric).collect()).collect()
}

#[test]
fn every_error_at_run_time_stands_in_the_document() {
    let document = read(repository().join("docs/errors.md"));
    let document = &document[document.find("## When it runs").unwrap()..];
    let all = [
        ("error.rs", "SessionError"),
        ("rejection.rs", "SessionRejection"),
        ("rejection.rs", "AuthenticatedRejection"),
        ("store/error.rs", "StoreErrorKind"),
        ("store/any.rs", "ConnectError"),
    ];
    for (source, of) in all {
        let variants = variants(source, of);
        assert!(variants.len() > 1, "{of}: {variants:?}");
        for variant in variants {
            let row = |text: &str| {
                let rows = first_cells(text);
                rows.iter().any(|cell| {
                    let mut words = cell.split(|c: char| !c.is_ascii_alphanumeric());
                    words.any(|word| word == variant)
                })
            };
            assert!(row(document), "docs/errors.md has no row for {of}::{variant}");
        }
    }
}
