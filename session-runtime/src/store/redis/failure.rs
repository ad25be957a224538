//! Failures between the store and its server.
//!
//! The server's own message is not repeated: it quotes arguments, and so hashes of secrets, fields,
//! even a password (`unknown command 'HELLO', with args beginning with: …`). A failure contains the
//! error code, and our own text for known codes.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::rights;
use crate::record::form::InvalidForm;
use crate::store::engine::{self, Doubt};
use crate::store::error::{StoreError, StoreErrorKind};

/// A call that failed.
#[derive(Debug)]
pub(super) struct Failure {
    kind: StoreErrorKind,
    text: String,
    /// Whether the server closed the connection without answering.
    hung_up: bool,
    /// Whether the request may have reached the server.
    pub(super) maybe_done: bool,
}

impl Failure {
    pub(super) fn new(kind: StoreErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), hung_up: false, maybe_done: false }
    }

    pub(super) fn corrupt(what: &str) -> Self {
        Self::new(StoreErrorKind::Corrupt, format!("a stored {what} is not what this store writes"))
    }

    pub(super) fn config(text: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Config, text)
    }

    pub(super) fn timeout(text: &str) -> Self {
        Self::new(StoreErrorKind::Timeout, text)
    }

    /// Creates the failure of an error of the server or the client library, without what was sent.
    pub(super) fn of(error: &RedisError) -> Self {
        match said(error) {
            Some((code, detail)) => Self::said(&code, &detail),
            None => Self::of_client(error),
        }
    }

    /// Creates the failure of a server's error, given in parts.
    pub(super) fn said(code: &str, detail: &str) -> Self {
        let known = KNOWN.iter().find(|known| known.code == code && detail.contains(known.holds));
        let (kind, text) = match (rights::named_in(detail), known) {
            (Some(command), _) if detail.contains("no permissions to run") => (
                StoreErrorKind::Config,
                format!("the user may not run `{command}` (`ACL SETUSER … +{command}`)"),
            ),
            (Some(command), _) if detail.starts_with("unknown ") => (
                StoreErrorKind::Config,
                format!("the server knows no `{command}`: it is switched off or renamed there"),
            ),
            (_, Some(known)) => (known.kind, known.text.to_owned()),
            (_, None) => (StoreErrorKind::Unavailable, unknown(detail)),
        };
        let is_code = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
        let is_code = (1..=32).contains(&code.len()) && code.bytes().all(is_code);
        let code = if is_code { code } else { "an error" };
        Self::new(kind, format!("{code}: {text}"))
    }

    fn of_client(error: &RedisError) -> Self {
        let kind = match error.kind() {
            _ if is_untrusted(error) => StoreErrorKind::Config,
            ErrorKind::InvalidClientConfig
            | ErrorKind::AuthenticationFailed
            | ErrorKind::RESP3NotSupported
            | ErrorKind::EmptySentinelList => StoreErrorKind::Config,
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => StoreErrorKind::Corrupt,
            _ => StoreErrorKind::Unavailable,
        };
        let text = match error.kind() {
            ErrorKind::AuthenticationFailed => {
                "the server refuses the user or the password".to_owned()
            }
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
                "an answer that is not one of Redis".to_owned()
            }
            // From the operating system, or from TLS.
            ErrorKind::Io if std::error::Error::source(error).is_some() => error.to_string(),
            // The library's own text comes first; what follows may quote.
            _ => {
                let text = error.to_string();
                text.split(" - ").next().unwrap_or_default().to_owned()
            }
        };
        let hung_up = error.is_connection_dropped() && !error.is_connection_refusal();
        Self { hung_up, ..Self::new(kind, text) }
    }

    pub(super) fn maybe_done(mut self, maybe: bool) -> Self {
        self.maybe_done = maybe;
        self
    }

    pub(super) const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    pub(super) const fn is_hung_up(&self) -> bool {
        self.hung_up
    }

    /// Whether the keys are migrating to another server, so that several commands about them cannot
    /// be answered in one place.
    pub(super) fn is_on_its_way(&self) -> bool {
        self.has_code("ASK") || self.has_code("TRYAGAIN")
    }

    /// Whether the server answered with this code.
    pub(super) fn has_code(&self, code: &str) -> bool {
        self.text.strip_prefix(code).is_some_and(|rest| rest.starts_with(": "))
    }
}

