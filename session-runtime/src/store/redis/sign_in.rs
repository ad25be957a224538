//! Sign-ins on one server: session, index and evictions in one step.
//!
//! Below its cap, a sign-in only reads a number. At its cap, it walks through the index in steps,
//! and removes the entries of sessions that have ended, until there is room or all have been seen.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::ask::{self, as_it_stands, new_base, text};
use super::failure::Failure;
use super::layout::Key;
use super::principals::{Entry, Standing};
use super::script::STEP;
use super::server::{Server, Told};
use crate::id::SessionId;
use crate::record::form::{Form, patch_text};
use crate::record::patch::{AtLimit, Cap, Denied, SignIn};
use crate::record::{EndReason, Ended, Fields, Record};
use crate::store::engine::{
    self, Doubt, End, Engine, Entombed, Inserted, Joins, Pause, Read, Step, Stepped, is_over,
};
use crate::token::PatchId;

/// How many sessions the step of the sign-in itself ends. If a cap was introduced or lowered, the
/// others are ended before, step by step.
const AT_ONCE: usize = 50;

/// The arguments of `enter.lua`.
struct Enter<'e> {
    what: &'static str,
    as_read: &'e [u8],
    form: &'e Form,
}

enum Entered {
    /// The sessions that were evicted.
    Stored(Vec<SessionId>),
    Refused(Read, Doubt),
    Denied(Denied),
}

/// A session that ends to make room.
pub(super) struct Leaving {
    id: SessionId,
    /// Its head as it was read.
    head: Vec<u8>,
    /// Whether it has not expired.
    is_live: bool,
}

/// What a walk through the index found for a sign-in.
pub(super) enum Room {
    /// There is room once these have ended; expired ones among them do not count anyway.
    After(Vec<Leaving>),
    /// The cap is reached.
    None,
}

impl Server {
    pub(super) async fn step_and_enter(
        &self,
        id: SessionId,
        step: &Step<'_>,
        joins: &Joins<'_>,
        deadline: Instant,
    ) -> Result<Stepped, engine::Failure> {
        let Some(replace) = &step.replace else {
            // The record was not read from a form, so the caller has to read what is stored.
            return Ok(Stepped::Refused(self.look_at(id, deadline).await?, Doubt::None));
        };
        let what = if step.patch.is_some() { "p" } else { "" };
        let enter = Enter { what, as_read: replace.as_read, form: replace.form };
        Ok(match self.enter(id, &enter, joins, step.renews, deadline).await? {
            Entered::Stored(evicted) => Stepped::Replaced(evicted),
            Entered::Refused(read, doubt) => Stepped::Refused(read, doubt),
            Entered::Denied(denied) => Stepped::Denied(denied),
        })
    }

    pub(super) async fn insert_and_enter(
        &self,
        id: SessionId,
        form: &Form,
        joins: &Joins<'_>,
        deadline: Instant,
    ) -> Result<Inserted, engine::Failure> {
        let mut over = Vec::new();
        loop {
            let enter = Enter { what: "c", as_read: &over, form };
            match self.enter(id, &enter, joins, false, deadline).await? {
                Entered::Stored(evicted) => return Ok(Inserted::Stored(evicted)),
                Entered::Denied(denied) => return Ok(Inserted::Denied(denied)),
                Entered::Refused(Read { value, now, .. }, doubt) => match value {
                    Some(value) if is_over(&value, now) && value != over => over = value,
                    None if !over.is_empty() => over.clear(),
                    _ => return Ok(Inserted::Exists(doubt)),
                },
            }
        }
    }

    async fn enter(
        &self,
        id: SessionId,
        enter: &Enter<'_>,
        joins: &Joins<'_>,
        renews: bool,
        deadline: Instant,
    ) -> Result<Entered, engine::Failure> {
        let mut pause = Pause::until(deadline);
        let (mut leaving, mut evicted) = (Vec::new(), Vec::new());
        loop {
            let told = self.call_enter(id, enter, joins, &leaving, renews, deadline).await?;
            match text(&told.value) {
                Some("full") => match self.make_room(id, joins, &mut evicted, deadline).await? {
                    Room::After(others) => leaving = others,
                    Room::None => return Ok(Entered::Denied(Denied::AtLimit)),
                },
                Some(other) => {
                    let denied = ask::denial(other).ok_or_else(|| Failure::corrupt("answer"))?;
                    return Ok(Entered::Denied(denied));
                }
                None if told.number() == Some(0) => {
                    evicted.extend(leaving.iter().filter(|it| it.is_live).map(|it| it.id));
                    return Ok(Entered::Stored(evicted));
                }
                None => return Ok(Entered::Refused(as_it_stands(told.value)?, told.doubt)),
            }
            pause.again().await?;
        }
    }

