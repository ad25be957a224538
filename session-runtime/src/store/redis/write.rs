//! The store as an engine: values that are read, and replaced under a guard.

use redis::Value;
use tokio::time::Instant;

use super::ask::{LOOK, as_it_stands, new_base, what};
use super::failure::Failure;
use super::script::kept;
use super::server::{Server, Told};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::form::{Base, Form, letter, patch_text};
use crate::record::patch::Denied;
use crate::store::engine::{
    self, Append, Doubt, End, Engine, Entombed, Inserted, Joins, Read, Replace, Step, Stepped,
    is_over,
};
use crate::store::limits::Limits;
use crate::token::PatchId;

impl Engine for Server {
    /// A sharding proxy may put the two values on different servers.
    fn keeps_apart(&self) -> bool {
        !self.options.split
    }

    fn appends(&self) -> bool {
        !self.link.repeats_itself()
    }

    fn now(&self) -> Timestamp {
        self.offset.now()
    }

    fn limits(&self) -> Limits {
        self.options.limits
    }

    async fn read(&self, id: SessionId, deadline: Instant) -> Result<Read, engine::Failure> {
        Ok(self.look_at(id, deadline).await?)
    }

    async fn step(
        &self,
        id: SessionId,
        step: &Step<'_>,
        deadline: Instant,
    ) -> Result<Stepped, engine::Failure> {
        match &step.joins {
            None => Ok(self.step_alone(id, step, None, deadline).await?.into_stepped()?),
            Some(joins) if self.is_split() => self.step_split(id, step, joins, deadline).await,
            Some(joins) => self.step_and_enter(id, step, joins, deadline).await,
        }
    }

    async fn insert(
        &self,
        id: SessionId,
        form: &Form,
        expires: Timestamp,
        joins: Option<&Joins<'_>>,
        deadline: Instant,
    ) -> Result<Inserted, engine::Failure> {
        match joins {
            None => {
                let put = self.insert_alone(id, form, expires, None, deadline).await?;
                Ok(put.into_inserted()?)
            }
            Some(joins) if self.is_split() => {
                self.insert_split(id, form, expires, joins, deadline).await
            }
            Some(joins) => self.insert_and_enter(id, form, joins, deadline).await,
        }
    }

    async fn entomb(
        &self,
        id: SessionId,
        end: &End<'_>,
        deadline: Instant,
    ) -> Result<Entombed, engine::Failure> {
        let (by, number) = ([letter(end.ended.because)], patch_text(end.id));
        let args: [&[u8]; 3] = [&by, &number, end.as_read.unwrap_or_default()];
        let script = &self.scripts.destroy;
        let told = self.run_safely(script, &[self.session(id)], &args, deadline).await?;
        Ok(match told.number() {
            Some(1) => Entombed::Ended { was_live: true },
            Some(0) => Entombed::Ended { was_live: false },
            Some(_) => Entombed::Absent,
            None => Entombed::Refused(as_it_stands(told.value)?),
        })
    }

    async fn finish(
        &self,
        id: SessionId,
        patch: PatchId,
        joins: &Joins<'_>,
        deadline: Instant,
    ) -> Result<Option<Denied>, engine::Failure> {
        match self.is_split() {
            true => self.finish_split(id, patch, joins, deadline).await,
            false => Ok(None),
        }
    }
}

/// The result of a write to a session alone.
pub(super) enum Put {
    Stepped(Stepped),
    Inserted(Inserted),
    /// It arrived after its time limit.
    Late,
}

impl Put {
    pub(super) fn into_stepped(self) -> Result<Stepped, Failure> {
        match self {
            Self::Stepped(stepped) => Ok(stepped),
            _ => Err(Failure::corrupt("answer")),
        }
    }

    fn into_inserted(self) -> Result<Inserted, Failure> {
        match self {
            Self::Inserted(inserted) => Ok(inserted),
            _ => Err(Failure::corrupt("answer")),
        }
    }
}

