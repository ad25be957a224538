//! Requests to the servers: scripts, deadlines and retries.

use std::time::Duration;

use redis::{Cmd, ErrorKind, Pipeline, ServerErrorKind, Value};
use tokio::time::{Instant, timeout_at};

use super::failure::{Failure, is_passing, is_refused};
use super::layout::Key;
use super::link::{Link, Sent, To};
use super::offset::Offset;
use super::options::RedisOptions;
use super::script::{Script, Scripts};
use super::target::Target;
use crate::clock::deadline_after;
use crate::id::SessionId;
use crate::record::Principal;
use crate::store::engine::Doubt;

/// The longest pause before a retry.
const PAUSE: Duration = Duration::from_millis(160);

pub(super) struct Server {
    pub(super) link: Link,
    /// For waiting for replicas, so that other requests do not queue up behind it.
    waiting: Option<Link>,
    pub(super) scripts: Scripts,
    pub(super) options: RedisOptions,
    pub(super) offset: Offset,
}

/// An answer, and whether an earlier try may have been executed.
pub(super) struct Told {
    pub(super) value: Value,
    pub(super) doubt: Doubt,
}

impl Server {
    pub(super) async fn open(target: Target, options: RedisOptions) -> Result<Self, Failure> {
        let scripts = Scripts::new(&options);
        let offset = Offset::new(options.clock.clone());
        let opening = Link::open(target, options.connect_timeout);
        let bound = options.connect_timeout.saturating_mul(3);
        let link = match tokio::time::timeout(bound, opening).await {
            Ok(link) => link?,
            Err(_) => return Err(Failure::timeout("no answer to the first connection")),
        };
        Ok(Self { link, waiting: None, scripts, options, offset })
    }

    /// Whether session and index may be on different servers.
    pub(super) fn is_split(&self) -> bool {
        self.options.split || self.link.is_cluster()
    }

    pub(super) fn deadline(&self) -> Instant {
        deadline_after(self.options.deadline)
    }

