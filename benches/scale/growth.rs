//! A store that grows, looked at now and then.

use axum::Router;
use session_benches::many::{Times, sign_in};
use session_benches::plot::{Line, Svg, lines};
use session_benches::scenario::Scenario;
use session_benches::stats::timed;
use session_benches::table::{Table, whole};
use tokio::runtime::Runtime;

/// Parts of the most that are looked at: 100,000 to ten million.
const PARTS: [f64; 5] = [0.01, 0.1, 0.2, 0.5, 1.0];
/// Of so many sessions the cookies are kept, to come again.
const KEPT: usize = 10_000;
/// How many requests of a kind are timed each time.
const REQUESTS: u32 = 10_000;

/// What was seen at one size.
struct Seen {
    sessions: f64,
    bytes: f64,
    /// Medians of a read and of a change, in microseconds.
    times: [f64; 2],
    /// Sign-ins a second on the way there.
    rate: f64,
}

/// Signs in as many as `most`. `bytes` says what all of them take, but for so many cookies.
pub(crate) fn grow(
    runtime: &Runtime,
    router: &Router,
    most: usize,
    in_flight: usize,
    bytes: impl Fn(f64) -> f64,
) -> (Table, Svg) {
    let mut kept: Vec<String> = Vec::new();
    let (mut done, mut seen) = (0, Vec::new());
    for part in PARTS {
        let sessions = (most as f64 * part) as usize;
        let every = most.div_ceil(KEPT);
        eprintln!("scale: {} sessions", whole(sessions as f64));
        let (time, new) = timed(|| sign_in(runtime, router, sessions - done, every, in_flight));
        let rate = (sessions - done) as f64 / time.as_secs_f64();
        kept.extend(new);
        kept.shrink_to_fit();
        let of_cookies = kept.iter().map(|it| it.capacity() + size_of::<String>()).sum::<usize>();
        let bytes = bytes(of_cookies as f64) / sessions as f64;
        let times = [Scenario::Read, Scenario::Change].map(|scenario| {
            let enough = |count, _| count >= REQUESTS;
            Times::of_requests(runtime, router, scenario, &kept, enough).at(0.5)
        });
        seen.push(Seen { sessions: sessions as f64, bytes, times, rate });
        done = sessions;
    }
    (table(&seen), plot(&seen))
}

fn table(seen: &[Seen]) -> Table {
    let mut table =
        Table::new(["bytes per session", "S2, µs", "S3, µs", "sign-ins a second on the way there"]);
    for Seen { sessions, bytes, times: [read, change], rate } in seen {
        let cells = [whole(*bytes), format!("{read:.1}"), format!("{change:.1}"), whole(*rate)];
        table.row(whole(*sessions), cells);
    }
    table
}

fn plot(seen: &[Seen]) -> Svg {
    let line = |name, of: fn(&Seen) -> f64| {
        let points = seen.iter().map(|seen| (seen.sessions, of(seen))).collect();
        Line { name, points }
    };
    lines(
        "sessions",
        &[
            ("bytes per session", vec![line("bytes", |seen| seen.bytes)]),
            (
                "time of a request of a random one, µs",
                vec![
                    line("S2: read", |seen| seen.times[0]),
                    line("S3: change", |seen| seen.times[1]),
                ],
            ),
        ],
    )
}
