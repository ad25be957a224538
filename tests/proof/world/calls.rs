//! What a call of the store means, and what it must have answered.

use session_runtime::SessionId;
use session_runtime::patch::{Gone, Outcome, Patch};
use session_runtime::record::Record;
use session_runtime::store::Lookup;

use super::{ABSOLUTE, Fault, Found, IDLE, Kind, Verdict, World};
use crate::run::{Change, Ending, Need, Origin, SetCookie, Token, Wanted, Within, last_after};
use crate::schema::Values;

impl World {
    pub(crate) fn loaded(
        &mut self,
        client: usize,
        lookup: &Lookup,
        fault: Option<Fault>,
    ) -> Verdict {
        let run = self.run(client)?;
        let (token, realm) = (run.presented.ok_or("a load without a cookie")?, run.realm);
        let found = self.find(token, realm);
        if let Found::Live(record) = found {
            let now = self.now;
            let rec = &mut self.records[record];
            if now - rec.last_seen >= IDLE / 10 {
                rec.last_seen = now;
            }
        }
        self.agrees(token, realm, lookup)?;
        if fault.is_some() {
            return self.failed(client, Kind::Load);
        }
        let (origin, seen, last) = match found {
            Found::Live(record) => {
                let rec = &self.records[record];
                (Origin::Stored { record, epoch: rec.epoch }, rec.values.clone(), rec.last)
            }
            Found::Retired => (Origin::Retired { was: None }, Values::new(), None),
            Found::Absent => (Origin::Nobody, Values::new(), None),
        };
        let run = self.run(client)?;
        (run.origin, run.seen, run.last) = (origin, seen, last);
        Ok(())
    }

