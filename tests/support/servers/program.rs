//! Programs that some tests need, and what happens where they are missing.

use std::io::Write;
use std::path::{Path, PathBuf};

/// The program that `variable` names, or the first of `names` in the search
/// path or in one of `places`.
pub fn program(variable: &str, names: &[&str], places: &[&str]) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(variable) {
        return Some(PathBuf::from(named)).filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> =
        places.iter().map(PathBuf::from).chain(std::env::split_paths(&path)).collect();
    let files = names.iter().flat_map(|name| places.iter().map(move |place| place.join(name)));
    files.into_iter().find(|file| Path::is_file(file))
}

/// Says that `what` is left out because `missing` is not installed, or fails
/// if everything is required.
pub fn left_out(what: &str, missing: &str) {
    let required = std::env::var("SESSION_TESTS_REQUIRE").is_ok_and(|what| what == "all");
    assert!(!required, "`{missing}` is not installed, and SESSION_TESTS_REQUIRE=all asks for it");
    // Not `eprintln!`: the test harness swallows what passing tests print.
    let _ = writeln!(std::io::stderr(), "left out: {what} (`{missing}` is not installed)");
}
