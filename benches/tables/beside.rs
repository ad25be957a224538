//! Tables of this toolkit beside its peers, on any kind of server.

use session_benches::scenario::{Scenario, Size, Who};
use session_benches::stats::{median, ratio};
use session_benches::table::{Table, whole};

use crate::Result;

/// What S0 and S1 do asks no server.
pub(crate) const SCENARIOS: [Scenario; 4] =
    [Scenario::Read, Scenario::Change, Scenario::Login, Scenario::Renew];

/// Positions in [`Who::ON_REDIS`] and [`Who::ON_SQL`].
const BY_HAND: usize = 0;
const TOWER_SESSIONS: usize = 1;
const OURS: usize = 2;

/// The rates of all subjects in one scenario, round by round, and the goal.
pub(crate) struct Rates {
    pub(crate) name: String,
    pub(crate) of: Vec<Vec<f64>>,
    pub(crate) goal: &'static str,
}

/// Requests a second, and the medians of the ratios within a round.
pub(crate) fn rates(subjects: &[Who], rows: impl IntoIterator<Item = Rates>) -> Table {
    let names = subjects.iter().map(Who::to_string);
    let more = ["ours : tower-sessions", "ours : by-hand", "goal"].map(str::to_owned);
    let mut table = Table::new(names.chain(more));
    for Rates { name, of, goal } in rows {
        let ratios = [TOWER_SESSIONS, BY_HAND].map(|to| ratio(&of[OURS], &of[to]));
        let ratios = ratios.map(|ratio| format!("{ratio:.2}"));
        let rates = of.iter().map(|rates| whole(median(rates)));
        table.row(name, rates.chain(ratios).chain([goal.to_owned()]));
    }
    table
}

/// What is measured beside the rates.
pub(crate) trait Cost: Copy {
    fn name(self) -> String;
    fn show(self, value: f64) -> String;
    fn goal(self, size: Size) -> &'static str;
}

/// A row per cost and size. `measure` gives a value per subject, or `None` if the
/// command line left out what they follow from.
pub(crate) fn costs<C: Cost>(
    subjects: &[Who],
    costs: &[C],
    sizes: &[Size],
    mut measure: impl FnMut(C, Size) -> Result<Option<Vec<f64>>>,
) -> Result<Table> {
    let names = subjects.iter().map(Who::to_string);
    let mut table = Table::new(names.chain(["goal".to_owned()]));
    for &cost in costs {
        for &size in sizes {
            let name = format!("{}, {size}", cost.name());
            eprintln!("{name}");
            let Some(values) = measure(cost, size)? else { continue };
            let shown = |value: &f64| match value.is_nan() {
                true => "–".to_owned(),
                false => cost.show(*value),
            };
            let cells = values.iter().take(subjects.len()).map(shown);
            table.row(name, cells.chain([cost.goal(size).to_owned()]));
        }
    }
    Ok(table)
}
