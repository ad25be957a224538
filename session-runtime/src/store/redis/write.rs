//! Creating a session, and applying a patch to one.

use std::borrow::Cow;

use tokio::time::Instant;

use super::ask::{self, Answer, Args, int};
use super::failure::Failure;
use super::layout;
use super::server::Server;
use super::sign_in::{self, Concluded};
use super::store::Inner;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::patch::{Denied, Outcome, Patch, SignIn};
use crate::record::{EndedBy, Principal, Record};
use crate::store::contract::Created;
use crate::token::PatchId;

impl Inner {
    pub(super) async fn create(
        &self,
        record: &Record,
        sign_in: SignIn,
    ) -> Result<Created, Failure> {
        let server = &self.server;
        if let Err(refused) = server.options.limits.check_new(&record.fields) {
            return Ok(Created::Refused(refused));
        }
        let deadline = server.deadline();
        let made = PatchId::next().as_u64().to_string();
        let bound = sign_in::bound_of_record(&record.meta).as_millis().to_string();
        let Some(principal) = record.meta.principal.as_ref().filter(|_| server.is_split()) else {
            let write = Write { record, sign_in: &sign_in, bound: &bound, made: &made };
            return match write.send(server, "", "", deadline).await? {
                Wrote::Created(created) => Ok(created),
                Wrote::Late => Err(Failure::corrupt("answer")),
            };
        };
        let time = |at: Timestamp| at.as_millis().to_string();
        let authenticated = record.meta.authenticated.map_or(String::from("-"), time);
        let what = format!("{made} {authenticated} {}", time(record.meta.created));
        let reserved =
            sign_in::reserve(server, principal, record.id, &what, &sign_in, &bound, deadline)
                .await?;
        let denial = reserved.denied.map_or("", ask::denial_text);
        let bound = reserved.bound.clone();
        let write = Write { record, sign_in: &sign_in, bound: &bound, made: &made };
        match write.send(server, &reserved.not_after, denial, deadline).await? {
            Wrote::Created(Created::Created) => {
                // Leaves some time to undo it.
                let by = deadline - server.options.deadline / 8;
                match reserved.conclude(by).await {
                    Ok(Concluded::Stands) => Ok(Created::Created),
                    Ok(Concluded::Revoked) => Ok(Created::Denied(Denied::Revoked)),
                    Err(failure) => {
                        // Nobody gets its token, so nobody should count it.
                        let (id, by) = (record.id, EndedBy::Elsewhere);
                        let undone = server.destroy(id, Some(principal), by, deadline).await;
                        if undone.is_err() {
                            tracing::debug!("a session that nobody uses stays until it expires");
                        }
                        Err(failure)
                    }
                }
            }
            Wrote::Created(other) => {
                reserved.cancel(deadline).await;
                Ok(other)
            }
            Wrote::Late => Err(Failure::timeout("the sign-in took too long")),
        }
    }

    pub(super) async fn apply(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
    ) -> Result<Outcome, Failure> {
        let deadline = self.server.deadline();
        let mut stored: Option<Principal> = None;
        loop {
            let set = patch.meta.principal.as_ref().and_then(Option::as_ref);
            let principal = set.or(stored.as_ref());
            let answer = match principal {
                Some(principal) if self.server.is_split() => {
                    self.apply_split(id, epoch, patch, principal, set.is_none(), deadline).await?
                }
                principal => {
                    let mut args = self.begin(epoch, patch);
                    if let (Some(principal), None) = (principal, set) {
                        args.push(format!("k{}", principal.as_str()).into_bytes().into());
                    }
                    self.send(id, epoch, patch, principal, &args, deadline).await?
                }
            };
            match answer {
                Answer::Outcome(outcome) => return Ok(outcome),
                Answer::Index(principal) => stored = Some(principal),
                Answer::Late => return Err(Failure::timeout("the sign-in took too long")),
            }
            if Instant::now() >= deadline {
                return Err(Failure::timeout("the principal of the session keeps changing"));
            }
        }
    }

