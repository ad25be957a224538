//! One subject in one scenario and nothing else, for a profiler.

use std::time::Duration;

use session_benches::client::Client;
use session_benches::scenario::{Scenario, Size, Who};
use session_benches::stats::{runtime, timed};
use session_benches::subjects::service::{Engine, service};

use crate::redis::server::Server;
use crate::sql::place::{self, Kind};
use crate::{Result, load};

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Amount {
    Time(Duration),
    Requests(u32),
}

/// Where the sessions are.
pub(crate) enum Place {
    Memory,
    Redis,
    Sql(Kind),
}

pub(crate) struct Profile {
    place: Place,
    who: Who,
    scenario: Scenario,
    size: Size,
    amount: Amount,
}

impl Profile {
    /// Of a text such as `ours:S3:small`.
    pub(crate) fn parse(place: Place, text: &str, amount: Amount) -> Result<Self> {
        let [who, scenario, size] = text.split(':').collect::<Vec<_>>()[..] else {
            return Err(format!("`{text}` is not like `ours:S3:small`").into());
        };
        let (who, scenario, size) = (who.parse()?, scenario.parse()?, size.parse()?);
        Ok(Self { place, who, scenario, size, amount })
    }
}

pub(crate) fn run(profile: &Profile) -> Result {
    let (time, requests) = match profile.place {
        Place::Memory => in_process(profile),
        Place::Redis => {
            let server = Server::start()?;
            load::runtime()?.block_on(in_flight(profile, &Engine::Redis(server.url())))
        }
        Place::Sql(kind) => load::runtime()?.block_on(on_sql(profile, kind))?,
    };
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

async fn on_sql(profile: &Profile, kind: Kind) -> Result<(Duration, u32)> {
    let place = place::Place::start(kind).await.ok_or("it is not installed")?;
    Ok(in_flight(profile, &place.empty("profile").await).await)
}

async fn in_flight(profile: &Profile, engine: &Engine) -> (Duration, u32) {
    let service = service(profile.who, profile.size, engine).await;
    let mut clients = load::clients(&service, profile.scenario, load::IN_FLIGHT).await;
    let round = load::round(&mut clients, profile.amount).await;
    (round.time, round.requests)
}
