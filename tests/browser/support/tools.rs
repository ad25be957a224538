//! The programs that these tests need.

use std::io::Write;
use std::path::{Path, PathBuf};

/// Where the browser and its driver are.
pub(super) struct Tools {
    pub(super) chromium: PathBuf,
    pub(super) driver: PathBuf,
}

impl Tools {
    /// Finds them. Otherwise says that `left_out` is, or fails if everything
    /// is required.
    pub(super) fn find(left_out: &str) -> Option<Self> {
        let chromium = program("CHROMIUM", &["chromium", "chromium-browser", "google-chrome"]);
        let driver = program("CHROMEDRIVER", &["chromedriver"]);
        let missing = match (chromium, driver) {
            (Some(chromium), Some(driver)) => return Some(Self { chromium, driver }),
            (None, _) => "chromium",
            (_, None) => "chromedriver",
        };
        let required = std::env::var("SESSION_TESTS_REQUIRE").is_ok_and(|what| what == "all");
        assert!(
            !required,
            "`{missing}` is not installed, and SESSION_TESTS_REQUIRE=all asks for it"
        );
        // Not `eprintln!`: the test harness swallows what passing tests print.
        let _ = writeln!(std::io::stderr(), "left out: {left_out} (`{missing}` is not installed)");
        None
    }
}

fn program(variable: &str, names: &[&str]) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(variable) {
        return Some(PathBuf::from(named)).filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH")?;
    let places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let files = names.iter().flat_map(|name| places.iter().map(move |place| place.join(name)));
    files.into_iter().find(|file| Path::is_file(file))
}
