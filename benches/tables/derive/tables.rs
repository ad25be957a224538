//! The table: per struct of fifty fields, without the struct itself.

use session_benches::stats::median;
use session_benches::table::{Table, whole};

use super::measure::{Crate, Meter, Step};
use super::output;
use super::source::{self, Subject, Use};
use crate::Result;
use crate::options::Options;
use crate::provenance::packages;
use crate::section::Measured;

pub(crate) fn measure(options: &Options) -> Result<Measured> {
    let project = Crate::new(options.runtime.as_deref())?;
    let mut table = Table::new(["serde", "ours", "ratio"]);
    let mut row = |name: &str, serde: f64, ours: f64| {
        let ratio = format!("{:.2}", ours / serde);
        table.row(name, [whole(serde), whole(ours), ratio]);
    };

    let bare = output::size(&project, Subject::Bare)?;
    let serde = output::size(&project, Subject::Serde)? - bare;
    let ours = output::size(&project, Subject::Ours)? - bare;
    row("tokens, all expanded", serde.tokens, ours.tokens);
    row("lines, pretty-printed", serde.lines, ours.lines);

    for step in Step::ALL {
        for used in Use::ALL {
            let name = format!("{step}, {used}");
            eprintln!("derive: {name}");
            let mut columns = [Vec::new(), Vec::new()];
            // The first one compiles the dependencies, and warms up.
            for round in 0..=options.rounds(5) {
                let costs = costs(&project, options, step, used, Meter::CpuTime)?;
                if round > 0 {
                    columns.iter_mut().zip(costs).for_each(|(column, cost)| column.push(cost));
                }
            }
            row(&format!("{name}: ms of CPU"), median(&columns[0]), median(&columns[1]));
            if options.instructions {
                let [serde, ours] = costs(&project, options, step, used, Meter::Instructions)?;
                row(&format!("{name}: millions of instructions"), serde, ours);
            }
        }
    }
    let tables = format!("Per struct of fifty fields, without the struct itself:\n\n{table}");
    Ok(Measured { tables, plots: Vec::new(), versions: packages(&["serde", "syn"]) })
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
    let copies = if options.quick { 2 } else { 6 };
    let per_struct = |subject| -> Result<f64> {
        let cost = |copies| project.compile(&source::of(subject, used, copies), step, meter);
        Ok((cost(2 * copies)? - cost(copies)?) / copies as f64)
    };
    let bare = per_struct(Subject::Bare)?;
    Ok([per_struct(Subject::Serde)? - bare, per_struct(Subject::Ours)? - bare])
}
