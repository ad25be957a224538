//! The permissions that the store needs: the only list of the commands that it uses. The check in
//! `connect` uses it, errors refer to it, and `docs/redis.md` repeats it for `ACL SETUSER`.

use std::fmt::Write as _;

/// What a command is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feature {
    /// Requests, sign-ins and revocations.
    Sessions,
    /// Same in a cluster.
    Cluster,
    /// [`wait_replicas`](super::RedisOptions::wait_replicas).
    Replicas,
    /// Counting, sweeping, and walking over all sessions.
    Walks,
    /// Same in a cluster.
    ClusterWalks,
    /// Notifications for a coherent cache.
    Feed,
    /// Finding a primary through Sentinel.
    Sentinel,
    /// Detecting that the server evicts keys.
    Eviction,
}

/// One command, as `ACL SETUSER` names it.
#[derive(Debug)]
pub(super) struct Right {
    pub(super) command: &'static str,
    #[cfg_attr(not(test), allow(dead_code))] // the documentation is generated from it
    pub(super) feature: Feature,
    /// The arguments with which the check in `connect` calls it from a script.
    trial: Option<&'static str>,
}

const fn tried(command: &'static str, trial: &'static str) -> Right {
    Right { command, feature: Feature::Sessions, trial: Some(trial) }
}

const fn right(command: &'static str, feature: Feature) -> Right {
    Right { command, feature, trial: None }
}

/// In the order of the check: the last member of a key deletes the key, before it gets another
/// type.
pub(super) const RIGHTS: &[Right] = &[
    right("eval", Feature::Sessions),
    right("evalsha", Feature::Sessions),
    tried("time", ""),
    tried("set", "KEYS[1], 'a', 'PX', 1000"),
    tried("get", "KEYS[1]"),
    tried("mget", "KEYS[1]"),
    tried("exists", "KEYS[1]"),
    tried("pexpire", "KEYS[1], 1000"),
    tried("del", "KEYS[1]"),
    tried("zadd", "KEYS[1], 1, 'a'"),
    tried("zcount", "KEYS[1], 0, 2"),
    tried("zscore", "KEYS[1], 'a'"),
    tried("zrange", "KEYS[1], 0, 0"),
    tried("zrank", "KEYS[1], 'a'"),
    tried("zremrangebyrank", "KEYS[1], 2, 3"),
    tried("zrem", "KEYS[1], 'a'"),
    right("asking", Feature::Cluster),
    right("cluster|slots", Feature::Cluster),
    right("ping", Feature::Cluster),
    right("wait", Feature::Replicas),
    right("info", Feature::Walks),
    right("scan", Feature::Walks),
    right("cluster|getkeysinslot", Feature::ClusterWalks),
    right("cluster|myid", Feature::ClusterWalks),
    right("client|tracking", Feature::Feed),
    right("ping", Feature::Feed),
    right("role", Feature::Sentinel),
    right("info", Feature::Eviction),
];

/// The prelude of the check: a temporary problem is an error of the whole script. The key is
/// deleted at the end; if the user may not do that, it expires after a second.
const TRY: &str = "redis.pcall('del', KEYS[1])
local wrong, passing = {}, nil
local function try(...)
  local answer = redis.pcall(...)
  redis.pcall('pexpire', KEYS[1], 1000)
  if type(answer) ~= 'table' or not answer.err then return end
  if string.find(answer.err, '^READONLY') then passing = answer end
  table.insert(wrong, (...))
  table.insert(wrong, answer.err)
end
";

/// Returns a script that calls each command on a temporary key, and returns name and error of those
/// that failed.
pub(super) fn trial() -> String {
    let mut script = String::from(TRY);
    for Right { command, trial, .. } in RIGHTS {
        let Some(trial) = trial else { continue };
        let comma = if trial.is_empty() { "" } else { ", " };
        let _ = writeln!(script, "try('{command}'{comma}{trial})");
    }
    script.push_str("redis.pcall('del', KEYS[1])\nreturn passing or wrong\n");
    script
}

