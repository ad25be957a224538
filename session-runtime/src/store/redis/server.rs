//! Asking the servers: scripts, deadlines, and asking again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::{Cmd, ErrorKind, ServerErrorKind, Value};
use tokio::time::{Instant, timeout_at};

use super::failure::{Failure, is_passing};
use super::link::{Link, To};
use super::load::APART;
use super::options::RedisOptions;
use super::script::{Script, Scripts};
use super::target::Target;
use crate::clock::{Clock, Timestamp};
use crate::id::SessionId;
use crate::record::Principal;

/// Longest pause before asking again.
const PAUSE: Duration = Duration::from_millis(160);

pub(super) struct Server {
    pub(super) link: Link,
    /// Where replicas are waited for: nothing else stands behind that.
    waiting: Option<Link>,
    pub(super) scripts: Scripts,
    pub(super) options: RedisOptions,
    clocks_agree: AtomicBool,
}

impl Server {
    pub(super) async fn open(target: Target, options: RedisOptions) -> Result<Self, Failure> {
        let scripts = Scripts::new(&options.prefix, &options.limits);
        let opening = Link::open(target, options.connect_timeout);
        let link = match tokio::time::timeout(options.connect_timeout * 2, opening).await {
            Ok(Ok(link)) => link,
            Ok(Err(error)) => return Err(Failure::of(&error)),
            Err(_) => return Err(Failure::timeout("no answer to the first connection")),
        };
        Ok(Self { link, waiting: None, scripts, options, clocks_agree: AtomicBool::new(false) })
    }

