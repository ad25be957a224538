//! Where figures come from: commit, day, machine and versions.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use crate::options::Options;
use crate::section::Measured;

/// One paragraph.
pub(crate) fn of(section: &str, commit: &str, options: &Options, measured: &Measured) -> String {
    let quick = if options.quick { ", a quick run" } else { "" };
    format!(
        "`cargo bench --bench tables -- {section}`{quick}: commit {commit}, {}, {}, {}, {}.",
        said("date", &["-u", "+%F"]),
        machine(),
        said("rustc", &["--version"]).split(" (").next().unwrap_or_default(),
        measured.versions,
    )
}

/// The packages' versions that are compiled in.
pub(crate) fn packages(names: &[&str]) -> String {
    const LOCK: &str = include_str!("../Cargo.lock");
    let versions = |name: &str| -> Vec<&str> {
        let begin = format!("name = \"{name}\"\nversion = \"");
        LOCK.split(&begin).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    };
    let named = names.iter().map(|name| format!("{name} {}", versions(name).join(" and ")));
    named.collect::<Vec<_>>().join(", ")
}

/// Whether the code differs from the commit's. Documents measure nothing.
pub(crate) fn is_changed() -> bool {
    !said("git", &["status", "--porcelain", "--", ":/", ":!/docs", ":!/*.md"]).is_empty()
}

pub(crate) fn commit() -> String {
    let commit = said("git", &["rev-parse", "--short", "HEAD"]);
    if is_changed() { format!("{commit} with changes") } else { commit }
}

fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let cores = available_parallelism().map_or(0, usize::from);
    format!("{model} with {cores} cores")
}

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    said.unwrap_or_else(|_| format!("({program} is missing)"))
}
