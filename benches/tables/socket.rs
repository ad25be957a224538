//! A whole request, over a socket: `axum::serve`, connections that stay open, and a load
//! from another process.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use axum::Router;
use session_benches::client::Client;
use session_benches::plot::bars;
use session_benches::scenario::{Scenario, Size, Who};
use session_benches::stats::{median, ratio, sort_what_is_free};
use session_benches::subjects::service::{Engine, service};
use session_benches::table::{Table, whole};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::Result;
use crate::options::Options;
use crate::provenance::packages;
use crate::section::{Measured, Plot};

/// The cookie of the others changes with each request, which the load cannot follow.
const SCENARIOS: [Scenario; 4] =
    [Scenario::Stranger, Scenario::Read, Scenario::Change, Scenario::Login];
const SUBJECTS: [Who; 4] = [Who::Bare, Who::ByHand, Who::TowerSessions, Who::Ours];
const CONNECTIONS: &str = "32";

/// What a round has seen of one subject.
struct Round {
    per_second: f64,
    /// Processor time of this process, the server's, per request; µs.
    busy: f64,
    /// 99 % of the answers came within so many microseconds.
    slow: f64,
}

pub(crate) fn measure(options: &Options) -> Result<Measured> {
    let servers = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let names = SUBJECTS.map(|who| who.to_string());
    let [mut rates, mut busy, mut slow] = [(); 3].map(|()| Table::new(&names));
    let mut groups = Vec::new();
    for scenario in SCENARIOS.into_iter().filter(|it| options.scenarios.contains(it)) {
        eprintln!("socket: {scenario}");
        let mut seen = SUBJECTS.map(|_| Vec::new());
        for round in 0..=options.rounds(7) {
            for (who, rounds) in SUBJECTS.into_iter().zip(&mut seen) {
                let seconds = if options.quick { 1 } else { 2 };
                let one = one_round(&servers, who, scenario, seconds)?;
                // On the thread of the servers, which has freed the sessions of this round.
                servers.block_on(servers.spawn(async { sort_what_is_free() }))?;
                // The first round warms up.
                if round > 0 {
                    rounds.push(one);
                }
            }
        }
        let column = |rounds: &Vec<Round>, of: fn(&Round) -> f64| -> Vec<f64> {
            rounds.iter().map(of).collect()
        };
        let of = |of: fn(&Round) -> f64| seen.each_ref().map(|rounds| column(rounds, of));
        let all = of(|it| it.per_second);
        let cell = |one: &Vec<f64>| format!("{} ({:.2})", whole(median(one)), ratio(one, &all[0]));
        rates.row(scenario, all.each_ref().map(cell));
        let all = of(|it| it.busy);
        let above = |one: &Vec<f64>| {
            let above: Vec<_> = one.iter().zip(&all[0]).map(|(one, bare)| one - bare).collect();
            format!("{:.1} ({:+.1})", median(one), median(&above))
        };
        busy.row(scenario, all.each_ref().map(above));
        groups.push((scenario.to_string(), all.iter().map(|one| median(one)).collect()));
        slow.row(scenario, of(|it| it.slow).each_ref().map(|one| whole(median(one))));
    }
    let title = "the server's processor time for one request, µs";
    let svg = bars(title, &names, &groups)?;
    let plot = Plot { name: "socket".to_owned(), title: title.to_owned(), svg };
    let tables = format!(
        "Requests a second on one core, as a multiple of bare axum in brackets:\n\n{rates}\n\
         The server's processor time for one request, the kernel's included, µs; in brackets \
         above bare axum:\n\n{busy}\n{}\n\n\
         99 % of the answers within, µs:\n\n{slow}",
        plot.link(),
    );
    let versions = format!("wrk with {CONNECTIONS} connections, {}", packages(&["axum", "hyper"]));
    Ok(Measured { tables, plots: vec![plot], versions })
}

fn one_round(servers: &Runtime, who: Who, scenario: Scenario, seconds: u32) -> Result<Round> {
    let (address, cookie, serving) = servers.block_on(async {
        let router = service(who, Size::Small, &Engine::Memory).await;
        let cookie = match scenario.sends_cookie() {
            true => Client::of(router.clone(), Scenario::Login).await.sign_in().await,
            false => None,
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(serve(listener, router));
        Ok::<_, std::io::Error>((address, cookie, serving))
    })?;
    let before = processor_time();
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "1", "--connections", CONNECTIONS, "--latency"]);
    wrk.args(["--duration", &format!("{seconds}s")]);
    wrk.args(["--header", &format!("Cookie: {}", cookie.as_deref().unwrap_or("none=1"))]);
    wrk.arg(format!("http://{address}{}", scenario.path()));
    let output = wrk.output().map_err(|error| format!("`wrk`, of Debian's package: {error}"))?;
    let spent = processor_time() - before;
    serving.abort();
    until_idle();
    let said = String::from_utf8(output.stdout)?;
    if said.contains("Non-2xx") || said.contains("Socket errors") {
        return Err(said.into());
    }
    let requests = field(&said, |line| line.split_once(" requests in ").map(|(count, _)| count))?;
    Ok(Round {
        per_second: field(&said, |line| line.strip_prefix("Requests/sec:"))?,
        busy: spent / requests,
        slow: field(&said, |line| line.trim().strip_prefix("99%"))?,
    })
}

async fn serve(listener: TcpListener, router: Router) {
    if let Err(error) = axum::serve(listener, router).await {
        eprintln!("{error}");
    }
}

/// Waits until what the round has left behind is gone: a login leaves a session.
fn until_idle() {
    let mut before = processor_time();
    loop {
        sleep(Duration::from_millis(50));
        let now = processor_time();
        if now - before < 1_000.0 {
            return;
        }
        before = now;
    }
}

/// The number in the line that has it; a time in microseconds.
pub(crate) fn field<'s>(said: &'s str, find: impl Fn(&'s str) -> Option<&'s str>) -> Result<f64> {
    let text = said.lines().find_map(find).ok_or_else(|| format!("not what wrk says: {said}"))?;
    let (text, unit) = match text.trim() {
        text if text.ends_with("us") => (&text[..text.len() - 2], 1.0),
        text if text.ends_with("ms") => (&text[..text.len() - 2], 1e3),
        text => match text.strip_suffix('s') {
            Some(text) => (text, 1e6),
            None => (text, 1.0),
        },
    };
    Ok(text.parse::<f64>()? * unit)
}

/// Of all threads of this process so far, in microseconds.
fn processor_time() -> f64 {
    let threads = fs::read_dir("/proc/self/task").expect("this is Linux");
    let of = |thread: std::io::Result<fs::DirEntry>| {
        let stat = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<f64>().ok()
    };
    threads.filter_map(of).sum::<f64>() / 1e3
}
