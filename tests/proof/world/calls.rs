//! What a call of the store means, and what it must have answered.

use session_runtime::__private::patch::{Gone, Outcome, Patch};
use session_runtime::__private::record::Record;
use session_runtime::SessionId;
use session_runtime::store::contract::{Created, Lookup};

use super::{ABSOLUTE, Fault, Found, IDLE, Kind, Rec, Verdict, World};
use crate::run::{Change, Ending, Need, Origin, SetCookie, Token, Wanted, Within, last_after};

impl World {
    pub(crate) fn loaded(
        &mut self,
        client: usize,
        lookup: &Lookup,
        fault: Option<Fault>,
    ) -> Verdict {
        let run = self.run(client)?;
        let (looks, arrived, realm) = (run.kin.looks, run.arrived, run.realm);
        let token = if looks { run.token } else { run.presented };
        let token = token.ok_or("a load without a cookie")?;
        // A look by itself is no visit: it has not waited.
        let arrived = if looks { self.now } else { arrived };
        let found = self.find(token, realm, arrived);
        if let (Found::Live(record), false) = (&found, looks) {
            let now = self.now;
            let rec = &mut self.records[*record];
            if now - rec.last_seen >= IDLE / 10 {
                rec.last_seen = now;
            }
        }
        self.agrees(token, realm, arrived, lookup)?;
        if fault.is_some() {
            return self.failed(client, Kind::Load);
        }
        if looks {
            let run = self.run(client)?;
            run.kin.looks = false;
            if let Found::Retired(record, Some(epoch)) = found {
                run.kin.first = Some((record, epoch));
            }
            return Ok(());
        }
        let rec = match found {
            Found::Live(record) | Found::Replayed(record) => Some(self.records[record].clone()),
            _ => None,
        };
        let run = self.run(client)?;
        match (found, rec) {
            (Found::Live(record), Some(rec)) => {
                run.origin = Origin::Stored { record, epoch: rec.epoch };
                (run.seen, run.last, run.token) = (rec.values, rec.last, Some(token));
            }
            (Found::Retired(record, sign_in), _) => {
                run.origin = Origin::Retired { was: None, before: false };
                run.over = Some((record, sign_in));
            }
            (Found::Over(record), _) => run.over = Some((record, None)),
            (Found::Replayed(record), Some(rec)) if rec.values.contains_key("user") => {
                run.replayed = Some(record);
            }
            _ => {}
        }
        run.anew();
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
        let keep = self.keeps(client)?;
        let run = self.run(client)?;
        let repeats = run.comes().is_some() && matches!(run.need(keep), Need::Create { .. });
        let joins = match run.kin.taken.take() {
            Some(taken) => Some((taken, 1)),
            None if repeats => run.kin.first.take(),
            None => None,
        };
        if let Some((other, epoch)) = joins {
            if other != record {
                return Err("a reload of another session than the one to join".to_owned());
            }
            return self.joins(client, record, epoch, answer, fault);
        }
        let (now, rec) = (self.now, self.records[record].clone());
        let run = self.run(client)?;
        let Origin::Stored { record: own, epoch } = run.origin else {
            return Err("a reload without a session".to_owned());
        };
        if own != record {
            return Err("a reload of another session".to_owned());
        }
        let live = rec.is_live(now) && rec.epoch == epoch;
        self.shows_only_if(live, record, answer)?;
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

    fn shows_only_if(&self, live: bool, record: usize, answer: Option<&Record>) -> Verdict {
        match answer {
            Some(stored) if live => self.same(record, stored),
            None if !live => Ok(()),
            _ => {
                let rec = &self.records[record];
                Err(format!("reloaded: {answer:?}, must be {live}: {rec:?}"))
            }
        }
    }

    /// A request has read the session that it may go on with.
    fn joins(
        &mut self,
        client: usize,
        record: usize,
        epoch: u64,
        answer: Option<&Record>,
        fault: Option<Fault>,
    ) -> Verdict {
        let (now, rec) = (self.now, self.records[record].clone());
        let live = rec.is_live(now) && rec.epoch == epoch;
        self.shows_only_if(live, record, answer)?;
        if fault.is_some() {
            return self.failed(client, Kind::Reload);
        }
        let run = self.run(client)?;
        let is_kin = match run.comes() {
            Some(user) => {
                let recently = rec.signed_in.is_some_and(|(at, _)| at == now);
                rec.values.get("user") == Some(&user) && recently
            }
            None => !rec.values.contains_key("user"),
        };
        if live && is_kin {
            run.join(record, epoch, rec.values, rec.last);
        } else if run.comes().is_none() {
            run.kin.too_late = true;
        }
        Ok(())
    }

    pub(crate) fn created(
        &mut self,
        client: usize,
        record: &Record,
        answer: &Created,
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
        let run = self.run(client)?;
        if run.comes().is_some() && run.kin.first.is_some() {
            return Err("created beside the sign-in that it may repeat".to_owned());
        }
        run.kin.ends = ends.or(run.kin.ends);
        let (realm, follows, ends, now) = (run.realm, run.follows(), run.kin.ends, self.now);
        let there = |rec: &Rec| follows.is_some() && rec.follows == follows && rec.is_in_place(now);
        let taken = self.records.iter().rposition(there);
        if (*answer == Created::Exists) != taken.is_some() {
            return Err(format!("creating: {answer:?}; in its place is {taken:?}"));
        }
        if let Some(taken) = taken {
            if fault.is_some() {
                return self.failed(client, Kind::Create);
            }
            let run = self.run(client)?;
            (run.kin.apart, run.kin.taken) = (true, Some(taken));
            return Ok(());
        }
        let token = self.add(record.id, values.clone(), realm);
        let index = self.records.len() - 1;
        self.records[index].follows = follows;
        if values.contains_key("user") {
            self.records[index].signed_in = Some((now, None));
        }
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
            run.ending =
                Some(Ending { former, new: index, token, values, epoch: 1, joined: false });
            return Ok(());
        }
        run.forget();
        (run.seen, run.last) = (values, None);
        run.origin = Origin::Stored { record: index, epoch: 1 };
        run.cookie = Some(SetCookie::Token(token));
        run.token = Some(token);
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
        let replayed = self.run(client)?.replayed.is_some();
        self.end(record, !replayed);
        if fault.is_some() {
            return self.failed(client, Kind::Delete);
        }
        let run = self.run(client)?;
        if run.replayed.take().is_some() {
            run.cookie = Some(SetCookie::Remove);
            return Ok(());
        }
        if let Some(ending) = run.ending.take() {
            run.succeeded(ending);
            return Ok(());
        }
        run.destroyed(record, was_live);
        Ok(())
    }

