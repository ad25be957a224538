//! What the shop says when it cannot open. No browser is needed for that.

use std::net::{Ipv4Addr, TcpListener};

use crate::support::run_to_its_end;

#[test]
fn a_taken_port_is_explained() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    refuses(&["--port", &port, "--store", "memory:"], &[&port, "is taken", "--port"]);
}

#[test]
fn a_store_that_does_not_open_is_explained() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "a shopping list, not a database").unwrap();
    let text_file = format!("sqlite:{}", file.path().display());
    for (store, said) in [
        ("sqlite:/no/such/directory/shop.db", "/no/such/directory"),
        (text_file.as_str(), "not a database"),
        ("sqlite:", "sqlite:sessions.db"),
        ("dbase:shop.dbf", "no such store"),
    ] {
        refuses(&["--port", "0", "--store", store], &[said, "--store"]);
    }
}

#[test]
fn a_setting_that_makes_no_sense_is_explained() {
    refuses(&["--port", "many"], &["`many` is not a port"]);
    refuses(&["--prot", "3000"], &["no option `--prot`", "--help"]);
    refuses(&["--port"], &["needs a number"]);
}

/// It ends with 1, says this on stderr, and nothing of a panic.
fn refuses(arguments: &[&str], said: &[&str]) {
    let output = run_to_its_end(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    for said in said {
        assert!(stderr.contains(said), "`{said}` is not in: {stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "one clear line: {stderr}");
    assert!(output.stdout.is_empty());
}
