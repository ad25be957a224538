//! The sessions of a principal.

use std::sync::Arc;

use futures_util::future::try_join_all;
use redis::Value;
use tokio::time::Instant;

use super::ask::{int, text};
use super::failure::Failure;
use super::layout;
use super::script::Script;
use super::server::Server;
use super::sign_in::Other;
use crate::id::SessionId;
use crate::record::{Principal, Record};
use crate::store::contract::Revoke;

/// How many requests are on their way at once.
const ABREAST: usize = 64;

/// What the index of a principal says.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) score: String,
    /// Of which session; none for what is about no session.
    pub(super) id: Option<SessionId>,
}

impl Member {
    pub(super) fn of(id: SessionId) -> Self {
        Self { name: id.to_string(), score: String::new(), id: Some(id) }
    }

    /// It is a sign-in that is not confirmed.
    pub(super) fn is_under_way(&self) -> bool {
        self.name.starts_with('+')
    }
}

/// Reads members and scores, those about sessions.
pub(super) fn members(flat: &[Value]) -> Result<Vec<Member>, Failure> {
    let corrupt = || Failure::corrupt("index");
    let (pairs, []) = flat.as_chunks::<2>() else { return Err(corrupt()) };
    let mut all = Vec::with_capacity(pairs.len());
    for [name, score] in pairs {
        let name = text(name).ok_or_else(corrupt)?;
        let score = match score {
            Value::Double(score) => score.to_string(),
            score => text(score).ok_or_else(corrupt)?.to_owned(),
        };
        if name.starts_with(['@', '=']) {
            continue;
        }
        let id = name.trim_start_matches('+').split(' ').next().and_then(|id| id.parse().ok());
        all.push(Member { name: name.to_owned(), score, id });
    }
    Ok(all)
}

impl Server {
    pub(super) async fn destroy(
        &self,
        id: SessionId,
        principal: Option<&Principal>,
        deadline: Instant,
    ) -> Result<bool, Failure> {
        let theirs = principal.map_or("", Principal::as_str);
        let args = [&self.now(), theirs];
        let answer =
            self.run_safely(&self.scripts.destroy, &[&self.session(id)], &args, deadline).await?;
        Ok(int(&answer) == Some(1))
    }

    async fn members_of(
        &self,
        principal: &Principal,
        revoke: bool,
        deadline: Instant,
    ) -> Result<Vec<Member>, Failure> {
        let args = [&*self.now(), if revoke { "r" } else { "" }];
        let answer =
            self.run(&self.scripts.members, &[&self.index(principal)], &args, deadline).await?;
        let Value::Array(flat) = answer else { return Err(Failure::corrupt("index")) };
        members(&flat)
    }

    /// Asks `script` about each of them.
    async fn each(
        &self,
        all: &[Member],
        script: &Script,
        args: &[&str],
        deadline: Instant,
    ) -> Result<Vec<(Member, SessionId, Value)>, Failure> {
        let mut answers = Vec::with_capacity(all.len());
        for some in all.chunks(ABREAST) {
            let asked = some.iter().filter_map(|member| {
                let id = member.id.filter(|_| !member.is_under_way())?;
                Some(async move {
                    let value = self.run(script, &[&self.session(id)], args, deadline).await?;
                    Ok::<_, Failure>((member.clone(), id, value))
                })
            });
            answers.extend(try_join_all(asked).await?);
        }
        Ok(answers)
    }

    /// The live ones among `known`.
    pub(super) async fn look(
        &self,
        known: &[Member],
        principal: &Principal,
        deadline: Instant,
    ) -> Result<Vec<Other>, Failure> {
        let args = [&*self.now(), principal.as_str()];
        let answers = self.each(known, &self.scripts.look, &args, deadline).await?;
        Ok(answers.iter().filter_map(|(_, id, value)| Other::read(*id, value)).collect())
    }

    pub(super) async fn list(&self, principal: &Principal) -> Result<Vec<Arc<Record>>, Failure> {
        let deadline = self.deadline();
        let known = self.members_of(principal, false, deadline).await?;
        let args = [&*self.now(), "", principal.as_str()];
        let mut records = Vec::new();
        let mut stale = Vec::new();
        for (member, id, value) in self.each(&known, &self.scripts.reload, &args, deadline).await? {
            match value {
                Value::Array(flat) => records.push(Arc::new(layout::record(id, &flat)?)),
                Value::Int(-1) => stale.push(member),
                _ => {}
            }
        }
        self.forget(principal, &known, stale, deadline).await;
        Ok(records)
    }

    pub(super) async fn revoke(
        &self,
        principal: &Principal,
        which: Revoke,
    ) -> Result<u64, Failure> {
        let deadline = self.deadline();
        if let Revoke::One(id) = which {
            return Ok(u64::from(self.destroy(id, Some(principal), deadline).await?));
        }
        let known = self.members_of(principal, which == Revoke::All, deadline).await?;
        let ending: Vec<_> =
            known.iter().filter(|it| it.id.is_some_and(|id| which.ends(id))).cloned().collect();
        let args = [&*self.now(), principal.as_str()];
        let answers = self.each(&ending, &self.scripts.destroy, &args, deadline).await?;
        let ended = answers.iter().filter(|(_, _, value)| int(value) == Some(1)).count();
        let stale = answers.into_iter().map(|(member, ..)| member).collect();
        self.forget(principal, &known, stale, deadline).await;
        Ok(ended as u64)
    }

    /// Takes entries out of the index, but for those of sessions into which a
    /// sign-in is under way or came since. Not having done it is no failure.
    async fn forget(
        &self,
        principal: &Principal,
        known: &[Member],
        stale: Vec<Member>,
        deadline: Instant,
    ) {
        let under_way = |id| known.iter().any(|it| it.is_under_way() && it.id == id);
        let stale: Vec<_> = stale.into_iter().filter(|it| !under_way(it.id)).collect();
        let args: Vec<_> = stale.iter().flat_map(|it| [it.name.as_str(), &it.score]).collect();
        for args in args.chunks(1_000) {
            let keys = [&*self.index(principal)];
            if self.run(&self.scripts.forget, &keys, args, deadline).await.is_err() {
                tracing::debug!("ended sessions stay in the index of their principal for now");
                return;
            }
        }
    }
}