    async fn call_enter(
        &self,
        id: SessionId,
        enter: &Enter<'_>,
        joins: &Joins<'_>,
        leaving: &[Leaving],
        renews: bool,
        deadline: Instant,
    ) -> Result<Told, Failure> {
        let mut keys = vec![self.session(id), self.index(joins.principal)];
        keys.extend(leaving.iter().map(|it| self.session(it.id)));
        let name = id.to_string();
        let bound = joins.bound.as_millis().to_string();
        let cap = joins.sign_in.cap.map_or(String::new(), |cap| cap.max.to_string());
        let since = self.since(&joins.sign_in);
        let end = patch_text(PatchId::next());
        let mut args: Vec<&[u8]> = vec![
            enter.what.as_bytes(),
            enter.as_read,
            &enter.form.value,
            new_base(enter.form),
            name.as_bytes(),
            bound.as_bytes(),
            cap.as_bytes(),
            since.as_bytes(),
            &end,
        ];
        args.extend(leaving.iter().map(|it| &it.head[..]));
        match renews {
            true => self.run_safely(&self.scripts.enter, &keys, &args, deadline).await,
            false => self.tell(&self.scripts.enter, &keys, &args, deadline).await,
        }
    }

    /// Walks through the index of a principal for the session `own`, which signs in. Adds the
    /// sessions that it ends to `evicted`.
    pub(super) async fn make_room(
        &self,
        own: SessionId,
        joins: &Joins<'_>,
        evicted: &mut Vec<SessionId>,
        deadline: Instant,
    ) -> Result<Room, engine::Failure> {
        let Some(cap) = joins.sign_in.cap else { return Ok(Room::After(Vec::new())) };
        let max = cap.max.get() as usize;
        let index = self.index(joins.principal);
        let mut live: BTreeMap<SessionId, (Record, Vec<u8>)> = BTreeMap::new();
        let mut expiring = BTreeMap::new();
        let mut from = None;
        loop {
            let page = self.page(index, from.as_ref(), STEP, deadline).await?;
            let looked = self.look_at_entries(joins.principal, page.entries, deadline).await?;
            self.forget_all(index, &looked.stale, deadline).await;
            for (entry, Standing { meta, head, is_live }) in looked.theirs {
                let Some(id) = entry.id.filter(|id| *id != own) else { continue };
                match is_live {
                    true => drop(live.insert(id, (Record::new(id, meta, Fields::new()), head))),
                    false => drop(expiring.insert(id, head)),
                }
            }
            if cap.at_limit == AtLimit::Reject && live.len() >= max {
                return Ok(Room::None);
            }
            // Sessions that are older than as many others as the cap allows end in any case.
            if live.len() > max + AT_ONCE {
                let all_but_max = Cap { max: cap.max.saturating_add(1), ..cap };
                let surplus = oldest(&mut live, all_but_max);
                evicted.extend(self.end_surplus(index, surplus, deadline).await?);
            }
            match page.next {
                Some(next) => from = Some(next),
                None => break,
            }
        }
        let mut make_room = oldest(&mut live, cap);
        let expiring = expiring.into_iter();
        make_room.extend(expiring.map(|(id, head)| Leaving { id, head, is_live: false }));
        Ok(Room::After(make_room))
    }

    /// Ends sessions that exceed a cap; returns those that it ended. The next walk looks again at
    /// one that changed meanwhile.
    async fn end_surplus(
        &self,
        index: Key<'_>,
        surplus: Vec<Leaving>,
        deadline: Instant,
    ) -> Result<Vec<SessionId>, engine::Failure> {
        let (id, mut evicted) = (PatchId::next(), Vec::new());
        let ended = Ended::new(EndReason::Limit, self.offset.now());
        for some in surplus.chunks(super::read::ABREAST) {
            let ending = some.iter().map(|it| async move {
                let end = End { ended, id, as_read: Some(&it.head) };
                let entombed = self.entomb(it.id, &end, deadline).await?;
                Ok::<_, engine::Failure>((it.id, entombed))
            });
            let told = futures_util::future::try_join_all(ending).await?;
            let gone = told.iter().filter(|(_, it)| !matches!(it, Entombed::Refused(_)));
            let gone: Vec<_> = gone.map(|(id, _)| Entry::of(*id)).collect();
            self.forget_all(index, &gone, deadline).await;
            let ended =
                told.iter().filter(|(_, it)| matches!(it, Entombed::Ended { was_live: true }));
            evicted.extend(ended.map(|(id, _)| *id));
        }
        Ok(evicted)
    }
}

/// Removes the sessions that have to make room under `cap` from `live`, and returns them.
fn oldest(live: &mut BTreeMap<SessionId, (Record, Vec<u8>)>, cap: Cap) -> Vec<Leaving> {
    let sign_in = SignIn { cap: Some(cap), not_revoked_since: None };
    let ids = sign_in.admit(live.values().map(|(record, _)| record), None).unwrap_or_default();
    let leaving = |id| Some(Leaving { id, head: live.remove(&id)?.1, is_live: true });
    ids.into_iter().filter_map(leaving).collect()
}

impl Server {
    /// Returns the time at or after which a revocation refuses the sign-in; empty if none does. The
    /// node records when a login began, the servers when they revoked.
    pub(super) fn since(&self, sign_in: &SignIn) -> String {
        let since = sign_in.not_revoked_since.map(|at| self.offset.translated(at));
        since.map_or(String::new(), |at| at.as_millis().to_string())
    }
}