impl Server {
    /// Makes the step without changing any index; not after `until`, if that is given.
    pub(super) async fn step_alone(
        &self,
        id: SessionId,
        step: &Step<'_>,
        until: Option<&str>,
        deadline: Instant,
    ) -> Result<Put, Failure> {
        let what = what(step);
        let mut args: [&[u8]; 5] = [&what, b"", b"", b"", until.unwrap_or("").as_bytes()];
        let used = match (&step.replace, &step.append) {
            (Some(Replace { as_read, form, .. }), _) => {
                (args[1], args[2], args[3]) = (as_read, &form.value, new_base(form));
                match (until, args[3]) {
                    (Some(_), _) => 5,
                    (None, b"") => 3,
                    (None, _) => 4,
                }
            }
            (None, Some(Append { instead: Some(as_read), .. })) => {
                args[1] = as_read;
                2
            }
            (None, _) => 1,
        };
        let (script, keys, args) = (&self.scripts.step, [self.session(id)], &args[..used]);
        let told = match (step.renews, &step.append) {
            // A failover must not undo a loss of privilege.
            (true, _) => self.run_safely(script, &keys, args, deadline).await,
            (false, None) => self.tell(script, &keys, args, deadline).await,
            // Other patches may have pushed it out of the log before it arrives again.
            (false, Some(_)) => self.tell_once(script, &keys, args, &[LOOK], deadline).await,
        };
        let Told { value, doubt } = told?;
        Ok(match value {
            Value::Int(0) => Put::Stepped(Stepped::Replaced(Vec::new())),
            Value::Int(rev) => match u64::try_from(rev) {
                Ok(rev) => Put::Stepped(Stepped::Appended { rev }),
                Err(_) => Put::Late,
            },
            refused => {
                let read = self.with_base(id, as_it_stands(refused)?, deadline).await?;
                Put::Stepped(Stepped::Refused(read, doubt))
            }
        })
    }

    /// Stores a new session without changing any index; not after `until`, if that is given.
    pub(super) async fn insert_alone(
        &self,
        id: SessionId,
        form: &Form,
        expires: Timestamp,
        until: Option<&str>,
        deadline: Instant,
    ) -> Result<Put, Failure> {
        let mut told = match (&form.base, until) {
            (Base::Inside, None) => self.set_new(id, form, expires, deadline).await?,
            _ => self.create(id, form, b"", until, deadline).await?,
        };
        let mut doubt = told.doubt;
        // Something is stored. It is replaced only if it is over, and only if it has not changed
        // since it was read.
        if told.number() == Some(0) {
            let Read { value, now, .. } = self.look_at(id, deadline).await?;
            let over = match value {
                None => Vec::new(),
                Some(value) if is_over(&value, now) => value,
                Some(_) => return Ok(Put::Inserted(Inserted::Exists(doubt))),
            };
            told = self.create(id, form, &over, until, deadline).await?;
            if told.doubt == Doubt::MaybeDone {
                doubt = told.doubt;
            }
        }
        match told.number() {
            Some(1) => Ok(Put::Inserted(Inserted::Stored(Vec::new()))),
            Some(0) => Ok(Put::Inserted(Inserted::Exists(doubt))),
            Some(-1) => Ok(Put::Late),
            _ => Err(Failure::corrupt("answer")),
        }
    }

    /// Stores a session of one value if there is none: answers 1, or 0 if there is one.
    async fn set_new(
        &self,
        id: SessionId,
        form: &Form,
        expires: Timestamp,
        deadline: Instant,
    ) -> Result<Told, Failure> {
        let left = expires.since(self.offset.now());
        let key = self.session(id);
        let mut set = redis::cmd("SET");
        set.arg(key).arg(&form.value).arg("NX").arg("PX");
        set.arg(crate::clock::millis(left).saturating_add(kept()));
        let Told { value, doubt } = self.at_holder(key, &set, deadline).await?;
        Ok(Told { value: Value::Int(i64::from(value == Value::Okay)), doubt })
    }

    async fn create(
        &self,
        id: SessionId,
        form: &Form,
        over: &[u8],
        until: Option<&str>,
        deadline: Instant,
    ) -> Result<Told, Failure> {
        let args: [&[u8]; 4] =
            [&form.value, new_base(form), over, until.unwrap_or_default().as_bytes()];
        let args = if until.is_some() { &args[..] } else { &args[..3] };
        self.tell(&self.scripts.create, &[self.session(id)], args, deadline).await
    }
}