    fn begin<'p>(&self, epoch: u64, patch: &'p Patch) -> Args<'p> {
        let first = [self.server.now(), patch.id.as_u64().to_string(), epoch.to_string()];
        let mut args: Args<'p> = first.into_iter().map(|it| Cow::Owned(it.into_bytes())).collect();
        ask::push(&mut args, patch);
        args
    }

    async fn send(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
        index: Option<&Principal>,
        args: &Args<'_>,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let server = &self.server;
        let session = server.session(id);
        let index = index.map(|principal| server.index(principal));
        let keys: Vec<&str> =
            [Some(&session), index.as_ref()].into_iter().flatten().map(String::as_str).collect();
        let script = match index {
            Some(_) => &server.scripts.sign_in,
            None => &server.scripts.apply,
        };
        // A loss of privilege must not come back with a replica.
        let value = match patch.meta.renew {
            Some(_) => server.run_safely(script, &keys, args, deadline).await?,
            None => server.run(script, &keys, args, deadline).await?,
        };
        ask::read(id, epoch, patch, &server.options.limits, value)
    }

    /// See [`sign_in`].
    async fn apply_split(
        &self,
        id: SessionId,
        epoch: u64,
        patch: &Patch,
        principal: &Principal,
        stored: bool,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let server = &self.server;
        let bound = sign_in::bound_of_lifetime(patch.meta.lifetime.as_ref());
        let sign_in = &patch.meta.sign_in;
        let authenticated = if patch.meta.authenticated { "n" } else { "-" };
        let what = format!("{} {authenticated}", patch.id.as_u64());
        let reserved =
            sign_in::reserve(server, principal, id, &what, sign_in, &bound, deadline).await?;
        let mut args = self.begin(epoch, patch);
        let mut push = |tag: char, text: &str| {
            args.push(format!("{tag}{text}").into_bytes().into());
        };
        push('b', &reserved.bound);
        if let Some(denied) = reserved.denied {
            push('e', ask::denial_text(denied));
        } else {
            push('u', &reserved.not_after);
        }
        if stored {
            push('k', principal.as_str());
        }
        let answer = self.send(id, epoch, patch, None, &args, deadline).await?;
        let finish = match &answer {
            Answer::Outcome(Outcome::Applied(applied)) if applied.repeated => {
                reserved.is_to_be_finished()
            }
            Answer::Outcome(Outcome::Applied(_)) => true,
            _ => false,
        };
        if !finish {
            reserved.cancel(deadline).await;
            return Ok(answer);
        }
        match reserved.conclude(deadline).await {
            Ok(Concluded::Stands) => Ok(answer),
            Ok(Concluded::Revoked) => Ok(Answer::Outcome(Outcome::Denied(Denied::Revoked))),
            // It is stored, and whether it stands is not known.
            Err(failure) => Err(failure.maybe_done(true)),
        }
    }
}

/// A record that is to be created.
struct Write<'w> {
    record: &'w Record,
    sign_in: &'w SignIn,
    bound: &'w str,
    /// By which a repetition is recognised.
    made: &'w str,
}

enum Wrote {
    Created(Created),
    Late,
}

impl Write<'_> {
    async fn send(
        &self,
        server: &Server,
        not_after: &str,
        denial: &str,
        deadline: Instant,
    ) -> Result<Wrote, Failure> {
        let (meta, sign_in) = (&self.record.meta, self.sign_in);
        let cap = sign_in.cap.map_or(String::new(), |cap| cap.max.to_string());
        let evict = sign_in.cap.map_or("", |cap| match cap.at_limit {
            crate::patch::AtLimit::EvictOldest => "e",
            crate::patch::AtLimit::Reject => "",
        });
        let since =
            sign_in.not_revoked_since.map_or(String::new(), |at| at.as_millis().to_string());
        let principal = meta.principal.as_ref();
        let (now, id) = (server.now(), self.record.id.to_string());
        let expires = meta.expires_at().as_millis().to_string();
        let theirs = principal.map_or("", Principal::as_str);
        let first = [
            &now, &id, &expires, self.bound, self.made, not_after, denial, &cap, evict, &since,
            theirs,
        ];
        let mut args: Vec<Cow<'_, [u8]>> =
            first.into_iter().map(|it| it.as_bytes().into()).collect();
        for (name, value) in layout::hash(self.record) {
            args.push(name.into_owned().into_bytes().into());
            args.push(value.into_owned().into());
        }
        if principal.is_some() {
            args.extend([b"@bound".as_slice().into(), self.bound.as_bytes().into()]);
        }
        let session = server.session(self.record.id);
        let index =
            principal.filter(|_| !server.is_split()).map(|principal| server.index(principal));
        let keys: Vec<&str> =
            [Some(&session), index.as_ref()].into_iter().flatten().map(String::as_str).collect();
        let answer = server.run(&server.scripts.create, &keys, &args, deadline).await?;
        Ok(match int(&answer) {
            Some(1) => Wrote::Created(Created::Created),
            Some(0) => Wrote::Created(Created::Exists),
            Some(-1) => Wrote::Late,
            _ => Wrote::Created(Created::Denied(
                ask::denial(Some(&answer)).ok_or_else(|| Failure::corrupt("answer"))?,
            )),
        })
    }
}
