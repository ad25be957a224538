//! A crate of its own, and what the compiler spends on it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::Result;

/// What is asked of the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// As `cargo check` does.
    Check,
    /// As `cargo build` does.
    Build,
}

impl Step {
    pub(crate) const ALL: [Self; 2] = [Self::Check, Self::Build];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Check => "check",
            Self::Build => "build",
        })
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meter {
    /// Milliseconds of all threads, in steps of ten.
    CpuTime,
    /// Millions, under valgrind.
    Instructions,
}

/// Where the compiler's stand-in writes what it measured.
const RESULT: &str = "SESSION_BENCHES_RESULT";
/// Present if it counts instructions.
const VALGRIND: &str = "SESSION_BENCHES_VALGRIND";

/// A project below the target directory, with a target directory of its own.
pub(crate) struct Crate {
    dir: PathBuf,
}

impl Crate {
    pub(crate) fn new(runtime: Option<&str>) -> Result<Self> {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("derive");
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let runtime = runtime
            .map_or_else(|| workspace.join("session-runtime"), PathBuf::from)
            .canonicalize()?;
        fs::create_dir_all(dir.join("src"))?;
        let manifest = format!(
            "[package]\nname = \"derived\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
             axum-core = \"0.5\"\nhttp = \"1\"\nserde = {{ version = \"1\", features = [\"derive\"] }}\n\
             serde_json = \"1\"\nsession-runtime = {{ path = {runtime:?} }}\n"
        );
        fs::write(dir.join("Cargo.toml"), manifest)?;
        // The versions that everything else is measured with.
        fs::copy(workspace.join("Cargo.lock"), dir.join("Cargo.lock"))?;
        Ok(Self { dir })
    }

    /// What the compiler alone spends on a crate of this source.
    pub(crate) fn compile(&self, source: &str, step: Step, meter: Meter) -> Result<f64> {
        fs::write(self.dir.join("src/lib.rs"), source)?;
        let result = self.dir.join("result");
        let mut cargo = self.cargo(match step {
            Step::Check => "check",
            Step::Build => "build",
        });
        cargo.env("RUSTC_WORKSPACE_WRAPPER", std::env::current_exe()?).env(RESULT, &result);
        if meter == Meter::Instructions {
            cargo.env(VALGRIND, "1");
        }
        run(&mut cargo)?;
        Ok(fs::read_to_string(result)?.trim().parse()?)
    }

    /// Cargo in that project, saying nothing but errors.
    pub(crate) fn cargo(&self, command: &str) -> Command {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([command, "--quiet"]).current_dir(&self.dir).env("CARGO_INCREMENTAL", "0");
        cargo.env("CARGO_TARGET_DIR", self.dir.join("target"));
        cargo
    }

    pub(crate) fn write(&self, source: &str) -> Result {
        Ok(fs::write(self.dir.join("src/lib.rs"), source)?)
    }
}

/// Its standard output.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The part of the compiler, if cargo gave us that: runs it and measures.
pub(crate) fn as_compiler() -> Result<Option<ExitCode>> {
    let Ok(result) = std::env::var(RESULT) else { return Ok(None) };
    let mut args = std::env::args().skip(1);
    let rustc = args.next().ok_or("cargo names the compiler")?;
    let args: Vec<_> = args.collect();
    // What cargo asks before it compiles.
    let asks = !args.iter().any(|arg| arg.starts_with("--emit"));
    let counted = format!("{result}.counted");
    let mut command = if std::env::var(VALGRIND).is_ok() && !asks {
        let mut valgrind = Command::new("valgrind");
        let file = format!("--cachegrind-out-file={counted}");
        valgrind.args(["--tool=cachegrind", "--cache-sim=no", "-q", &file]);
        // The compiler itself, not the proxy in front of it.
        let root = run(Command::new(&rustc).args(["--print", "sysroot"]))?;
        valgrind.arg(Path::new(root.trim()).join("bin/rustc"));
        valgrind.env("LD_LIBRARY_PATH", Path::new(root.trim()).join("lib"));
        valgrind
    } else {
        Command::new(rustc)
    };
    let status = command.args(args).status()?;
    if !asks {
        let value = match fs::read_to_string(&counted) {
            Ok(counted) => {
                fs::remove_file(counted_path(&result))?;
                let summary = counted.lines().find_map(|line| line.strip_prefix("summary:"));
                summary.ok_or("a summary of valgrind")?.trim().parse::<f64>()? / 1e6
            }
            Err(_) => cpu_time()?,
        };
        fs::write(result, value.to_string())?;
    }
    Ok(Some(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

fn counted_path(result: &str) -> String {
    format!("{result}.counted")
}

/// Milliseconds that this process's children took, which are over.
pub(crate) fn cpu_time() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // After the name, which is in brackets: `cutime` and `cstime` are the 14th
    // and 15th, in hundredths of a second.
    let (_, fields) = stat.rsplit_once(')').ok_or("a process")?;
    let ticks = fields.split_whitespace().skip(13).take(2).map(str::parse::<f64>);
    Ok(10.0 * ticks.sum::<std::result::Result<f64, _>>()?)
}