/// What a script reports if the base has migrated to another server before its session.
const NOT_HERE: &str = "attempted to access a non local key";
const ON_ITS_WAY: &str = "the keys are being moved to another server";

/// A server error that the store knows.
struct Known {
    code: &'static str,
    /// What its text contains.
    holds: &'static str,
    kind: StoreErrorKind,
    text: &'static str,
}

const fn known(
    code: &'static str,
    holds: &'static str,
    kind: StoreErrorKind,
    text: &'static str,
) -> Known {
    Known { code, holds, kind, text }
}

const CONFIG: StoreErrorKind = StoreErrorKind::Config;
const UNAVAILABLE: StoreErrorKind = StoreErrorKind::Unavailable;
const FULL: StoreErrorKind = StoreErrorKind::Full;

const KEYS: &str = "the user may not use the store's keys (`ACL SETUSER … ~session:* ~{session:*}b`, or what \
     `prefix` is)";
const RIGHTS: &str = "the user may not do this: docs/redis.md lists the rights needed";
const UNKNOWN: &str = "the server does not know a command that the store's scripts call";

/// The known errors; the first match counts. Inside a script, the code of another error may be part
/// of the text of a plain one.
const KNOWN: &[Known] = &[
    known("OOM", "", FULL, "the server has no memory left (`maxmemory`)"),
    known("MISCONF", "", FULL, "the server cannot save, and so takes no writes"),
    known("ERR", "OOM command not allowed", FULL, "the server has no memory left (`maxmemory`)"),
    known("ERR", "OOM allow-oom", FULL, "the server has no memory left (`maxmemory`)"),
    known("ERR", "MISCONF ", FULL, "the server cannot save, and so takes no writes"),
    known("NOAUTH", "", CONFIG, "the server asks for a password: `redis://user:password@host`"),
    known("WRONGPASS", "", CONFIG, "the server refuses the user or the password"),
    known(
        "DENIED",
        "",
        CONFIG,
        "the server is in protected mode, and serves its own machine only: give it a password, \
         or set `protected-mode no` there",
    ),
    known("NOPERM", " to access", CONFIG, KEYS),
    known("ERR", "can't access", CONFIG, KEYS),
    known("ERR", "No permissions to access", CONFIG, KEYS),
    known("NOPERM", "", CONFIG, RIGHTS),
    known("ERR", "can't run this command", CONFIG, RIGHTS),
    known("ERR", "ACL failure", CONFIG, RIGHTS),
    known("NOPROTO", "", CONFIG, "the server does not speak this version of the protocol"),
    known("ERR", "DB index is out of range", CONFIG, "the server has no database of this number"),
    known("ERR", "invalid DB index", CONFIG, "the server has no database of this number"),
    known(
        "ERR",
        "SELECT is not allowed in cluster mode",
        CONFIG,
        "this server is part of a cluster: write `redis+cluster://` for `redis://`, and no number \
         of a database",
    ),
    known(
        "ERR",
        "cluster support disabled",
        CONFIG,
        "this server is not part of a cluster: write `redis://` for `redis+cluster://`",
    ),
    known(
        "CROSSSLOT",
        "",
        CONFIG,
        "the server spreads keys over slots: write `redis+cluster://` for `redis://`, or set \
         `sharding_proxy` for a proxy",
    ),
    known("ERR", "unknown ", CONFIG, "the server does not know a command that the store sends"),
    known("ERR", "Unknown Redis command", CONFIG, UNKNOWN),
    known("ERR", "Unknown command", CONFIG, UNKNOWN),
    known("ERR", "max number of clients", UNAVAILABLE, "too many connections (`maxclients`)"),
    known("LOADING", "", UNAVAILABLE, "the server is still loading its data"),
    known("READONLY", "", UNAVAILABLE, "the server is a replica now, and takes no writes"),
    known("MASTERDOWN", "", UNAVAILABLE, "the server has lost its primary"),
    known("TRYAGAIN", "", UNAVAILABLE, ON_ITS_WAY),
    known("ERR", NOT_HERE, UNAVAILABLE, ON_ITS_WAY),
    known("ASK", "", UNAVAILABLE, ON_ITS_WAY),
    known("CLUSTERDOWN", "", UNAVAILABLE, "the cluster does not serve all slots"),
    known("NOREPLICAS", "", UNAVAILABLE, "too few replicas (`min-replicas-to-write`)"),
    known("BUSY", "", UNAVAILABLE, "a script keeps the server busy"),
    known("MOVED", "", UNAVAILABLE, "the key is on another server of the cluster"),
    known("NOSCRIPT", "", UNAVAILABLE, "the server has forgotten a script"),
    known(
        "WRONGTYPE",
        "",
        StoreErrorKind::Corrupt,
        "a key under the prefix is not what this store writes",
    ),
];