    /// Whether session and index may be on different servers.
    pub(super) fn is_split(&self) -> bool {
        self.options.split || self.link.is_cluster()
    }

    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.options.deadline
    }

    /// The time that a script is to go by; empty for that of the server.
    pub(super) fn now(&self) -> String {
        let clock: &Clock = &self.options.clock;
        if clock.is_frozen() { clock.now().as_millis().to_string() } else { String::new() }
    }

    pub(super) fn session(&self, id: SessionId) -> String {
        super::layout::session_key(&self.options.prefix, id)
    }

    pub(super) fn index(&self, principal: &Principal) -> String {
        super::layout::index_key(&self.options.prefix, principal)
    }

    /// Runs a script until it answers or the deadline has come. Every script
    /// may run twice.
    pub(super) async fn run<A: AsRef<[u8]>>(
        &self,
        script: &Script,
        keys: &[&str],
        args: &[A],
        deadline: Instant,
    ) -> Result<Value, Failure> {
        self.run_on(To::AsItSays, script, keys, args, deadline).await
    }

    /// Runs a script without keys on the primary of `slot`, or on the one server.
    pub(super) async fn run_at<A: AsRef<[u8]>>(
        &self,
        slot: u16,
        script: &Script,
        args: &[A],
        deadline: Instant,
    ) -> Result<Value, Failure> {
        self.run_on(To::Slot(slot), script, &[], args, deadline).await
    }

    async fn run_on<A: AsRef<[u8]>>(
        &self,
        to: To<'_>,
        script: &Script,
        keys: &[&str],
        args: &[A],
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let command = |name: &str, body: &str| {
            let mut command = redis::cmd(name);
            command.arg(body).arg(keys.len());
            for key in keys {
                command.arg(*key);
            }
            for arg in args {
                command.arg(arg.as_ref());
            }
            command
        };
        let by_name = command("EVALSHA", &script.sha);
        let answer = self.ask(&by_name, to, deadline).await;
        match answer {
            Err(Asked::Unknown) => {
                // Sends the text once; the server knows it from then on.
                let whole = command("EVAL", &script.text);
                self.ask(&whole, to, deadline).await.map_err(Asked::into_failure)
            }
            other => other.map_err(Asked::into_failure),
        }
    }

    /// Opens the connections on which replicas are waited for.
    pub(super) async fn open_waiting(&mut self, target: Target) -> Result<(), Failure> {
        let opened = Link::open(target, self.options.connect_timeout).await;
        self.waiting = Some(opened.map_err(|error| Failure::of(&error))?);
        Ok(())
    }

    pub(super) const fn waits(&self) -> bool {
        self.waiting.is_some()
    }

    /// Runs a script on the first key, and answers once as many replicas have
    /// what it did as the settings ask for.
    ///
    /// # Errors
    ///
    /// Also if they do not have it before the deadline: it is done then, and
    /// may be lost with the primary.
    pub(super) async fn run_safely<A: AsRef<[u8]>>(
        &self,
        script: &Script,
        keys: &[&str],
        args: &[A],
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let (Some(link), [key, ..]) = (&self.waiting, keys) else {
            return self.run(script, keys, args, deadline).await;
        };
        // The text, for a name that is not known would be waited for in vain.
        let mut command = redis::cmd("EVAL");
        command.arg(&script.text).arg(keys.len()).arg(keys);
        for arg in args {
            command.arg(arg.as_ref());
        }
        let mut maybe_done = false;
        let mut pause = Duration::from_millis(5);
        let (answer, replicas) = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut wait = redis::cmd("WAIT");
            // In time for its answer to come before the deadline.
            let patience = crate::clock::millis(left * 3 / 4).max(1);
            wait.arg(self.options.wait_replicas).arg(patience);
            let answer = timeout_at(deadline, link.call_and_wait(key, &command, &wait)).await;
            match answer {
                Ok(Ok(answers)) => break answers,
                // Asked again it waits for all that the server did before, too.
                Ok(Err((error, sent)))
                    if is_passing(&error) && Instant::now() + pause < deadline =>
                {
                    maybe_done |= sent;
                }
                Ok(Err((error, sent))) => {
                    return Err(Failure::of(&error).maybe_done(sent || maybe_done));
                }
                Err(_) => {
                    link.distrust();
                    let failure = Failure::timeout("no answer before the deadline");
                    return Err(failure.maybe_done(true));
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE);
        };
        match replicas {
            Value::Int(have)
                if usize::try_from(have).unwrap_or(0) >= self.options.wait_replicas =>
            {
                Ok(answer)
            }
            _ => {
                let text = "it is done, and too few replicas had it before the deadline";
                Err(Failure::timeout(text).maybe_done(true))
            }
        }
    }

    /// The names and values of a hash; nothing if there is none.
    pub(super) async fn hash(&self, key: &str, deadline: Instant) -> Result<Vec<Value>, Failure> {
        let mut command = redis::cmd("HGETALL");
        command.arg(key);
        match self.ask(&command, To::Holder(key), deadline).await.map_err(Asked::into_failure)? {
            Value::Array(flat) => Ok(flat),
            // Of a client that was handed in and speaks RESP3.
            Value::Map(pairs) => Ok(pairs.into_iter().flat_map(<[Value; 2]>::from).collect()),
            _ => Err(Failure::corrupt("answer")),
        }
    }

    /// Sends a command to the primary of `slot`, or to the one server.
    pub(super) async fn at(
        &self,
        slot: u16,
        command: &Cmd,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        self.ask(command, To::Slot(slot), deadline).await.map_err(Asked::into_failure)
    }

    async fn ask(&self, command: &Cmd, to: To<'_>, deadline: Instant) -> Result<Value, Asked> {
        let mut maybe_done = false;
        let mut pause = Duration::from_millis(5);
        let mut last = None;
        loop {
            match timeout_at(deadline, self.link.call(to, command)).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err((error, _)))
                    if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) =>
                {
                    return Err(Asked::Unknown);
                }
                Ok(Err((error, sent))) => {
                    // Only what a server refused was certainly not done; a script
                    // that it broke off is not among that.
                    let broken_off = ErrorKind::Server(ServerErrorKind::ResponseError);
                    let refused = error.code().is_some() && error.kind() != broken_off;
                    maybe_done |= sent && !refused;
                    let failure = Failure::of(&error);
                    if !is_passing(&error) {
                        return Err(Asked::Failed(failure.maybe_done(maybe_done)));
                    }
                    last = Some(failure);
                }
                Err(_) => {
                    self.link.distrust();
                    let timeout = || Failure::timeout("no answer before the deadline");
                    // A connection that failed says more than a clock.
                    let (failure, sent) = match last {
                        Some(failure) => (failure, maybe_done),
                        None => (timeout(), true),
                    };
                    return Err(Asked::Failed(failure.maybe_done(sent || maybe_done)));
                }
            }
            if Instant::now() + pause >= deadline {
                let failure = last.unwrap_or_else(|| Failure::timeout("the deadline has come"));
                return Err(Asked::Failed(failure.maybe_done(maybe_done)));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE);
        }
    }
}

