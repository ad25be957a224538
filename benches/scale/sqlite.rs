//! In a file of SQLite.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use session_benches::many::Lasting;
use session_benches::plot::Svg;
use session_benches::shape::Small;
use session_benches::stats::runtime;
use session_benches::subjects::ours;
use session_benches::table::whole;
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::store::{SessionStore, SqliteStore};

use crate::growth::grow;

/// Sign-ins that wait for the disk together.
const IN_FLIGHT: usize = 256;
/// What the store itself removes at a time.
const STEP: usize = 64;

pub(crate) fn measure(most: usize) -> (String, Svg) {
    let runtime = runtime();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("sessions.db");
    let clock = Clock::frozen(Timestamp::from_millis(1_800_000_000_000));
    let options = SqliteStore::options().clock(clock.clone()).sweep_interval(None);
    let store = runtime.block_on(options.open(&file)).expect("a file");
    let router = ours::router::<Small>(store.clone());
    let (grown, plot) = grow(&runtime, &router, most, IN_FLIGHT, |_| size(&file));

    let lasting = Lasting::in_store(&runtime, store.clone());
    let swept = Arc::new(AtomicBool::new(false));
    let mut sweeping = None;
    let (spent, time) = lasting.through(
        || {
            clock.advance(Duration::from_secs(2 * 60 * 60));
            sweeping = Some(sweep(store, Arc::clone(&swept)));
        },
        |spent| swept.load(Ordering::Acquire) || spent > 3_600.0,
    );
    let removed = sweeping.map_or(0, |thread| thread.join().expect("it sweeps")) as f64;
    let tables = format!(
        "{grown}\n{spent}\n{} records were removed in {:.0} s, {} a second.",
        whole(removed),
        time.as_secs_f64(),
        whole(removed / time.as_secs_f64()),
    );
    (tables, plot)
}

/// Removes what is due as the store itself does, without its pauses.
fn sweep(store: SqliteStore, swept: Arc<AtomicBool>) -> JoinHandle<usize> {
    std::thread::spawn(move || {
        let removed = runtime().block_on(async {
            let mut removed = 0;
            loop {
                let step = store.sweep(STEP).await.expect("it sweeps");
                removed += step.removed;
                if !step.more {
                    return removed;
                }
            }
        });
        swept.store(true, Ordering::Release);
        removed
    })
}

/// Of the file and its log.
fn size(file: &Path) -> f64 {
    let log = file.with_extension("db-wal");
    let files = [file, &log].into_iter().filter_map(|file| std::fs::metadata(file).ok());
    files.map(|file| file.len()).sum::<u64>() as f64
}