/// Describes an unknown error; of a script, at most by its line.
fn unknown(detail: &str) -> String {
    let line = detail
        .split("user_script:")
        .nth(1)
        .map(|rest| rest.chars().take_while(char::is_ascii_digit).take(6).collect::<String>());
    match line.filter(|line| !line.is_empty()) {
        Some(line) => format!("a script has failed in line {line}"),
        None => {
            "the server rejected the request; its message is left out, because it may quote data"
                .into()
        }
    }
}

/// Returns code and text of a server's answer.
fn said(error: &RedisError) -> Option<(String, String)> {
    match error.clone().into_server_errors() {
        Some(errors) => {
            let (_, error) = errors.first()?;
            Some((error.code().to_owned(), error.details().unwrap_or_default().to_owned()))
        }
        // The client library has added its own text.
        None => Some((error.code()?.to_owned(), error.detail().unwrap_or_default().to_owned())),
    }
}

/// Whether the server certainly did nothing, because it rejected the request. A script that it
/// aborted may be half done.
pub(super) fn is_refused(error: &RedisError) -> bool {
    let is_unknown = || error.detail().is_some_and(|text| text.starts_with("unknown "));
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::ResponseError) => is_unknown(),
        _ => error.code().is_some(),
    }
}

/// Whether the server's certificate is not trusted, or it does not speak TLS. A retry would not
/// help.
#[cfg(feature = "redis-tls")]
fn is_untrusted(error: &RedisError) -> bool {
    use std::error::Error;
    use std::io;
    use std::sync::Arc;

    let Some(source) = error.source() else { return false };
    let io = source.downcast_ref::<io::Error>().or_else(|| {
        source.downcast_ref::<Arc<dyn Error + Send + Sync>>()?.downcast_ref::<io::Error>()
    });
    let tls = io.and_then(io::Error::get_ref).and_then(|inner| inner.downcast_ref());
    tls.is_some_and(|error: &rustls::Error| {
        matches!(
            error,
            rustls::Error::InvalidCertificate(_)
                | rustls::Error::NoCertificatesPresented
                | rustls::Error::UnsupportedNameType
                | rustls::Error::PeerIncompatible(_)
                | rustls::Error::AlertReceived(_)
                | rustls::Error::InvalidMessage(_)
        )
    })
}

#[cfg(not(feature = "redis-tls"))]
const fn is_untrusted(_: &RedisError) -> bool {
    false
}

fn is_not_here(error: &RedisError) -> bool {
    said(error).is_some_and(|(_, text)| text.contains(NOT_HERE))
}

