//! How far we want to go on Redis.

use session_benches::scenario::{Scenario, Size};
use session_benches::table::whole;

use crate::beside;

/// Of requests a second.
pub(crate) fn rate(scenario: Scenario, size: Size) -> &'static str {
    match (scenario, size) {
        (Scenario::Read, Size::Small) => "≥ 1.3 of tower-sessions",
        (Scenario::Read, Size::Large) => "≥ 2 of tower-sessions",
        (Scenario::Change, Size::Small) => "≥ 1 of tower-sessions",
        (Scenario::Change, Size::Large) => "≥ 2 of tower-sessions, ≥ 1.3 of by-hand",
        (Scenario::Login, Size::Small) => "≥ 0.6 of tower-sessions",
        (Scenario::Login, Size::Large) => "≥ 1.1 of tower-sessions",
        (Scenario::Renew, Size::Small) => "≥ 1.1 of tower-sessions",
        (Scenario::Renew, Size::Large) => "≥ 2 of tower-sessions",
        (Scenario::Stranger | Scenario::Ignored, _) => "",
    }
}

/// What is measured beside the rates.
#[derive(Clone, Copy)]
pub(crate) enum Cost {
    /// Of S3, when no other request is under way.
    OneAtATime,
    /// Of this process, the client library's included.
    Allocations(Scenario),
    /// Of the server, per session that was changed some times.
    Memory,
    /// The server's own time.
    Load,
    /// The server's own time, without that of the load before it.
    Change,
    /// Bytes to the server of S3, a load and a change.
    Sent,
}

impl Cost {
    pub(crate) const ALL: [Self; 7] = [
        Self::OneAtATime,
        Self::Allocations(Scenario::Read),
        Self::Allocations(Scenario::Change),
        Self::Memory,
        Self::Load,
        Self::Change,
        Self::Sent,
    ];
}

impl beside::Cost for Cost {
    fn name(self) -> String {
        match self {
            Self::OneAtATime => "S3 one at a time, µs".to_owned(),
            Self::Allocations(scenario) => format!("allocations, {scenario}"),
            Self::Memory => "bytes of the server's memory per session".to_owned(),
            Self::Load => "server's time for a load, µs".to_owned(),
            Self::Change => "server's time for a change, µs".to_owned(),
            Self::Sent => "bytes sent, load and change".to_owned(),
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::OneAtATime | Self::Memory | Self::Sent => whole(value),
            Self::Allocations(_) => format!("{value:.1}"),
            Self::Load | Self::Change => format!("{value:.2}"),
        }
    }

    fn goal(self, size: Size) -> &'static str {
        match (self, size) {
            (Self::OneAtATime, _) => "≤ 1.1 of by-hand",
            (Self::Allocations(Scenario::Read), Size::Small) => "≤ 40",
            (Self::Allocations(_), Size::Small) => "≤ 65",
            (Self::Memory, Size::Small) => "≤ 560",
            (Self::Memory, Size::Large) => "≤ 1.15 of by-hand",
            (Self::Load, Size::Small) => "≤ 0.6",
            (Self::Load, Size::Large) => "≤ 1.6",
            (Self::Change, _) => "≤ 7",
            (Self::Sent, Size::Large) => "≤ 300",
            (Self::Allocations(_), Size::Large) | (Self::Sent, Size::Small) => "",
        }
    }
}
