//! The scripts, preceded by what they share and by the constants of one store.

use std::fmt::Write as _;

use super::options::RedisOptions;
use crate::clock::millis;
use crate::id::SessionId;
use crate::record::{COMMIT_LEEWAY, TICKET_LIFETIME, TOMBSTONE};
use crate::store::engine::Bounds;

/// How long a sign-in in a cluster may take, in milliseconds.
pub(super) const RESERVATION: u64 = 30_000;
/// How much longer than needed the server keeps a key, in milliseconds.
const MARGIN: u64 = 60_000;
/// Returns how long the server keeps a session after its expiry time, in milliseconds.
pub(super) fn kept() -> u64 {
    millis(COMMIT_LEEWAY) + MARGIN
}
/// How many entries of an index one call looks at.
pub(super) const STEP: usize = 500;
/// How many entries of an index a reservation returns: more than the largest cap.
pub(super) const CROWD: usize = 1_500;
/// How many keys one step of a walk looks at, and how many steps one script makes: about a
/// millisecond of the server's time.
const SCAN_STEP: usize = 256;
const SCAN_STEPS: usize = 16;
/// How many slots of a cluster one script looks at, including empty ones.
const SLOTS: usize = 2_048;

/// A script and its hash.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) text: String,
    pub(super) sha: String,
}

macro_rules! scripts {
    ($($name:ident: $($file:literal)+;)*) => {
        /// All scripts, for one store.
        #[derive(Debug)]
        pub(super) struct Scripts {
            $(pub(super) $name: Script,)*
        }

        impl Scripts {
            pub(super) fn new(options: &RedisOptions) -> Self {
                let head = head(options);
                Self {
                    $($name: Script::new(&[
                        &head,
                        include_str!("lua/common.lua"),
                        $(include_str!(concat!("lua/", $file, ".lua")),)+
                    ]),)*
                }
            }
        }
    };
}

scripts! {
    read: "read";
    step: "step";
    create: "create";
    enter: "tomb" "index" "enter";
    destroy: "tomb" "destroy";
    reap: "reap";
    page: "page";
    mark: "index" "mark";
    forget: "forget";
    extend: "index" "extend";
    tidy: "index" "tidy";
    reserve: "index" "reserve";
    confirm: "index" "confirm";
    scan: "names" "scan";
    slots: "names" "slots";
}

impl Script {
    fn new(parts: &[&str]) -> Self {
        let text = parts.concat();
        let sha = redis::Script::new(&text).get_hash().to_owned();
        Self { text, sha }
    }
}

/// Returns the constants and the clock function.
fn head(options: &RedisOptions) -> String {
    let mut head = String::from("local PREFIX = '");
    for byte in options.prefix.bytes() {
        let _ = write!(head, "\\{byte:03}");
    }
    head.push_str("'\n");
    let bounds = Bounds::new(options.limits, !options.split);
    let bound = |bytes: usize| match bytes {
        usize::MAX => "math.huge".to_owned(),
        bytes => bytes.to_string(),
    };
    let numbers = [
        ("MOST", bound(bounds.most)),
        ("LIMIT", bound(bounds.limit)),
        ("LEEWAY", millis(COMMIT_LEEWAY).to_string()),
        ("TOMBSTONE", (millis(TOMBSTONE) + 1_000).to_string()),
        ("TICKET_LIFETIME", millis(TICKET_LIFETIME).to_string()),
        ("MARGIN", MARGIN.to_string()),
        ("RESERVATION", RESERVATION.to_string()),
        ("STEP", STEP.to_string()),
        ("SCAN_STEP", SCAN_STEP.to_string()),
        ("SCAN_STEPS", SCAN_STEPS.to_string()),
        ("SLOTS", SLOTS.to_string()),
        ("ID", SessionId::TEXT.to_string()),
    ];
    for (name, value) in numbers {
        let _ = writeln!(head, "local {name} = {value}");
    }
    head.push_str(if options.clock.is_frozen() { TOLD } else { OWN });
    head
}

/// The clock function that uses the server's time.
const OWN: &str = "local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
";

/// The clock function that uses the time of a frozen clock, passed as the last argument.
const TOLD: &str = "local TOLD = tonumber(table.remove(ARGV))
local function clock() return TOLD end
";
