//! Compares schemas with a lock file, and writes it.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::compare::compare;
use super::file::{self, LockFile};
use super::model::{Locked, LockedSchema};
use super::report::{Finding, Report, Severity};
use super::tried::Tried;

/// What may be done to the lock file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Write missing schemas; differences are errors.
    Check,
    /// Write nothing: missing schemas are errors, too.
    Ci,
    /// Write the file, unless stored sessions would lose something.
    Update,
    /// Write the file.
    AcceptLosses,
}

impl Mode {
    /// Reads the mode from the environment: `SESSION_LOCK=update`, `SESSION_LOCK=accept_losses`, or
    /// `CI` (neither empty nor `false`).
    ///
    /// # Errors
    ///
    /// If `SESSION_LOCK` has another value.
    pub fn from_env() -> Result<Self, LockError> {
        let wanted = std::env::var("SESSION_LOCK").unwrap_or_default();
        let ci = std::env::var("CI").is_ok_and(|ci| !ci.is_empty() && ci != "false");
        Self::of(&wanted, ci)
    }

    fn of(wanted: &str, ci: bool) -> Result<Self, LockError> {
        match wanted {
            "" if ci => Ok(Self::Ci),
            "" => Ok(Self::Check),
            "update" => Ok(Self::Update),
            "accept_losses" => Ok(Self::AcceptLosses),
            other => Err(LockError::Mode(other.to_owned())),
        }
    }
}

/// The result of a successful check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verified {
    /// The file matches the code.
    Unchanged,
    /// These schemas were missing in the file and have been added.
    Added(Vec<String>),
    /// The file was written.
    Updated(Vec<Report>),
}

/// An error in a lock file, or in the change that it guards.
#[derive(Debug)]
#[non_exhaustive]
pub enum LockError {
    /// Stored sessions would lose something.
    Losses {
        /// The lock file.
        path: PathBuf,
        /// What changed, and its effect.
        reports: Vec<Report>,
    },
    /// Stored sessions survive, but the file does not match the code.
    Outdated {
        /// The lock file.
        path: PathBuf,
        /// What changed, and its effect.
        reports: Vec<Report>,
    },
    /// The file lacks these schemas and must not be written.
    Missing {
        /// The lock file.
        path: PathBuf,
        /// The names of the structs.
        schemas: Vec<String>,
    },
    /// The file is malformed.
    Malformed {
        /// The lock file.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// The file cannot be read or written.
    Io {
        /// The lock file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// Two structs have the same name: each needs its own lock file.
    SameName(String),
    /// `SESSION_LOCK` has an invalid value.
    Mode(String),
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Losses { path, reports } => {
                writeln!(
                    f,
                    "sessions stored by the version that `{}` describes lose something:",
                    path.display()
                )?;
                reports.iter().try_for_each(|report| report.fmt(f))?;
                f.write_str("\n  If all of that is meant: SESSION_LOCK=accept_losses cargo test\n")
            }
            Self::Outdated { path, reports } => {
                writeln!(f, "stored sessions survive, but `{}` is out of date:", path.display())?;
                reports.iter().try_for_each(|report| report.fmt(f))?;
                f.write_str(
                    "\n  Update the file, and commit it with the change: SESSION_LOCK=update cargo test\n",
                )
            }
            Self::Missing { path, schemas } => write!(
                f,
                "`{}` knows nothing of `{}`: run the test where `CI` is not set, or with SESSION_LOCK=update, and commit the file",
                path.display(),
                schemas.join("`, `"),
            ),
            Self::Malformed { path, fault } => write!(
                f,
                "`{}` cannot be read as a schema lock ({fault}): restore it from version control",
                path.display()
            ),
            Self::Io { path, source } => write!(f, "`{}`: {source}", path.display()),
            Self::SameName(name) => {
                write!(f, "two schemas are named `{name}`: give each a lock file of its own")
            }
            Self::Mode(value) => write!(
                f,
                "SESSION_LOCK is `{value}`: it may be `update` or `accept_losses`, or not set"
            ),
        }
    }
}

