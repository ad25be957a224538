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
use crate::record::Principal;
use crate::store::contract::{Cursor, EndedBy, Page, Revoke, Revoked};
use crate::token::PatchId;

/// How many sessions one step of a revocation ends.
const REVOKE_STEP: usize = 500;
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

    /// It is a sign-in that was confirmed lately.
    pub(super) fn is_confirmed(&self) -> bool {
        self.name.starts_with('=')
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
        if name.starts_with('@') {
            continue;
        }
        let id =
            name.trim_start_matches(['+', '=']).split(' ').next().and_then(|id| id.parse().ok());
        all.push(Member { name: name.to_owned(), score, id });
    }
    Ok(all)
}

const fn by_text(by: EndedBy) -> &'static str {
    match by {
        EndedBy::Browser => "b",
        EndedBy::Elsewhere => "e",
    }
}

/// Those about the next `limit` sessions, by their ids, and where the next page
/// begins.
fn page(
    mut all: Vec<Member>,
    from: Option<&Cursor>,
    limit: usize,
) -> Result<(Vec<Member>, Option<Cursor>), Failure> {
    let after = from.map(Cursor::id).transpose();
    let after = after.map_err(|_| Failure::config("a cursor of another store"))?;
    all.retain(|member| member.id.is_none() || member.id > after);
    all.sort_by_key(|member| member.id);
    let mut ids: Vec<_> = all.iter().filter_map(|member| member.id).collect();
    ids.dedup();
    let last = ids.get(limit.max(1) - 1).filter(|_| ids.len() > limit.max(1)).copied();
    if let Some(last) = last {
        all.retain(|member| member.id.is_none_or(|id| id <= last));
    }
    Ok((all, last.map(Cursor::after)))
}

impl Server {
    pub(super) async fn destroy(
        &self,
        id: SessionId,
        principal: Option<&Principal>,
        by: EndedBy,
        deadline: Instant,
    ) -> Result<bool, Failure> {
        let theirs = principal.map_or("", Principal::as_str);
        let number = PatchId::next().as_u64().to_string();
        let args = [&self.now(), theirs, &number, by_text(by)];
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
        safely: bool,
        deadline: Instant,
    ) -> Result<Vec<(Member, SessionId, Value)>, Failure> {
        let mut answers = Vec::with_capacity(all.len());
        for some in all.chunks(ABREAST) {
            let asked = some.iter().filter_map(|member| {
                let is_session = !member.is_under_way() && !member.is_confirmed();
                let id = member.id.filter(|_| is_session)?;
                Some(async move {
                    let key = self.session(id);
                    let value = match safely {
                        true => self.run_safely(script, &[&key], args, deadline).await?,
                        false => self.run(script, &[&key], args, deadline).await?,
                    };
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
        let answers = self.each(known, &self.scripts.look, &args, false, deadline).await?;
        Ok(answers.iter().filter_map(|(_, id, value)| Other::read(*id, value)).collect())
    }

    pub(super) async fn list(
        &self,
        principal: &Principal,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, Failure> {
        let deadline = self.deadline();
        let all = self.members_of(principal, false, deadline).await?;
        let (known, next) = page(all, from, limit)?;
        let args = [&*self.now(), "", principal.as_str()];
        let mut records = Vec::new();
        let mut stale = Vec::new();
        let answers = self.each(&known, &self.scripts.reload, &args, false, deadline).await?;
        for (member, id, value) in answers {
            match value {
                Value::Array(flat) => records.push(Arc::new(layout::record(id, &flat)?)),
                Value::Int(-1) => stale.push(member),
                _ => {}
            }
        }
        self.forget(principal, &known, stale, deadline).await;
        Ok(Page { records, next })
    }

    pub(super) async fn revoke(
        &self,
        principal: &Principal,
        which: Revoke,
        from: Option<&Cursor>,
    ) -> Result<Revoked, Failure> {
        let deadline = self.deadline();
        if let Revoke::One(id) = which {
            let ended = self.destroy(id, Some(principal), EndedBy::Elsewhere, deadline).await?;
            return Ok(Revoked::done(u64::from(ended)));
        }
        let mark = which == Revoke::All && from.is_none();
        let all = self.members_of(principal, mark, deadline).await?;
        let (known, next) = page(all, from, REVOKE_STEP)?;
        let ending: Vec<_> =
            known.iter().filter(|it| it.id.is_some_and(|id| which.ends(id))).cloned().collect();
        let number = PatchId::next().as_u64().to_string();
        let args = [&*self.now(), principal.as_str(), &number, by_text(EndedBy::Elsewhere)];
        let answers = self.each(&ending, &self.scripts.destroy, &args, false, deadline).await?;
        let ended = answers.iter().filter(|(_, _, value)| int(value) == Some(1)).count();
        let stale = answers.into_iter().map(|(member, ..)| member).collect();
        self.forget(principal, &known, stale, deadline).await;
        if self.waits() {
            // Only once all is done, and on the connections that wait: whatever
            // a failover took back until now is done again.
            if mark {
                let args = [&*self.now(), "r"];
                let index = self.index(principal);
                self.run_safely(&self.scripts.members, &[&index], &args, deadline).await?;
            }
            self.each(&ending, &self.scripts.destroy, &args, true, deadline).await?;
        }
        Ok(Revoked::done(ended as u64).and_then(next))
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
