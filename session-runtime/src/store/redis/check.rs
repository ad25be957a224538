//! The checks of `connect`: that the servers are what the URL says, and that the user has the
//! permissions that the store needs.
//!
//! Permissions and disabled commands differ between servers, so each primary is checked. A
//! permanent problem (a permission, a setting) is an error. A temporary one is an error only if no
//! server answers; otherwise the other servers can serve their sessions meanwhile.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use redis::Value;
use tokio::time::Instant;

use super::failure::Failure;
use super::layout::Key;
use super::nodes::text;
use super::offset::Offset;
use super::plain;
use super::rights;
use super::server::Server;
use crate::id::SessionId;
use crate::record::Principal;
use crate::store::error::StoreErrorKind;

/// The number of slots of a cluster.
const SLOTS: u16 = 16_384;

impl Server {
    /// Checks that the servers are what the URL and the settings say, and allow what the store
    /// does.
    ///
    /// # Errors
    ///
    /// The first permanent problem; or why no server answers.
    pub(super) async fn look_around(&self) -> Result<(), Failure> {
        let patience = self.options.connect_timeout;
        // Asked only once: a client that waits for one node blocks requests to the others.
        let (servers, ids) = if self.link.is_cluster() {
            let map = self.link.map(patience).await?;
            (self.link.primaries_of(&map), self.one_of_each_primary(&map))
        } else {
            (self.link.primaries(patience).await, vec![of_check(0)])
        };
        // The nodes of an application's own cluster client are unknown.
        plain::report(&servers.unwrap_or_default());
        let deadline = self.deadline();
        let script = rights::trial();
        let checks = ids.iter().map(|id| self.check(*id, &script, deadline));
        let (mut answered, mut passing) = (false, None);
        for checked in join_all(checks).await {
            match checked {
                Ok(()) => answered = true,
                Err(failure) => match failure.kind() {
                    // Reading and logging out still work.
                    StoreErrorKind::Full => {
                        answered = true;
                        tracing::warn!(%failure, "the server of the sessions takes no new ones");
                    }
                    StoreErrorKind::Unavailable | StoreErrorKind::Timeout => {
                        passing = Some(failure);
                    }
                    _ => return Err(failure),
                },
            }
        }
        match passing {
            Some(failure) if !answered => Err(failure),
            Some(failure) => {
                tracing::warn!(%failure, "some servers of the sessions do not answer yet");
                Ok(())
            }
            None if ids.is_empty() => {
                let text = "the cluster serves no slots: it is not set up, or all of it is down";
                Err(Failure::new(StoreErrorKind::Unavailable, text))
            }
            None => Ok(()),
        }
    }

    /// Returns ids such that each primary of a cluster would hold one of them.
    fn one_of_each_primary(&self, map: &Value) -> Vec<SessionId> {
        let mut missing = slots_of_primaries(map);
        let mut ids = Vec::with_capacity(missing.len());
        // This many ids reach even a primary with a single slot.
        for id in (0..1 << 18).map(of_check) {
            if missing.is_empty() {
                break;
            }
            let slot = slot_of(&self.session(id).text());
            let holds =
                |ranges: &Vec<(u16, u16)>| ranges.iter().any(|it| (it.0..=it.1).contains(&slot));
            if let Some(at) = missing.iter().position(holds) {
                missing.swap_remove(at);
                ids.push(id);
            }
        }
        ids
    }

