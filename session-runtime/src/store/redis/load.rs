//! Loading a session.
//!
//! A script decides whether the secret is right, whether the session lives,
//! and touches it where that is due: one round trip, by the clock of the
//! server. Of a session that was touched lately nothing of that is in
//! question, and the hash alone is asked for: a third of the bytes and a sixth
//! of the server's time. Whatever then turns out to be in question after all
//! goes to the script, with a second round trip.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::time::Instant;

use super::ask::text;
use super::failure::Failure;
use super::layout;
use super::store::Inner;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::{Due, Ended, EndedBy, Judgement, Meta, Principal, Record, Standing};
use crate::store::contract::{Lookup, Touch, Visit};
use crate::token::SecretHash;

/// Nothing is decided by the clock of this process that would be decided
/// otherwise by one this far from it.
pub(super) const APART: Duration = Duration::from_secs(5);

impl Inner {
    pub(super) async fn load(
        &self,
        id: SessionId,
        secrets: &[SecretHash],
        visit: Visit,
    ) -> Result<Lookup, Failure> {
        let deadline = self.server.deadline();
        let is_plain = match self.latest_now() {
            Some(latest) => visit.touch != Touch::IfDue || !self.lately.may_be_due(id, latest),
            None => false,
        };
        if is_plain && let Some(lookup) = self.look(id, secrets, visit, deadline).await? {
            return Ok(lookup);
        }
        let mut lookup = Lookup::Absent;
        for secret in self.newest_first(id, secrets, visit, deadline).await? {
            lookup = self.ask(id, &secret, visit, deadline).await?;
            if !matches!(lookup, Lookup::Absent) {
                break;
            }
        }
        if let Lookup::Found(record) = &lookup {
            self.note(id, &record.meta);
        }
        Ok(lookup)
    }

    /// The session was touched, or needed no touch.
    pub(super) fn note(&self, id: SessionId, meta: &Meta) {
        self.lately.note(id, meta.last_seen.after(meta.touch_interval()));
    }

    /// The latest that the clock of the server may show, if that is known well
    /// enough.
    fn latest_now(&self) -> Option<Timestamp> {
        let clock = &self.server.options.clock;
        if clock.is_frozen() {
            return Some(clock.now());
        }
        self.server.clocks_agree().then(|| clock.now().after(APART))
    }

    /// Reads the hash, and answers if nothing about it is in question.
    async fn look(
        &self,
        id: SessionId,
        secrets: &[SecretHash],
        visit: Visit,
        deadline: Instant,
    ) -> Result<Option<Lookup>, Failure> {
        let answer = self.server.hash(&self.server.session(id), deadline).await?;
        if answer.is_empty() {
            return Ok(Some(Lookup::Absent));
        }
        // The tombstone of one, or data that the script finds wrong.
        let Ok(record) = layout::record(id, &answer) else { return Ok(None) };
        let Some(latest) = self.latest_now() else { return Ok(None) };
        let meta = &record.meta;
        // With the secret before the present one the clock of the server decides.
        let is_plain = secrets.contains(&meta.secret)
            && meta.judge(secrets, visit, latest) == Judgement::Opens(Due::Nothing);
        Ok(is_plain.then(|| Lookup::Found(Arc::new(record))))
    }

    /// The script takes one secret. Of several that the record knows the newest
    /// counts, so that comes first.
    async fn newest_first(
        &self,
        id: SessionId,
        secrets: &[SecretHash],
        visit: Visit,
        deadline: Instant,
    ) -> Result<Vec<SecretHash>, Failure> {
        let mut secrets = secrets.to_vec();
        if secrets.len() > 1
            && let answer = self.server.hash(&self.server.session(id), deadline).await?
            && let Ok(record) = layout::record(id, &answer)
        {
            let now = self.server.options.clock.now();
            let arrived = visit.arrived.unwrap_or(now);
            secrets.sort_by_key(|it| match record.meta.standing(it, arrived, now) {
                Standing::Next => 0,
                Standing::Current => 1,
                Standing::Previous | Standing::Replayed => 2,
                Standing::Retired(_) => 3,
                Standing::Unknown => 4,
            });
        }
        Ok(secrets)
    }

    async fn ask(
        &self,
        id: SessionId,
        secret: &SecretHash,
        visit: Visit,
        deadline: Instant,
    ) -> Result<Lookup, Failure> {
        let server = &self.server;
        let (key, secret) = (server.session(id), layout::secret(secret));
        let arrived = visit.arrived.map_or(String::new(), |at| at.as_millis().to_string());
        let touch = if visit.touch == Touch::IfDue { "t" } else { "" };
        loop {
            let args = [&server.now(), &secret, touch, &arrived];
            let answer = server.run(&server.scripts.load, &[&key], &args, deadline).await?;
            return match answer {
                Value::Int(0) => Ok(Lookup::Absent),
                Value::Int(2) => Ok(Lookup::Replayed),
                Value::Array(flat) => match flat.as_slice() {
                    [principal] => {
                        self.extend(id, principal, deadline).await?;
                        continue;
                    }
                    [_, by, at] => Ok(Lookup::Ended(read_ended(by, at)?)),
                    flat => Ok(Lookup::Found(Arc::new(layout::record(id, flat)?))),
                },
                _ => Err(Failure::corrupt("answer")),
            };
        }
    }

    /// The session would live longer by its touch than its index knows it: once
    /// in 400 days, of a session without absolute timeout.
    async fn extend(
        &self,
        id: SessionId,
        principal: &Value,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let server = &self.server;
        let principal = text(principal).ok_or_else(|| Failure::corrupt("answer"))?;
        let index = server.index(&Principal::from_stored(principal));
        let args = [&server.now(), &id.to_string()];
        let bound = server.run(&server.scripts.extend, &[&index], &args, deadline).await?;
        let bound = text(&bound).ok_or_else(|| Failure::corrupt("answer"))?;
        let key = server.session(id);
        server.run(&server.scripts.extended, &[&key], &[principal, bound], deadline).await?;
        Ok(())
    }

    pub(super) async fn reload(
        &self,
        id: SessionId,
        epoch: u64,
    ) -> Result<Option<Arc<Record>>, Failure> {
        let server = &self.server;
        let args = [&server.now(), &epoch.to_string(), ""];
        let key = server.session(id);
        match server.run(&server.scripts.reload, &[&key], &args, server.deadline()).await? {
            Value::Array(flat) => Ok(Some(Arc::new(layout::record(id, &flat)?))),
            Value::Int(_) => Ok(None),
            _ => Err(Failure::corrupt("answer")),
        }
    }
}

fn read_ended(by: &Value, at: &Value) -> Result<Ended, Failure> {
    let corrupt = || Failure::corrupt("answer");
    let by = match text(by) {
        Some("b") => EndedBy::Browser,
        Some("e") => EndedBy::Elsewhere,
        _ => return Err(corrupt()),
    };
    let at = text(at).and_then(|at| at.parse().ok()).ok_or_else(corrupt)?;
    Ok(Ended::new(by, Timestamp::from_millis(at)))
}
