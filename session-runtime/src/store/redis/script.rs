//! The scripts, with what they share and the constants of one store in front.

use std::fmt::Write as _;

use crate::clock::millis;
use crate::id::SessionId;
use crate::record::{
    COMMIT_LEEWAY, MAX_LIFETIME, PatchLog, ROTATION_GRACE, RetiredSecrets, TICKET_LIFETIME,
    TOMBSTONE, UNLIMITED_TOUCH,
};
use crate::store::limits::Limits;

/// How long a sign-in in a cluster may be under way, in milliseconds.
pub(super) const RESERVATION: u64 = 30_000;
/// How much longer than needed the server keeps a key, in milliseconds.
const MARGIN: u64 = 60_000;
/// Keys that one step of a walk looks at, and steps of one script: a millisecond
/// or so of the server's time.
const SCAN_STEP: usize = 256;
const SCAN_STEPS: usize = 16;
/// Slots of a cluster that one script looks at, empty ones too.
const SLOTS: usize = 2_048;

/// A script, and what it is called by.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) text: String,
    pub(super) sha: String,
}

macro_rules! scripts {
    ($($name:ident: $($file:literal)+;)*) => {
        /// All of them, for one prefix and one set of limits.
        #[derive(Debug)]
        pub(super) struct Scripts {
            $(pub(super) $name: Script,)*
        }

        impl Scripts {
            pub(super) fn new(prefix: &str, limits: &Limits) -> Self {
                let head = constants(prefix, limits);
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
    load: "tomb" "load";
    reload: "reload";
    look: "look";
    create: "tomb" "index" "admit" "create";
    apply: "apply";
    sign_in: "tomb" "index" "admit" "apply";
    destroy: "tomb" "destroy";
    reap: "tomb" "reap";
    reserve: "index" "reserve";
    confirm: "index" "confirm";
    members: "index" "members";
    forget: "forget";
    extend: "index" "extend";
    extended: "extended";
    tidy: "index" "tidy";
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

fn constants(prefix: &str, limits: &Limits) -> String {
    let mut head = String::from("local PREFIX = '");
    for byte in prefix.bytes() {
        let _ = write!(head, "\\{byte:03}");
    }
    head.push_str("'\n");
    let limit = |bytes: usize| match bytes {
        usize::MAX => "math.huge".to_owned(),
        bytes => bytes.to_string(),
    };
    let numbers = [
        ("FIELD", limit(limits.field)),
        ("RECORD", limit(limits.record)),
        ("MAX_LIFETIME", millis(MAX_LIFETIME).to_string()),
        ("LEEWAY", millis(COMMIT_LEEWAY).to_string()),
        ("TOMBSTONE", millis(TOMBSTONE).to_string()),
        ("GRACE", millis(ROTATION_GRACE).to_string()),
        ("TICKET_LIFETIME", millis(TICKET_LIFETIME).to_string()),
        ("UNLIMITED_TOUCH", millis(UNLIMITED_TOUCH).to_string()),
        ("RETIRED", RetiredSecrets::LEN.to_string()),
        ("PATCHES", PatchLog::LEN.to_string()),
        ("MARGIN", MARGIN.to_string()),
        ("RESERVATION", RESERVATION.to_string()),
        ("SCAN_STEP", SCAN_STEP.to_string()),
        ("SCAN_STEPS", SCAN_STEPS.to_string()),
        ("SLOTS", SLOTS.to_string()),
        ("ID", SessionId::TEXT.to_string()),
    ];
    for (name, value) in numbers {
        let _ = writeln!(head, "local {name} = {value}");
    }
    head
}
