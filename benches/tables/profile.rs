//! One subject in one scenario and nothing else, for a profiler.

use std::time::Duration;

use session_benches::client::Client;
use session_benches::scenario::{Scenario, Size, Who};
use session_benches::stats::{runtime, timed};
use session_benches::subjects::service::{Engine, service};

use crate::redis::server::Server;
use crate::section::Section;
use crate::{Result, load};

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Amount {
    Time(Duration),
    Requests(u32),
}

pub(crate) struct Profile {
    section: Section,
    who: Who,
    scenario: Scenario,
    size: Size,
    amount: Amount,
}

impl Profile {
    /// Of a text such as `ours:S3:small`.
    pub(crate) fn parse(section: Section, text: &str, amount: Amount) -> Result<Self> {
        let [who, scenario, size] = text.split(':').collect::<Vec<_>>()[..] else {
            return Err(format!("`{text}` is not like `ours:S3:small`").into());
        };
        let (who, scenario, size) = (who.parse()?, scenario.parse()?, size.parse()?);
        Ok(Self { section, who, scenario, size, amount })
    }
}

pub(crate) fn run(profile: &Profile) -> Result {
    let (time, requests) =
        if profile.section == Section::Redis { on_redis(profile)? } else { in_process(profile) };
    eprintln!("{requests} requests, {:.0} a second", f64::from(requests) / time.as_secs_f64());
    Ok(())
}

fn in_process(profile: &Profile) -> (Duration, u32) {
    let runtime = runtime();
    let service = runtime.block_on(service(profile.who, profile.size, &Engine::Memory));
    let mut client = runtime.block_on(Client::of(service, profile.scenario));
    let mut send = |count| timed(|| runtime.block_on(client.requests(count))).0;
    match profile.amount {
        Amount::Requests(count) => (send(count), count),
        Amount::Time(time) => {
            const AT_ONCE: u32 = 1_000;
            let (mut spent, mut requests) = (Duration::ZERO, 0);
            while spent < time {
                spent += send(AT_ONCE);
                requests += AT_ONCE;
            }
            (spent, requests)
        }
    }
}

fn on_redis(profile: &Profile) -> Result<(Duration, u32)> {
    let runtime = load::runtime()?;
    let server = Server::start()?;
    runtime.block_on(async {
        let service = service(profile.who, profile.size, &Engine::Redis(server.url())).await;
        let mut clients = load::clients(&service, profile.scenario, load::IN_FLIGHT).await;
        let round = load::round(&mut clients, profile.amount).await;
        Ok((round.time, round.took.len() as u32))
    })
}
