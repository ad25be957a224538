//! What the program `scale` prints and draws.

use std::fs;
use std::process::{Command, Stdio};

use crate::Result;
use crate::options::Options;
use crate::section::{Measured, Plot};

const PLACES: [(&str, &str); 2] =
    [("memory", "In the memory of one process"), ("sqlite", "In a file of SQLite")];

pub(crate) fn measure(options: &Options) -> Result<Measured> {
    let sessions = options.count(10_000_000).to_string();
    let folder = tempfile::tempdir()?;
    let (mut tables, mut plots) = (String::new(), Vec::new());
    for (place, title) in PLACES {
        let output = Command::new(env!("CARGO_BIN_EXE_scale"))
            .args([place, &sessions])
            .arg(folder.path())
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(format!("the program `scale {place}` has failed").into());
        }
        let name = format!("scale-{place}");
        let svg = fs::read_to_string(folder.path().join(format!("{name}.svg")))?;
        let plot = Plot { name, title: format!("{title}, as it grows"), svg };
        tables +=
            &format!("{title}:\n\n{}\n\n{}\n", plot.link(), String::from_utf8(output.stdout)?);
        plots.push(plot);
    }
    Ok(Measured { tables, plots, versions: "small, signed-in sessions".to_owned() })
}