    /// Checks the server that would hold the session `id`.
    async fn check(&self, id: SessionId, script: &str, deadline: Instant) -> Result<(), Failure> {
        let key = self.session(id);
        self.read_settings(key, deadline).await?;
        self.learn_clock(key, deadline).await?;
        let nobody = Principal::new("", "");
        let mut keys = vec![key, self.base(id)];
        // If one server holds both session and index, both are keys of one script.
        if !self.is_split() {
            keys.push(self.index(&nobody));
        }
        let mut by_text = redis::cmd("EVAL");
        by_text.arg(script).arg(keys.len()).arg(&keys[..]);
        let answer = self.at_holder(key, &by_text, deadline).await;
        let answer = answer.map_err(|failure| self.as_found_at_first(failure))?.value;
        let Value::Array(wrong) = answer else { return Err(Failure::corrupt("answer")) };
        if let [command, error, ..] = wrong.as_slice() {
            let failure = refused(text(command), text(error));
            return Err(self.as_found_at_first(failure));
        }
        // Whether or not the server still knows the script by this name, the command is allowed.
        let mut by_name = redis::cmd("EVALSHA");
        by_name.arg(redis::Script::new(script).get_hash()).arg(keys.len()).arg(&keys[..]);
        match self.at_holder(key, &by_name, deadline).await {
            Err(failure) if !failure.has_code("NOSCRIPT") => return Err(failure),
            _ => {}
        }
        if self.waits() {
            let mut wait = redis::cmd("WAIT");
            wait.arg(0).arg(1);
            self.at_holder(key, &wait, deadline).await?;
        }
        Ok(())
    }

    /// Classifies a failure that is temporary later on, but permanent in the first contact.
    fn as_found_at_first(&self, failure: Failure) -> Failure {
        if failure.has_code("READONLY") && self.link.is_one_place() {
            return Failure::config(
                "READONLY: this server is a replica: name its primary, or Sentinel \
                 (`redis+sentinel://`), which knows who that is",
            );
        }
        if failure.has_code("MOVED") && self.link.is_one_place() {
            return Failure::config(PART_OF_A_CLUSTER);
        }
        if failure.kind() == StoreErrorKind::Corrupt && !failure.has_code("WRONGTYPE") {
            return Failure::config(
                "what answers there does not speak as Redis does: if it is TLS, write `rediss://`",
            );
        }
        if failure.kind() == StoreErrorKind::Unavailable && failure.is_hung_up() {
            let text = format!("{failure}; if the server expects TLS, write `rediss://`");
            return Failure::new(StoreErrorKind::Unavailable, text);
        }
        failure
    }

    /// Reads relevant settings from `INFO`. They remain unknown if `INFO` is not allowed.
    async fn read_settings(&self, key: Key<'_>, deadline: Instant) -> Result<(), Failure> {
        let answer = match self.at_holder(key, &redis::cmd("INFO"), deadline).await {
            Ok(told) => told.value,
            Err(failure) if !failure.has_code("NOPERM") && !failure.has_code("ERR") => {
                return Err(self.as_found_at_first(failure));
            }
            Err(failure) if self.options.require_noeviction => {
                let text = format!("require_noeviction: cannot be seen without `INFO` ({failure})");
                return Err(Failure::config(text));
            }
            Err(failure) => {
                let what = "whether the server of the sessions evicts keys is not known";
                tracing::warn!(%failure, "{what}: `INFO` may not be asked");
                return Ok(());
            }
        };
        let text = match &answer {
            Value::BulkString(text) => String::from_utf8_lossy(text).into_owned(),
            Value::VerbatimString { text, .. } => text.clone(),
            _ => return Err(Failure::corrupt("answer")),
        };
        let said = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        if !self.link.is_cluster() && said("cluster_enabled") == Some("1") {
            return Err(Failure::config(PART_OF_A_CLUSTER));
        }
        let policy = said("maxmemory_policy").unwrap_or("noeviction");
        if policy != "noeviction" && said("maxmemory") != Some("0") {
            if self.options.require_noeviction {
                let text = format!("the server evicts keys when it is full (`{policy}`)");
                return Err(Failure::config(text));
            }
            let why = "when full, it ends sessions, and loses logouts and revocations";
            tracing::warn!(policy, "the server of the sessions evicts keys: {why}");
        }
        Ok(())
    }