/// Returns the command that a server's error is about, if it is in the list.
pub(super) fn named_in(text: &str) -> Option<&'static str> {
    // Versions of Redis quote it differently.
    let quoted = text.split(['\'', '`']).nth(1)?;
    RIGHTS.iter().map(|right| right.command).find(|command| {
        let whole = command.eq_ignore_ascii_case(quoted);
        whole || command.split('|').next().is_some_and(|it| it.eq_ignore_ascii_case(quoted))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const DOCUMENT: &str = include_str!("../../../../docs/redis.md");

    /// Builds the block of the documentation.
    fn documented() -> String {
        let features = [
            (Feature::Sessions, "sessions"),
            (Feature::Cluster, "in a cluster"),
            (Feature::Sentinel, "behind Sentinel"),
            (Feature::Replicas, "wait_replicas"),
            (Feature::Walks, "count, sweep, scan"),
            (Feature::ClusterWalks, "count, sweep, scan in a cluster"),
            (Feature::Feed, "a coherent cache"),
            (Feature::Eviction, "a warning where the server evicts keys"),
        ];
        let mut block = String::new();
        for (feature, name) in features {
            let rights = RIGHTS.iter().filter(|right| right.feature == feature);
            let mut rights: Vec<_> = rights.map(|right| format!("+{}", right.command)).collect();
            rights.sort_unstable();
            let _ = writeln!(block, "# {name}");
            // As wide as the document.
            let mut line = String::new();
            for right in rights {
                if line.len() + right.len() > 84 {
                    let _ = writeln!(block, "{}", line.trim_end());
                    line.clear();
                }
                line.push_str(&right);
                line.push(' ');
            }
            let _ = writeln!(block, "{}", line.trim_end());
        }
        block
    }

    #[test]
    fn the_documentation_has_every_right_and_no_other() {
        let block = documented();
        assert!(DOCUMENT.contains(&block), "docs/redis.md should have:\n{block}");
    }

    /// Collects every name in `redis.call`, `redis.cmd` and the like, except those that the client
    /// library sends by itself.
    fn used_by_the_sources() -> BTreeSet<String> {
        let place = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/redis");
        let files = ["", "/lua"].map(|folder| std::fs::read_dir(format!("{place}{folder}")));
        let mut used = BTreeSet::new();
        for file in files.into_iter().flat_map(|files| files.unwrap()) {
            let path = file.unwrap().path();
            if !path.is_file() || path.ends_with("rights.rs") {
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            let starts = [("call('", '\''), ("cmd(\"", '"'), ("command(\"", '"')];
            for (start, quote) in starts {
                for rest in text.split(start).skip(1) {
                    let (name, rest) = rest.split_once(quote).unwrap();
                    // A container command's name includes its subcommand.
                    let second = rest.split(['\'', '"']).nth(1).unwrap_or_default();
                    let name = match name {
                        "CLUSTER" | "CLIENT" | "SCRIPT" => format!("{name}|{second}"),
                        name => name.to_owned(),
                    };
                    used.insert(name.to_ascii_lowercase());
                }
            }
            // Commands that are assembled by hand.
            for Right { command, .. } in RIGHTS {
                if text.contains(&format!(".arg(\"{}\")", command.to_ascii_uppercase())) {
                    used.insert((*command).to_owned());
                }
            }
        }
        used
    }

    #[test]
    fn the_list_has_what_the_sources_use_and_nothing_else() {
        let sent_by_the_client_library = ["asking", "ping", "role"];
        let asked_of_sentinels = ["sentinel"];
        let mut used = used_by_the_sources();
        used.extend(sent_by_the_client_library.map(str::to_owned));
        used.retain(|command| !asked_of_sentinels.contains(&command.as_str()));
        let listed: BTreeSet<_> = RIGHTS.iter().map(|right| right.command.to_owned()).collect();
        assert_eq!(used, listed);
    }

    #[test]
    fn errors_are_about_commands_of_the_list_or_about_none() {
        let about = |text| named_in(text);
        assert_eq!(
            about("unknown command 'EVALSHA', with args beginning with: 'x'"),
            Some("evalsha")
        );
        assert_eq!(about("unknown command `EVAL`, with args"), Some("eval"));
        assert_eq!(
            about("User web has no permissions to run the 'client|tracking' command"),
            Some("client|tracking")
        );
        assert_eq!(about("unknown command 'CLIENT'"), Some("client|tracking"));
        for other in ["", "'", "unknown command 'secret', with args", "session:'evalsha", "eval"] {
            assert!(about(other).is_none_or(|it| it == "evalsha"), "{other}");
        }
    }
}
