//! How far we want to go on SQL.

use session_benches::scenario::{Scenario, Size};
use session_benches::table::whole;

use super::place::Kind;
use crate::beside;

/// Of requests a second.
pub(crate) fn rate(kind: Kind, scenario: Scenario, size: Size) -> &'static str {
    match (scenario, kind, size) {
        (Scenario::Read, ..) => "≥ 0.9 of by-hand",
        (Scenario::Change, Kind::Postgres, Size::Small) => "≥ 1 of by-hand",
        (Scenario::Change, Kind::Postgres, Size::Large) => "≥ 1.5 of by-hand",
        (Scenario::Change, Kind::MariaDb | Kind::Sqlite, _) => "≥ 0.9 of by-hand",
        _ => "",
    }
}

/// Of statements that a request sends.
pub(crate) fn statements(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::Read => "1",
        // A load and a change.
        Scenario::Change => "2",
        _ => "",
    }
}

/// What is measured beside the rates and the statements.
#[derive(Clone, Copy)]
pub(crate) enum Cost {
    /// Of S3, when no other request is under way.
    OneAtATime,
    /// Changes that are on disk, without a load before and without a request around.
    Patches,
    /// Bytes of the log, per S3.
    Written(Kind),
    /// In the database, per session that was changed some times.
    Held,
}

impl Cost {
    pub(crate) fn of(kind: Kind) -> Vec<Self> {
        let all = [Self::OneAtATime, Self::Patches, Self::Written(kind), Self::Held];
        // A commit of a server's is shared as the server has it; ours is of interest.
        all.into_iter().filter(|it| kind == Kind::Sqlite || !matches!(it, Self::Patches)).collect()
    }
}

impl beside::Cost for Cost {
    fn name(self) -> String {
        match self {
            Self::OneAtATime => "S3 one at a time, µs",
            Self::Patches => "changes alone, a second",
            Self::Written(Kind::Postgres) => "bytes of WAL per change",
            Self::Written(Kind::MariaDb) => "bytes of redo log per change",
            Self::Written(Kind::Sqlite) => "bytes written per change, log and file",
            Self::Held => "bytes in the database per session",
        }
        .to_owned()
    }

    fn show(self, value: f64) -> String {
        whole(value)
    }

    fn goal(self, size: Size) -> &'static str {
        match (self, size) {
            (Self::Patches, _) => "≥ 0.9 of by-hand",
            (Self::Written(Kind::Postgres), Size::Large) => "≤ 400",
            (Self::Written(Kind::MariaDb), _) => "≤ 1.2 of by-hand",
            (Self::Held, _) => "≤ 1.3 of by-hand",
            (Self::OneAtATime | Self::Written(_), _) => "",
        }
    }
}