enum Asked {
    /// The server does not know the script.
    Unknown,
    Failed(Failure),
}

impl Asked {
    fn into_failure(self) -> Failure {
        match self {
            Self::Unknown => Failure::corrupt("script"),
            Self::Failed(failure) => failure,
        }
    }
}

impl Server {
    /// Whether the server is what the URL and the settings say.
    pub(super) async fn look_around(&self) -> Result<(), Failure> {
        let answer = self.at(0, &redis::cmd("INFO"), self.deadline()).await?;
        let text = match &answer {
            Value::BulkString(text) => String::from_utf8_lossy(text).into_owned(),
            Value::VerbatimString { text, .. } => text.clone(),
            _ => return Err(Failure::corrupt("answer")),
        };
        let said = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        if !self.link.is_cluster() && said("cluster_enabled") == Some("1") {
            let text = "this server is part of a cluster: write `redis+cluster://` for `redis://`";
            return Err(Failure::config(text));
        }
        self.compare_clocks(said("server_time_usec"));
        let policy = said("maxmemory_policy").unwrap_or("noeviction");
        if policy != "noeviction" && said("maxmemory") != Some("0") {
            if self.options.require_noeviction {
                let text = format!("the server evicts keys when it is full (`{policy}`)");
                return Err(Failure::config(text));
            }
            let why = "it logs people out when it is full, and forgets logouts and revocations";
            tracing::warn!(policy, "the server of the sessions evicts keys: {why}");
        }
        Ok(())
    }

    /// Whether the clock of the server is known to be near that of this process.
    pub(super) fn clocks_agree(&self) -> bool {
        self.clocks_agree.load(Ordering::Relaxed)
    }

    fn compare_clocks(&self, said: Option<&str>) {
        let Some(apart) = apart(said, Clock::system().now()) else { return };
        let agree = apart <= APART / 2;
        self.clocks_agree.store(agree, Ordering::Relaxed);
        if !agree {
            let why = "every load goes through a script for it; are both on NTP?";
            tracing::warn!(?apart, "the clock of the server is not that of this machine: {why}");
        }
    }
}

/// How far a clock that said so many microseconds is from `ours`, if it said any.
fn apart(said: Option<&str>, ours: Timestamp) -> Option<Duration> {
    let theirs = Timestamp::from_millis(said?.parse::<u64>().ok()? / 1_000);
    Some(ours.since(theirs).max(theirs.since(ours)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_compared_in_both_directions_and_only_if_the_server_tells_its_own() {
        let ours = Timestamp::from_millis(10_000);
        let apart = |said| apart(said, ours).map(|apart| apart.as_millis());
        assert_eq!(apart(Some("10000000")), Some(0));
        assert_eq!(apart(Some("7499000")), Some(2_501));
        assert_eq!(apart(Some("12501999")), Some(2_501));
        assert_eq!(apart(Some("")), None);
        assert_eq!(apart(None), None);
    }
}
