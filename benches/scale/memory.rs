//! In the memory of this process.

use std::thread::sleep;
use std::time::Duration;

use session_benches::many::Lasting;
use session_benches::plot::Svg;
use session_benches::shape::Small;
use session_benches::stats::runtime;
use session_benches::subjects::ours;
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::store::MemoryStore;

use crate::growth::grow;
use crate::in_use;

pub(crate) fn measure(most: usize) -> (String, Svg) {
    let runtime = runtime();
    let before = in_use();
    let clock = Clock::frozen(Timestamp::from_millis(1_800_000_000_000));
    let store = MemoryStore::with_clock(clock.clone());
    let router = ours::router::<Small>(store.clone());
    let (grown, plot) =
        grow(&runtime, &router, most, 1, |of_cookies| in_use() - before - of_cookies);

    let full = in_use() - before;
    let floor = before + full / 10.0;
    let lasting = Lasting::in_store(&runtime, store);
    let (spent, time) = lasting.through(
        || clock.advance(Duration::from_secs(2 * 60 * 60)),
        |spent| in_use() < floor || spent > 300.0,
    );
    sleep(Duration::from_secs(2));
    let left = 100.0 * (in_use() - before) / full;
    let tables = format!(
        "{grown}\n{spent}\n90 % of the heap was free after {:.1} s, {:.1} % in the end.",
        time.as_secs_f64(),
        100.0 - left
    );
    (tables, plot)
}
