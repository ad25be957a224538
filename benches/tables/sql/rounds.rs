//! One scenario, of all subjects in turn.

use session_benches::client::Client;
use session_benches::scenario::{Scenario, Size, Who};
use session_benches::stats::median;
use session_benches::subjects::service::service;

use super::place::Place;
use crate::load::{self, Round};
use crate::options::Options;
use crate::turns::{Meter, take_turns};

/// What was seen of one subject.
pub(crate) struct Seen {
    /// Statements of a request, where they are counted.
    pub(crate) statements: Option<f64>,
    pub(crate) per_second: Vec<f64>,
    /// Bytes of the log, per request.
    pub(crate) written: f64,
}

/// What subjects call their databases.
pub(crate) fn database(who: Who) -> String {
    who.to_string().replace('-', "_")
}

pub(crate) async fn rounds(
    place: &Place,
    options: &Options,
    size: Size,
    scenario: Scenario,
    in_flight: usize,
) -> Vec<Seen> {
    let (mut services, mut subjects) = (Vec::new(), Vec::new());
    for who in Who::ON_SQL {
        let engine = place.empty(&database(who)).await;
        let service = service(who, size, &engine).await;
        subjects.push((load::clients(&service, scenario, in_flight).await, Log(place)));
        services.push(service);
    }
    // So that the rounds are without one. The first one changes every page.
    place.checkpoint();
    let rounds = take_turns(&mut subjects, options).await;
    let mut all = Vec::new();
    for (service, rounds) in services.into_iter().zip(rounds) {
        // All connections are there by now, and know their statements.
        let statements = statements(place, Client::of(service, scenario).await).await;
        let (per_second, written): (Vec<_>, Vec<_>) = rounds.into_iter().unzip();
        all.push(Seen { statements, per_second, written: median(&written) });
    }
    all
}

/// Requests a second, and bytes of the log per request.
struct Log<'p>(&'p Place);

impl Meter for Log<'_> {
    type Before = f64;
    type Seen = (f64, f64);

    async fn begin(&self) -> f64 {
        self.0.written().await
    }

    async fn end(&self, before: f64, round: &Round) -> (f64, f64) {
        let written = self.0.written().await - before;
        (round.per_second(), written / f64::from(round.requests))
    }
}

async fn statements(place: &Place, mut client: Client) -> Option<f64> {
    const REQUESTS: u32 = 200;
    let before = place.statements().await?;
    // What the question itself costs.
    let nothing = place.statements().await? - before;
    let before = place.statements().await?;
    client.requests(REQUESTS).await;
    Some((place.statements().await? - before - nothing) / f64::from(REQUESTS))
}