    /// What nobody has the token of is removed when nobody waits any more.
    pub(crate) fn removed(&mut self, id: SessionId) -> Verdict {
        let record = *self.ids.get(&id).ok_or("a removal of nothing")?;
        let orphan = self.orphans.iter().position(|orphan| *orphan == record);
        self.orphans.swap_remove(orphan.ok_or("what somebody may hold was removed")?);
        self.end(record, true);
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
            token = (wanted.raises || wanted.joins).then_some(self.owners.len());
            self.store(client, record, &wanted, patch, token)?;
            self.run(client)?.kin.minted = token;
        } else if known {
            // The one that the first attempt made.
            token = self.run(client)?.kin.minted;
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
                run.origin = Origin::Retired { was: Some(record), before: false };
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
                run.part();
                let is_own =
                    matches!(run.origin, Origin::Stored { record: own, .. } if own == record);
                let superseded = gone == Gone::Superseded && is_own;
                run.kin.looks = superseded && run.token.is_some();
                run.fork = Some(superseded.then(|| run.seen.clone()));
            }
            (_, Some(_)) => run.is_gone(wanted.explicit),
            (_, None) if conflict => run.seen = rec.values,
            (_, None) if run.kin.before.is_some() && run.kin.ends.is_some() => {
                let mut values = run.seen.clone();
                for (name, change) in &wanted.changes {
                    let _ = run.change(&mut values, name, *change);
                }
                let (former, token) = (run.kin.ends.take(), token.ok_or("no token")?);
                run.ending = former.map(|former| Ending {
                    former,
                    new: record,
                    token,
                    values,
                    epoch: 1 + u64::from(wanted.raises),
                    joined: true,
                });
            }
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
        // Whoever goes on with a sign-in inherits its proof, and adds none.
        let proves = wanted.signs_in && run.kin.before.is_none();
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
        match token {
            Some(token) if wanted.raises => {
                rec.retire(now);
                if proves {
                    rec.signed_in = Some((now, Some(rec.token)));
                }
                rec.token = token;
                rec.epoch += 1;
            }
            Some(token) => rec.joined.push(token),
            None => {}
        }
        if proves {
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
        let ending = run.ending.take().filter(|ending| !ending.joined);
        let looked = run.kin.looks;
        run.part();
        run.replayed = None;
        run.anew();
        run.error = Some(503);
        run.retained = !after_lost && matches!(kind, Kind::Apply | Kind::Delete | Kind::Reload)
            || kind == Kind::Create
            || looked;
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
