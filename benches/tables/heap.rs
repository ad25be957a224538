//! What the program `heap` prints.

use std::process::Command;

use crate::Result;
use crate::options::Options;
use crate::provenance::packages;
use crate::section::Measured;

pub(crate) fn measure(options: &Options) -> Result<Measured> {
    let sessions = options.count(1_000_000).to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_heap")).arg(sessions).output()?;
    Ok(Measured {
        tables: String::from_utf8(output.stdout)?,
        plots: Vec::new(),
        versions: packages(&["tower-sessions"]),
    })
}