    pub(super) fn session(&self, id: SessionId) -> Key<'_> {
        Key::session(&self.options.prefix, id)
    }

    /// Returns the key of the base of a large session.
    pub(super) fn base(&self, id: SessionId) -> Key<'_> {
        Key::base(&self.options.prefix, id)
    }

    pub(super) fn index(&self, principal: &Principal) -> Key<'_> {
        Key::index(&self.options.prefix, principal)
    }

    /// Runs a script, with retries until the deadline. Every script may run twice.
    pub(super) async fn run(
        &self,
        script: &Script,
        keys: &[Key<'_>],
        args: &[&[u8]],
        deadline: Instant,
    ) -> Result<Value, Failure> {
        Ok(self.tell(script, keys, args, deadline).await?.value)
    }

    /// Same as [`run`](Self::run), and returns whether it may have run before.
    pub(super) async fn tell(
        &self,
        script: &Script,
        keys: &[Key<'_>],
        args: &[&[u8]],
        deadline: Instant,
    ) -> Result<Told, Failure> {
        let told = self.run_on(To::AsItSays, Repeats::Freely, script, keys, args, deadline).await;
        told.map_err(Asked::into_failure)
    }

    /// Same as [`tell`](Self::tell), for a script that must not take effect twice. If it may
    /// already have run, it is run with the arguments `look` instead, with which it changes
    /// nothing.
    pub(super) async fn tell_once(
        &self,
        script: &Script,
        keys: &[Key<'_>],
        args: &[&[u8]],
        look: &[&[u8]],
        deadline: Instant,
    ) -> Result<Told, Failure> {
        match self.run_on(To::AsItSays, Repeats::Never, script, keys, args, deadline).await {
            Err(Asked::MaybeDone) => {
                let told = self.tell(script, keys, look, deadline).await;
                let Told { value, .. } = told.map_err(|failure| failure.maybe_done(true))?;
                Ok(Told { value, doubt: Doubt::MaybeDone })
            }
            told => told.map_err(Asked::into_failure),
        }
    }

    /// Runs a script without keys on the primary of `slot`, or on the single server.
    pub(super) async fn run_at(
        &self,
        slot: u16,
        script: &Script,
        args: &[&[u8]],
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let told = self.run_on(To::Slot(slot), Repeats::Freely, script, &[], args, deadline).await;
        Ok(told.map_err(Asked::into_failure)?.value)
    }

    async fn run_on(
        &self,
        to: To<'_>,
        repeats: Repeats,
        script: &Script,
        keys: &[Key<'_>],
        args: &[&[u8]],
        deadline: Instant,
    ) -> Result<Told, Asked> {
        let by_name = self.call("EVALSHA", &script.sha, keys, args);
        match self.ask(Sent::One(&by_name), to, repeats, deadline).await {
            Err(Asked::Unknown(before)) => {
                // Sends the text once; after that the server knows the script.
                let whole = self.call("EVAL", &script.text, keys, args);
                let told = self.ask(Sent::One(&whole), to, repeats, deadline).await;
                let mut told = told.map_err(|asked| asked.after(before))?;
                if before == Doubt::MaybeDone {
                    told.doubt = before;
                }
                Ok(told)
            }
            other => other,
        }
    }

    /// Builds a call of a script. A frozen clock passes it the time.
    fn call(&self, name: &str, body: &str, keys: &[Key<'_>], args: &[&[u8]]) -> Cmd {
        let bytes: usize = args.iter().map(|arg| arg.len()).sum();
        let room = 24 + body.len() + keys.len() * (self.options.prefix.len() + 24) + bytes;
        let mut command = Cmd::with_capacity(keys.len() + args.len() + 4, room);
        command.arg(name).arg(body).arg(keys.len()).arg(keys).arg(args);
        if self.options.clock.is_frozen() {
            command.arg(self.options.clock.now().as_millis());
        }
        command
    }

    /// Opens the connections for waiting for replicas.
    pub(super) async fn open_waiting(&mut self, target: Target) -> Result<(), Failure> {
        self.waiting = Some(Link::open(target, self.options.connect_timeout).await?);
        Ok(())
    }

    pub(super) const fn waits(&self) -> bool {
        self.waiting.is_some()
    }

    /// Runs a script on the first key, and answers when as many replicas as the settings require
    /// have its effects.
    ///
    /// # Errors
    ///
    /// Also if they do not have them before the deadline: the script was executed then, but its
    /// effects may be lost with the primary.
    pub(super) async fn run_safely(
        &self,
        script: &Script,
        keys: &[Key<'_>],
        args: &[&[u8]],
        deadline: Instant,
    ) -> Result<Told, Failure> {
        let (Some(link), [key, ..]) = (&self.waiting, keys) else {
            return self.tell(script, keys, args, deadline).await;
        };
        // Sends the text, because `WAIT` would be in vain after an unknown hash.
        let command = self.call("EVAL", &script.text, keys, args);
        let mut maybe_done = link.repeats_itself();
        let mut pause = Duration::from_millis(5);
        let (answer, replicas) = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut wait = redis::cmd("WAIT");
            // Early enough for its answer to arrive before the deadline.
            let patience = crate::clock::millis(left * 3 / 4).max(1);
            wait.arg(self.options.wait_replicas).arg(patience);
            let mut both = Pipeline::with_capacity(2);
            both.add_command(command.clone()).add_command(wait);
            let sent = Sent::Several(*key, &both);
            match timeout_at(deadline, link.send(To::AsItSays, sent)).await {
                Ok(Ok(Value::Array(answers))) => {
                    let mut answers = answers.into_iter();
                    let mut next = || answers.next().unwrap_or_default();
                    break (next(), next());
                }
                Ok(Ok(_)) => return Err(Failure::corrupt("answer")),
                // When repeated, it also waits for what the server did before.
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
                let doubt = if maybe_done { Doubt::MaybeDone } else { Doubt::None };
                Ok(Told { value: answer, doubt })
            }
            _ => {
                let text = "it was written, but too few replicas confirmed it before the deadline";
                Err(Failure::timeout(text).maybe_done(true))
            }
        }
    }

    /// Sends a command to the primary of `slot`, or to the single server.
    pub(super) async fn at(
        &self,
        slot: u16,
        command: &Cmd,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let told = self.ask(Sent::One(command), To::Slot(slot), Repeats::Freely, deadline).await;
        Ok(told.map_err(Asked::into_failure)?.value)
    }

    /// Sends a command about `key` to the primary that holds it.
    pub(super) async fn at_holder(
        &self,
        key: Key<'_>,
        command: &Cmd,
        deadline: Instant,
    ) -> Result<Told, Failure> {
        let told = self.ask(Sent::One(command), To::Holder(key), Repeats::Freely, deadline).await;
        told.map_err(Asked::into_failure)
    }

    /// Sends commands about `key` to the primary that holds it; returns their answers.
    pub(super) async fn several(
        &self,
        key: Key<'_>,
        commands: &Pipeline,
        deadline: Instant,
    ) -> Result<Vec<Value>, Failure> {
        let told =
            self.ask(Sent::Several(key, commands), To::AsItSays, Repeats::Freely, deadline).await;
        match told.map_err(Asked::into_failure)?.value {
            Value::Array(answers) => Ok(answers),
            _ => Err(Failure::corrupt("answer")),
        }
    }

    async fn ask(
        &self,
        sent: Sent<'_>,
        to: To<'_>,
        repeats: Repeats,
        deadline: Instant,
    ) -> Result<Told, Asked> {
        let is_one = matches!(sent, Sent::One(_));
        let mut maybe_done = self.link.repeats_itself();
        let mut pause = Duration::from_millis(5);
        let mut last = None;
        loop {
            let doubt = if maybe_done { Doubt::MaybeDone } else { Doubt::None };
            match timeout_at(deadline, self.link.send(to, sent)).await {
                Ok(Ok(value)) => return Ok(Told { value, doubt }),
                Ok(Err((error, _)))
                    if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) =>
                {
                    return Err(Asked::Unknown(doubt));
                }
                Ok(Err((error, sent))) => {
                    maybe_done |= sent && !is_refused(&error);
                    let failure = Failure::of(&error);
                    if !is_passing(&error) || !is_one && failure.is_on_its_way() {
                        return Err(Asked::Failed(failure.maybe_done(maybe_done)));
                    }
                    if maybe_done && repeats == Repeats::Never {
                        return Err(Asked::MaybeDone);
                    }
                    last = Some(failure);
                }
                Err(_) => {
                    self.link.distrust();
                    let timeout = || Failure::timeout("no answer before the deadline");
                    // A failed connection is a better explanation than a timeout.
                    let (failure, sent) = match last {
                        Some(failure) => (failure, maybe_done),
                        None => (timeout(), true),
                    };
                    return Err(Asked::Failed(failure.maybe_done(sent || maybe_done)));
                }
            }
            if Instant::now() + pause >= deadline {
                let failure =
                    last.unwrap_or_else(|| Failure::timeout("no answer before the deadline"));
                return Err(Asked::Failed(failure.maybe_done(maybe_done)));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE);
        }
    }
}

/// Whether a command that may have arrived is sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeats {
    Freely,
    Never,
}

enum Asked {
    /// It may have arrived, and [must not be repeated](Repeats::Never).
    MaybeDone,
    /// The server does not know the script. Another server may have run it before.
    Unknown(Doubt),
    Failed(Failure),
}

impl Asked {
    /// Adds that an earlier request may have arrived.
    fn after(self, before: Doubt) -> Self {
        match self {
            Self::Failed(failure) if before == Doubt::MaybeDone => {
                Self::Failed(failure.maybe_done(true))
            }
            other => other,
        }
    }

    fn into_failure(self) -> Failure {
        match self {
            Self::MaybeDone => Failure::timeout("its answer was lost").maybe_done(true),
            Self::Unknown(_) => Failure::said("NOSCRIPT", ""),
            Self::Failed(failure) => failure,
        }
    }
}