impl Error for LockError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Two tests of one program may use the same file.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Compares `schemas`, which are all the schemas of the file, with the file.
///
/// # Errors
///
/// See [`LockError`]. Nothing has been written then.
pub fn verify(path: &Path, schemas: &[Locked], mode: Mode) -> Result<Verified, LockError> {
    let _turn = ONE_AT_A_TIME.lock();
    let mut names = BTreeSet::new();
    if let Some(twice) = schemas.iter().find(|now| !names.insert(now.schema.name)) {
        return Err(LockError::SameName(twice.schema.name.to_owned()));
    }
    let released = read(path)?;
    let (mut next, mut added, mut reports) = (LockFile::new(), Vec::new(), Vec::new());
    let mut left: BTreeSet<&str> = released.keys().map(String::as_str).collect();
    left.retain(|name| !names.contains(name));
    for now in schemas {
        let name = now.schema.name;
        let known = released.get(name).or_else(|| {
            // A struct may be renamed: its name is not part of what is stored.
            let mut others = left.iter().filter_map(|other| released.get_key_value(*other));
            let (other, schema) = others.find(|(_, old)| same_struct(old, now))?;
            left.remove(other.as_str());
            Some(schema)
        });
        let Some(old) = known else {
            added.push(name.to_owned());
            next.insert(name.to_owned(), now.shape.clone());
            continue;
        };
        let findings = compare(old, now, &released, schemas);
        let merged = merged(old, now);
        let report = Report { schema: name.to_owned(), findings };
        let outdated = !old.agrees_with(&now.shape)
            || old.samples() != merged.samples()
            || !released.contains_key(name);
        // The inside of a type may have changed even if the file matches.
        if outdated || !report.survives() {
            reports.push(report);
        }
        next.insert(name.to_owned(), merged);
    }
    reports.extend(left.iter().map(|name| gone(name)));
    let path = path.to_owned();
    let survives = reports.iter().all(Report::survives);
    match mode {
        Mode::Check | Mode::Ci | Mode::Update if !survives => {
            return Err(LockError::Losses { path, reports });
        }
        Mode::Check | Mode::Ci if !reports.is_empty() => {
            return Err(LockError::Outdated { path, reports });
        }
        Mode::Ci if !added.is_empty() => {
            return Err(LockError::Missing { path, schemas: added });
        }
        Mode::Check | Mode::Ci if added.is_empty() => return Ok(Verified::Unchanged),
        _ => {}
    }
    write(&path, &next)?;
    Ok(if reports.is_empty() && !added.is_empty() {
        Verified::Added(added)
    } else {
        Verified::Updated(reports)
    })
}

/// Whether a schema that the file has under another name is this one.
fn same_struct(old: &LockedSchema, now: &Locked) -> bool {
    let shared = old.fields.keys().filter(|name| now.shape.fields.contains_key(*name)).count();
    old.namespace == now.shape.namespace && shared * 2 > old.fields.len()
}

/// Returns the schema for the new file, with everything that sessions may still hold.
fn merged(old: &LockedSchema, now: &Locked) -> LockedSchema {
    let mut next = now.shape.clone();
    if old.namespace != next.namespace {
        return next;
    }
    for (name, field) in &mut next.fields {
        let known = [name].into_iter().chain(&field.aliases).find_map(|name| old.fields.get(name));
        let Some(known) = known.cloned() else { continue };
        let Some(read_by) = now.field(name) else { continue };
        for sample in known.samples {
            if matches!(Tried::of(&sample, read_by), Tried::Same | Tried::Differs(_)) {
                field.add_sample(sample);
            }
        }
    }
    next.removed = old.removed.clone();
    next.removed.extend(old.fields.clone());
    let read = |name: &String| {
        let mut fields = next.fields.iter();
        fields.any(|(now, field)| now == name || field.aliases.contains(name))
    };
    next.removed.retain(|name, _| !read(name));
    next
}

fn gone(name: &str) -> Report {
    let finding = Finding {
        field: None,
        severity: Severity::Note,
        change: "the struct is not among the schemas of this lock any more".to_owned(),
        effect: "the stored value is kept, but no longer read".to_owned(),
        cure: Some(format!("`{name}` after the path, if it is only missing there")),
    };
    Report { schema: name.to_owned(), findings: vec![finding] }
}

fn read(path: &Path) -> Result<LockFile, LockError> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            file::read(&text).map_err(|fault| LockError::Malformed { path: path.to_owned(), fault })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(LockFile::new()),
        Err(source) => Err(LockError::Io { path: path.to_owned(), source }),
    }
}

/// In one step, so that concurrent readers see either the old file or the new one.
fn write(path: &Path, file: &LockFile) -> Result<(), LockError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    std::fs::write(&beside, file::write(file))
        .and_then(|()| std::fs::rename(&beside, path))
        .map_err(|source| LockError::Io { path: path.to_owned(), source })
}

/// The entry point of the macro.
#[allow(clippy::needless_pass_by_value)] // it is made for this call
#[allow(clippy::print_stderr)] // a test's captured output
#[track_caller]
pub fn assert(root: Option<&str>, path: impl AsRef<Path>, schemas: Vec<Locked>) {
    let path = Path::new(root.unwrap_or_default()).join(path);
    match Mode::from_env().and_then(|mode| verify(&path, &schemas, mode)) {
        Ok(Verified::Unchanged) => {}
        Ok(Verified::Added(names)) => {
            eprintln!("`{}` now knows `{}`: commit it", path.display(), names.join("`, `"));
        }
        Ok(Verified::Updated(reports)) => {
            eprintln!("`{}` was updated:", path.display());
            reports.iter().for_each(|report| eprint!("{report}"));
        }
        Err(error) => panic!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_what_may_be_written() {
        assert_eq!(Mode::of("", false).unwrap(), Mode::Check);
        assert_eq!(Mode::of("", true).unwrap(), Mode::Ci);
        for ci in [false, true] {
            assert_eq!(Mode::of("update", ci).unwrap(), Mode::Update);
            assert_eq!(Mode::of("accept_losses", ci).unwrap(), Mode::AcceptLosses);
            let error = Mode::of("yes", ci).unwrap_err().to_string();
            assert!(error.contains("`update` or `accept_losses`"), "{error}");
        }
    }
}
