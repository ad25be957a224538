//! What the derive costs the compiler, beside serde's two on the same struct:
//! `cargo bench -p session-benches --bench derive`.

mod measure;
mod output;
mod source;

use std::error::Error;
use std::process::ExitCode;

use measure::{Crate, Meter, Step};
use session_benches::stats::median;
use source::{Subject, Use};

type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

const HELP: &str = "\
cargo bench -p session-benches --bench derive [-- OPTIONS]

  --rounds N        how many interleaved rounds of the times (default 9)
  --copies N        structs in the smaller crate; the larger has twice as many (default 12)
  --instructions    also count instructions, once, with valgrind (some minutes)
  --runtime DIR     another copy of session-runtime, to try a change
";

struct Options {
    rounds: usize,
    copies: usize,
    instructions: bool,
    runtime: Option<String>,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self { rounds: 9, copies: 12, instructions: false, runtime: None };
        while let Some(arg) = args.next() {
            let mut next = || args.next().ok_or_else(|| format!("`{arg}` wants a value\n\n{HELP}"));
            match arg.as_str() {
                "--rounds" => options.rounds = next()?.parse()?,
                "--copies" => options.copies = next()?.parse()?,
                "--instructions" => options.instructions = true,
                "--runtime" => options.runtime = Some(next()?),
                // What cargo adds.
                "--bench" => {}
                _ => return Err(format!("`{arg}` is unknown\n\n{HELP}").into()),
            }
        }
        Ok(options)
    }
}

fn main() -> Result<ExitCode> {
    // Cargo calls this very program in place of the compiler.
    if let Some(code) = measure::as_compiler()? {
        return Ok(code);
    }
    let options = Options::parse(std::env::args().skip(1))?;
    let project = Crate::new(options.runtime.as_deref())?;
    println!("per struct of fifty fields, without the struct itself\n");
    println!("{:28}{:>12}{:>12}{:>8}", "", "serde", "ours", "ratio");

    let bare = output::size(&project, Subject::Bare)?;
    let serde = output::size(&project, Subject::Serde)? - bare;
    let ours = output::size(&project, Subject::Ours)? - bare;
    row("tokens, all expanded", serde.tokens, ours.tokens);
    row("lines, pretty-printed", serde.lines, ours.lines);

    for step in Step::ALL {
        for used in Use::ALL {
            let name = format!("{step}, {used}");
            let mut rounds = Vec::new();
            // The first one compiles the dependencies, and warms up.
            for round in 0..=options.rounds {
                let costs = costs(&project, &options, step, used, Meter::CpuTime)?;
                if round > 0 {
                    rounds.push(costs);
                }
            }
            let of =
                |subject: usize| median(&mut rounds.iter().map(|r| r[subject]).collect::<Vec<_>>());
            row(&format!("{name}: ms of CPU"), of(0), of(1));
            if options.instructions {
                let [serde, ours] = costs(&project, &options, step, used, Meter::Instructions)?;
                row(&format!("{name}: M instr."), serde, ours);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(name: &str, serde: f64, ours: f64) {
    println!("{name:28}{serde:12.1}{ours:12.1}{:8.2}", ours / serde);
}

/// What one struct's derive costs, of serde and of this toolkit. What a crate
/// costs anyway is the same at N structs and at 2 N, and so is the struct.
fn costs(
    project: &Crate,
    options: &Options,
    step: Step,
    used: Use,
    meter: Meter,
) -> Result<[f64; 2]> {
    let per_struct = |subject| -> Result<f64> {
        let cost = |copies| project.compile(&source::of(subject, used, copies), step, meter);
        Ok((cost(2 * options.copies)? - cost(options.copies)?) / options.copies as f64)
    };
    let bare = per_struct(Subject::Bare)?;
    Ok([per_struct(Subject::Serde)? - bare, per_struct(Subject::Ours)? - bare])
}