    /// Learns the difference between the server's clock and this process's.
    async fn learn_clock(&self, key: Key<'_>, deadline: Instant) -> Result<(), Failure> {
        let asked = self.offset.local();
        let answer = self.at_holder(key, &redis::cmd("TIME"), deadline).await?.value;
        let told = Offset::told(&answer).ok_or_else(|| Failure::corrupt("answer"))?;
        self.offset.learn(told, asked);
        Ok(())
    }
}

/// Returns an id that no session has, because its bytes are not random.
fn of_check(n: u32) -> SessionId {
    let mut bytes = *b"no session: ----";
    bytes[12..].copy_from_slice(&n.to_be_bytes());
    SessionId::from_bytes(bytes)
}

const PART_OF_A_CLUSTER: &str =
    "this server is part of a cluster: write `redis+cluster://` for `redis://`";

/// Returns the failure of a command that a script called.
fn refused(command: Option<String>, error: Option<String>) -> Failure {
    let error = error.unwrap_or_default();
    let (code, detail) = error.split_once(' ').unwrap_or((&error, ""));
    let known = rights::named_in(&format!("'{}'", command.unwrap_or_default()));
    let says = |words: &str| detail.contains(words);
    match known {
        // About the key, not the command.
        _ if says("to access") || says("can't access") => Failure::said("NOPERM", " to access"),
        Some(command) if says("no permissions to run") || says("can't run this command") => {
            Failure::said("NOPERM", &format!("no permissions to run the '{command}' command"))
        }
        Some(command) if says("nknown") => {
            Failure::said(code, &format!("unknown command '{command}'"))
        }
        _ => Failure::said(code, detail),
    }
}

/// Returns the slot ranges of each primary in an answer to `CLUSTER SLOTS`.
fn slots_of_primaries(answer: &Value) -> Vec<Vec<(u16, u16)>> {
    let Value::Array(ranges) = answer else { return Vec::new() };
    let mut primaries: BTreeMap<String, Vec<(u16, u16)>> = BTreeMap::new();
    for range in ranges {
        let Value::Array(range) = range else { continue };
        let [Value::Int(from), Value::Int(to), Value::Array(primary), ..] = range.as_slice() else {
            continue;
        };
        let (from, to) = (u16::try_from(*from), u16::try_from(*to));
        if let (Ok(from), Ok(to), Some(node)) = (from, to, primary.get(2).and_then(text)) {
            primaries.entry(node).or_default().push((from, to));
        }
    }
    primaries.into_values().collect()
}

/// Returns the slot of a key without braces: its CRC-16/XMODEM.
fn slot_of(key: &[u8]) -> u16 {
    let mut crc = 0_u16;
    for byte in key {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
    }
    crc % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(slot_of(b"123456789"), 0x31C3);
        assert_eq!(slot_of(b"foo"), 12_182);
        assert_eq!(slot_of(b""), 0);
    }

    #[test]
    fn what_a_script_was_refused_is_told_by_name() {
        let of = |error: &str| refused(Some("zadd".into()), Some(error.into())).to_string();
        // As worded by Redis 7.0, by Redis 8.2 and Valkey 8.1, and by others.
        for error in [
            "ERR The user executing the script can't run this command or subcommand",
            "ERR ACL failure in script: User web has no permissions to run the 'zadd' command",
            "NOPERM User web has no permissions to run the 'zadd' command",
        ] {
            assert!(of(error).contains("`zadd` (`ACL SETUSER … +zadd`)"), "{}", of(error));
        }
        for error in [
            "ERR Unknown Redis command called from script",
            "ERR Unknown command called from script",
        ] {
            assert!(of(error).contains("knows no `zadd`"), "{}", of(error));
        }
        for error in [
            "ERR The user executing the script can't access at least one of the keys",
            "ERR ACL failure in script: No permissions to access a key",
        ] {
            assert!(of(error).contains("~session:*"), "{}", of(error));
        }
        assert_eq!(refused(None, None).kind(), StoreErrorKind::Unavailable);
    }
}