/// Whether a retry, on another connection or later, may succeed.
pub(super) fn is_passing(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Io => !is_untrusted(error),
        ErrorKind::ClusterConnectionNotFound
        | ErrorKind::NoValidReplicasFoundBySentinel
        // Sentinel also hides a master that is down.
        | ErrorKind::MasterNameNotFoundBySentinel => true,
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::BusyLoading
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
        ) || is_not_here(error),
        _ => false,
    }
}

impl From<InvalidForm> for Failure {
    fn from(invalid: InvalidForm) -> Self {
        Self::new(StoreErrorKind::Corrupt, invalid.to_string())
    }
}

impl From<Failure> for engine::Failure {
    fn from(failure: Failure) -> Self {
        let doubt = if failure.maybe_done { Doubt::MaybeDone } else { Doubt::None };
        Self::new(failure.kind, failure.text).in_doubt(doubt)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::because(failure.kind, failure.text)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    fn of(line: &str) -> Failure {
        let value = parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        Failure::of(&value.extract_error().unwrap_err())
    }

    #[test]
    fn no_word_of_a_server_is_repeated() {
        let lines = [
            "ERR unknown command 'EVALSHA', with args beginning with: 'hunter2'",
            "ERR unknown command 'hunter2', with args beginning with: 'hunter2'",
            "ERR unknown command `HELLO`, with args beginning with: `3` `AUTH` `u` `hunter2`",
            "ERR Unknown Redis command called from script hunter2",
            "ERR user_script:12: hunter2 script: abc, on @user_script:12.",
            "ERR hunter2",
            "WRONGTYPE hunter2",
            "NOPERM User hunter2 has no permissions to run the 'hunter2' command",
            "HUNTER hunter2",
            "hunter2 hunter2",
            "MOVED 1 hunter2:1",
        ];
        for line in lines {
            let failure = of(line);
            assert!(!format!("{failure:?} {failure}").contains("hunter2"), "{line}: {failure:?}");
        }
    }

    #[test]
    fn what_stays_is_a_setting_and_what_passes_is_not() {
        for (line, kind, says) in [
            ("NOAUTH Authentication required.", CONFIG, "password"),
            ("WRONGPASS invalid username-password pair", CONFIG, "password"),
            ("DENIED Redis is running in protected mode because", CONFIG, "protected-mode"),
            ("NOPERM User x has no permissions to run the 'eval' command", CONFIG, "+eval"),
            ("NOPERM No permissions to access a key", CONFIG, "~session:*"),
            ("ERR ACL failure in script: No permissions to access a key", CONFIG, "~session:*"),
            (
                "ERR ACL failure in script: User web has no permissions to run the 'del' command \
                 script: cb62, on @user_script:1.",
                CONFIG,
                "+del",
            ),
            (
                "ERR The user executing the script can't run this command or subcommand",
                CONFIG,
                "rights",
            ),
            (
                "ERR Unknown command called from script script: 22, on @user_script:1.",
                CONFIG,
                "know",
            ),
            ("ERR unknown command 'EVALSHA', with args", CONFIG, "`evalsha`"),
            ("ERR DB index is out of range", CONFIG, "database"),
            ("LOADING Redis is loading the dataset in memory", UNAVAILABLE, "loading"),
            (
                "ERR Script attempted to access a non local key in a cluster node script: 1f",
                UNAVAILABLE,
                "being moved",
            ),
            ("READONLY You can't write against a read only replica.", UNAVAILABLE, "replica"),
            ("CLUSTERDOWN Hash slot not served", UNAVAILABLE, "slots"),
            ("OOM command not allowed when used memory > 'maxmemory'.", FULL, "memory"),
            ("ERR OOM command not allowed when used memory > 'maxmemory'.", FULL, "memory"),
            ("ERR user_script:12: nil script: abc, on @user_script:12.", UNAVAILABLE, "line 12"),
        ] {
            let failure = of(line);
            assert_eq!(failure.kind, kind, "{line}");
            assert!(failure.text.contains(says), "{line}: {failure}");
        }
    }
}