    pub(crate) fn reloaded(
        &mut self,
        client: usize,
        id: SessionId,
        answer: Option<&Record>,
        fault: Option<Fault>,
    ) -> Verdict {
        let record = *self.ids.get(&id).ok_or("a reload of nothing")?;
        let (now, rec) = (self.now, self.records[record].clone());
        let run = self.run(client)?;
        let Origin::Stored { record: own, epoch } = run.origin else {
            return Err("a reload without a session".to_owned());
        };
        if own != record {
            return Err("a reload of another session".to_owned());
        }
        let live = rec.is_live(now) && rec.epoch == epoch;
        match answer {
            Some(stored) if live => self.same(record, stored)?,
            None if !live => {}
            _ => return Err(format!("reloaded: {answer:?}, must be {live}: {rec:?}")),
        }
        if fault.is_some() {
            return self.failed(client, Kind::Reload);
        }
        let run = self.run(client)?;
        match run.within {
            Within::Consume(None) if !live => run.within = Within::Consume(Some(Err(409))),
            Within::Consume(None) if !rec.values.contains_key("code") => {
                run.within = Within::Consume(Some(Ok(None)));
            }
            Within::Consume(_) => {}
            Within::Before if live && run.need(true) != Need::Nothing => run.seen = rec.values,
            Within::Before if run.need(true) != Need::Nothing => {}
            Within::Before if !live => run.error = Some(409),
            Within::Before => {
                run.seen = rec.values;
                run.begin_transaction(rec.rev);
            }
            _ if live => run.seen = rec.values,
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn created(
        &mut self,
        client: usize,
        record: &Record,
        fault: Option<Fault>,
    ) -> Verdict {
        let keep = self.keeps(client)?;
        let run = self.run(client)?;
        if run.within == Within::Before && run.need(true) == Need::Nothing {
            run.begin_transaction(0);
        }
        let need = run.need(keep);
        let Need::Create { values, ends } = need else {
            return Err(format!("created {record:?}; must do {need:?}"));
        };
        let realm = self.run(client)?.realm;
        let token = self.add(record.id, values.clone(), realm);
        let index = self.records.len() - 1;
        // Its life is counted from when it was made, a little before.
        let made = record.meta.created.as_millis() / 60_000;
        let rec = &mut self.records[index];
        (rec.last_seen, rec.absolute) = (made, made + ABSOLUTE);
        self.same(index, record)?;
        if fault.is_some() {
            self.orphans.push(index);
            return self.failed(client, Kind::Create);
        }
        let run = self.run(client)?;
        if let Some(former) = ends {
            run.ending = Some(Ending { former, new: index, token, values });
            return Ok(());
        }
        run.forget();
        (run.seen, run.last) = (values, None);
        run.origin = Origin::Stored { record: index, epoch: 1 };
        run.cookie = Some(SetCookie::Token(token));
        Ok(())
    }

    pub(crate) fn deleted(
        &mut self,
        client: usize,
        id: SessionId,
        was_live: bool,
        fault: Option<Fault>,
    ) -> Verdict {
        let record = *self.ids.get(&id).ok_or("a delete of nothing")?;
        let keep = self.keeps(client)?;
        let need = self.run(client)?.need(keep);
        if need != Need::Delete(record) {
            return Err(format!("deleted {record}; must do {need:?}"));
        }
        let live = self.records[record].is_live(self.now);
        if live != was_live {
            return Err(format!("deleted {record}: live {was_live}, must be {live}"));
        }
        self.end(record);
        if fault.is_some() {
            return self.failed(client, Kind::Delete);
        }
        let run = self.run(client)?;
        if let Some(ending) = run.ending.take() {
            run.succeeded(ending);
            return Ok(());
        }
        run.doomed.pop();
        if was_live || run.cookie.is_some() {
            run.cookie = Some(SetCookie::Remove);
        }
        Ok(())
    }

    /// What nobody has the token of is removed when nobody waits any more.
    pub(crate) fn removed(&mut self, id: SessionId) -> Verdict {
        let record = *self.ids.get(&id).ok_or("a removal of nothing")?;
        let orphan = self.orphans.iter().position(|orphan| *orphan == record);
        self.orphans.swap_remove(orphan.ok_or("what somebody may hold was removed")?);
        self.end(record);
        Ok(())
    }

    pub(crate) fn applied(
        &mut self,
        client: usize,
        id: SessionId,
        patch: &Patch,
        outcome: &Outcome,
        fault: Option<Fault>,
    ) -> Verdict {
        let record = *self.ids.get(&id).ok_or("a patch to nothing")?;
        let keep = self.keeps(client)?;
        let (now, rec) = (self.now, self.records[record].clone());
        let run = self.run(client)?;
        let Origin::Stored { record: own, epoch } = run.origin else {
            return Err("a patch without a session".to_owned());
        };
        if own != record {
            return Err("a patch to another session".to_owned());
        }
        let wanted = match run.within {
            Within::Consume(None) => {
                Wanted { changes: [("code", Change::Remove)].into(), ..Wanted::default() }
            }
            _ => match run.need(keep) {
                Need::Apply(wanted) => wanted,
                other => return Err(format!("patched with {patch:?}; must do {other:?}")),
            },
        };
        let outdated = match run.within {
            Within::Transaction { rev } => rev != rec.rev,
            _ => wanted.minds.iter().any(|name| rec.values.get(name) != run.seen.get(name)),
        };
        let before = run.unanswered.take();
        if before.is_some_and(|before| before != patch.id.as_u64()) {
            return Err("after a lost answer another patch is asked".to_owned());
        }
        let gone = |gone: Gone| (matches!(outcome, Outcome::Gone(it) if *it == gone), Some(gone));
        let known = rec.is_there() && rec.patches.contains(&patch.id.as_u64());
        let (agrees, gone) = if known {
            (matches!(outcome, Outcome::Applied(applied) if applied.repeated), None)
        } else if !rec.takes_patches(now) {
            gone(Gone::Absent)
        } else if rec.epoch != epoch {
            gone(Gone::Superseded)
        } else if outdated {
            (matches!(outcome, Outcome::Conflict(_)), None)
        } else if before.is_some() {
            return Err("a patch is applied twice: it was forgotten meanwhile".to_owned());
        } else {
            (matches!(outcome, Outcome::Applied(applied) if !applied.repeated), None)
        };
        if !agrees {
            return Err(format!("{outcome:?} to {wanted:?} of epoch {epoch} on {rec:?}"));
        }
        let conflict = matches!(outcome, Outcome::Conflict(_));
        let mut token = None;
        if gone.is_none() && !conflict && !known {
            token = wanted.raises.then_some(self.owners.len());
            self.store(client, record, &wanted, patch, token)?;
        } else if known && wanted.raises {
            // The one that the first attempt made.
            token = self.owners.iter().rposition(|owner| *owner == record);
        }
        if fault == Some(Fault::Lost) {
            let run = self.run(client)?;
            run.unanswered = Some(patch.id.as_u64());
            return Ok(());
        }
        let run = self.run(client)?;
        match (run.within, gone) {
            (Within::Consume(_), Some(_)) => {
                run.within = Within::Consume(Some(Err(409)));
                run.origin = Origin::Retired { was: Some(record) };
                run.seen.clear();
                run.last = None;
            }
            (Within::Consume(_), None) if known => run.within = Within::Consume(Some(Err(503))),
            (Within::Consume(_), None) => {
                let taken = rec.values.get("code").map(|code| *code as u32);
                run.within = Within::Consume(Some(Ok(taken)));
                run.seen.remove("code");
            }
            (Within::Transaction { .. }, Some(_)) => {
                run.forget();
                run.error = Some(409);
            }
            (Within::Transaction { .. }, None) if conflict => {
                run.seen = rec.values;
                run.begin_transaction(rec.rev);
            }
            (_, Some(gone)) if wanted.signs_in => {
                let seen = run.seen.clone();
                run.fork = Some((gone == Gone::Superseded).then_some(seen));
            }
            (_, Some(_)) => run.is_gone(wanted.explicit),
            (_, None) if conflict => run.seen = rec.values,
            (_, None) => run.stored(&wanted, token),
        }
        Ok(())
    }

    fn store(
        &mut self,
        client: usize,
        record: usize,
        wanted: &Wanted,
        patch: &Patch,
        token: Option<Token>,
    ) -> Verdict {
        let now = self.now;
        let run = self.run(client)?.clone();
        if token.is_some() {
            self.owners.push(record);
        }
        let rec = &mut self.records[record];
        let before = rec.values.clone();
        for (name, change) in &wanted.changes {
            let allowed = run.change(&mut rec.values, name, *change);
            allowed.map_err(|()| format!("`{name}` was changed against its policy"))?;
        }
        rec.last = last_after(&before, &rec.values, rec.last);
        rec.rev += 1;
        rec.patches.push(patch.id.as_u64());
        if rec.patches.len() > 4 {
            rec.patches.remove(0);
        }
        if let Some(token) = token {
            rec.retired.push((rec.token, now));
            rec.token = token;
            rec.epoch += 1;
        }
        if wanted.signs_in {
            (rec.last_seen, rec.absolute) = (now, now + ABSOLUTE);
        }
        Ok(())
    }

    /// A call whose request knows only that it failed.
    pub(crate) fn failed(&mut self, client: usize, kind: Kind) -> Verdict {
        let run = self.run(client)?;
        if let Within::Consume(result @ None) = &mut run.within {
            *result = Some(Err(503));
            return Ok(());
        }
        let after_lost = run.unanswered.take().is_some();
        let ending = run.ending.take();
        run.error = Some(503);
        run.retained = !after_lost && matches!(kind, Kind::Apply | Kind::Delete | Kind::Reload)
            || (kind == Kind::Create);
        if matches!(run.within, Within::Transaction { .. }) {
            run.retained = false;
        }
        // Nobody gets its token.
        self.orphans.extend(ending.map(|ending| ending.new));
        Ok(())
    }

    /// A created record whose answer is lost: nobody knows its token.
    pub(crate) fn nobody_knows(&mut self, client: usize) {
        if let Some(run) = &mut self.runs[client] {
            run.retained = false;
        }
    }
}
