//! The plain model: records, tokens and time, as the documentation describes
//! them. Every call of the store moves it by one step, and what the store and
//! the handler then say must be what it says.

use std::collections::{HashMap, HashSet};

use session_runtime::SessionId;
use session_runtime::patch::{Gone, Outcome, Patch};
use session_runtime::record::Record;
use session_runtime::store::Lookup;

use crate::program::{Act, Cookie};
use crate::run::{Change, Need, Origin, Run, SetCookie, Token, Wanted, Within};
use crate::schema::{Values, values_of};

// All times are in minutes.
const IDLE: u64 = 30;
const ABSOLUTE: u64 = 12 * 60;
const LEEWAY: u64 = 1;
const TOMBSTONE: u64 = 1;

#[derive(Clone, Debug)]
pub(crate) struct Rec {
    pub(crate) id: SessionId,
    pub(crate) values: Values,
    pub(crate) epoch: u64,
    rev: u64,
    token: Token,
    retired: Vec<(Token, u64)>,
    last_seen: u64,
    absolute: u64,
    ended: Option<u64>,
    swept: bool,
    /// The last four patches.
    patches: Vec<u64>,
}

impl Rec {
    fn expires(&self) -> u64 {
        (self.last_seen + IDLE).min(self.absolute)
    }

    fn is_there(&self) -> bool {
        self.ended.is_none() && !self.swept
    }

    pub(crate) fn is_live(&self, now: u64) -> bool {
        self.is_there() && now < self.expires()
    }

    fn takes_patches(&self, now: u64) -> bool {
        self.is_there() && now < self.expires() + LEEWAY
    }
}

/// What became of a call's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing was done.
    Failed,
    /// It was done, and the answer is lost.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Load,
    Reload,
    Create,
    Apply,
    Delete,
}

#[derive(Debug)]
pub(crate) enum Found {
    Live(usize),
    Absent,
    Retired,
}

#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) records: Vec<Rec>,
    ids: HashMap<SessionId, usize>,
    /// The record that a token is for.
    owners: Vec<usize>,
    /// Tokens that left the server.
    pub(crate) handed: Vec<(String, Token)>,
    jars: Vec<Option<(String, Token)>>,
    first: Option<(String, Token)>,
    pub(crate) runs: Vec<Option<Run>>,
    /// Codes that were handed out.
    consumed: HashSet<u32>,
    pub(crate) calls: usize,
    pub(crate) verbose: bool,
    /// What happened, if that is kept.
    pub(crate) history: Vec<String>,
    pub(crate) failure: Option<String>,
}

type Verdict = Result<(), String>;

impl World {
    pub(crate) fn new(clients: usize, verbose: bool) -> Self {
        Self { verbose, jars: vec![None; clients], runs: vec![None; clients], ..Self::default() }
    }

    /// The session that all clients hold at first.
    pub(crate) fn begin_with(&mut self, record: &Record, text: String) -> Verdict {
        let token = self.add(record.id, values_of(record)?);
        self.handed.push((text.clone(), token));
        self.first = Some((text, token));
        self.jars.fill(self.first.clone());
        Ok(())
    }

    fn add(&mut self, id: SessionId, values: Values) -> Token {
        let token = self.owners.len();
        self.owners.push(self.records.len());
        self.ids.insert(id, self.records.len());
        self.records.push(Rec {
            id,
            values,
            epoch: 1,
            rev: 1,
            token,
            retired: Vec::new(),
            last_seen: self.now,
            absolute: self.now + ABSOLUTE,
            ended: None,
            swept: false,
            patches: Vec::new(),
        });
        token
    }

    /// A client sends a request: the text of its cookie.
    pub(crate) fn asks(&mut self, client: usize, cookie: Cookie) -> Option<String> {
        let sent = match cookie {
            Cookie::Jar => self.jars[client].clone(),
            Cookie::First => self.first.clone(),
            Cookie::None => None,
        };
        let (text, token) = sent.unzip();
        self.runs[client] = Some(Run::new(token));
        text
    }

    fn run(&mut self, client: usize) -> Result<&mut Run, String> {
        self.runs[client].as_mut().ok_or_else(|| format!("client {client} has no request"))
    }

    pub(crate) fn find(&self, token: Token) -> Found {
        let record = self.owners[token];
        let rec = &self.records[record];
        let retired = || {
            let fresh = |(old, at): &(Token, u64)| *old == token && self.now < at + TOMBSTONE;
            rec.retired.iter().any(fresh)
        };
        match rec.ended {
            Some(at) if self.now < at + TOMBSTONE && (rec.token == token || retired()) => {
                Found::Retired
            }
            Some(_) => Found::Absent,
            None if !rec.is_live(self.now) => Found::Absent,
            None if rec.token == token => Found::Live(record),
            None if retired() => Found::Retired,
            None => Found::Absent,
        }
    }

    /// Whether what a lookup said is what it must say.
    pub(crate) fn agrees(&self, token: Token, seen: &Lookup) -> Verdict {
        let expected = self.find(token);
        match (&expected, seen) {
            (Found::Live(record), Lookup::Found(found)) => self.same(*record, found),
            (Found::Absent, Lookup::Absent) | (Found::Retired, Lookup::Retired) => Ok(()),
            _ => Err(format!("token {token} must find {expected:?}, and finds {seen:?}")),
        }
    }

    /// Whether a stored record is what it must be.
    pub(crate) fn same(&self, record: usize, stored: &Record) -> Verdict {
        let rec = &self.records[record];
        let values = values_of(stored)?;
        let principal = stored.meta.principal.as_ref().and_then(|it| it.json().parse().ok());
        if values == rec.values
            && stored.meta.epoch == rec.epoch
            && stored.meta.rev == rec.rev
            && principal == rec.values.get("user").copied()
            && stored.meta.authenticated.is_some() == rec.values.contains_key("user")
        {
            return Ok(());
        }
        Err(format!("stored: {values:?} of {principal:?} at {:?}; must be {rec:?}", stored.meta))
    }

    pub(crate) fn loaded(
        &mut self,
        client: usize,
        lookup: &Lookup,
        fault: Option<Fault>,
    ) -> Verdict {
        let token = self.run(client)?.presented.ok_or("a load without a cookie")?;
        let found = self.find(token);
        if let Found::Live(record) = found {
            let now = self.now;
            let rec = &mut self.records[record];
            if now - rec.last_seen >= IDLE / 10 {
                rec.last_seen = now;
            }
        }
        self.agrees(token, lookup)?;
        if fault.is_some() {
            return self.failed(client, Kind::Load);
        }
        let (origin, seen) = match found {
            Found::Live(record) => {
                let rec = &self.records[record];
                (Origin::Stored { record, epoch: rec.epoch }, rec.values.clone())
            }
            Found::Retired => (Origin::Retired { was: None }, Values::new()),
            Found::Absent => (Origin::Nobody, Values::new()),
        };
        let run = self.run(client)?;
        (run.origin, run.seen) = (origin, seen);
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
            Within::Before if !matches!(run.need(true), Need::Nothing) => {
                if live {
                    run.seen = rec.values;
                }
            }
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
        let Need::Create(values) = need else {
            return Err(format!("created {record:?}; must do {need:?}"));
        };
        let token = self.add(record.id, values.clone());
        let index = self.records.len() - 1;
        // Its life is counted from when it was made, a little before.
        let made = record.meta.created.as_millis() / 60_000;
        let rec = &mut self.records[index];
        (rec.last_seen, rec.absolute) = (made, made + ABSOLUTE);
        self.same(index, record)?;
        if fault.is_some() {
            return self.failed(client, Kind::Create);
        }
        let run = self.run(client)?;
        run.forget();
        run.seen = values;
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
        run.doomed.pop();
        if was_live || run.cookie.is_some() {
            run.cookie = Some(SetCookie::Remove);
        }
        Ok(())
    }

    fn end(&mut self, record: usize) {
        let now = self.now;
        let rec = &mut self.records[record];
        if rec.is_there() {
            rec.ended = Some(now);
        }
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
            Within::Consume(None) => Wanted {
                changes: [("code", Change::Remove)].into(),
                ..Wanted::default()
            },
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
                run.fork = Some(if gone == Gone::Superseded { seen } else { Values::new() });
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
        for (name, change) in &wanted.changes {
            let allowed = run.change(&mut rec.values, name, *change);
            allowed.map_err(|()| format!("`{name}` was changed against its policy"))?;
        }
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
        run.error = Some(503);
        run.retained = !after_lost && matches!(kind, Kind::Apply | Kind::Delete | Kind::Reload)
            || (kind == Kind::Create);
        if matches!(run.within, Within::Transaction { .. }) {
            run.retained = false;
        }
        Ok(())
    }

    /// A created record whose answer is lost: nobody knows its token.
    pub(crate) fn nobody_knows(&mut self, client: usize) {
        if let Some(run) = &mut self.runs[client] {
            run.retained = false;
        }
    }

    fn keeps(&mut self, client: usize) -> Result<bool, String> {
        let answered = self.run(client)?.answered;
        Ok(answered.is_none_or(|status| status < 500 && status != 408))
    }

    pub(crate) fn opened(&mut self, client: usize, shown: &Values) -> Verdict {
        self.shows(client, shown)
    }

    fn shows(&mut self, client: usize, shown: &Values) -> Verdict {
        let view = self.run(client)?.view();
        // A zero is the default of those that have one.
        let visible = |(name, value): &(&&'static str, &i64)| {
            !["flash", "code"].contains(*name) && **value != 0
        };
        let (mut must, mut does) = (view.iter().filter(visible), shown.iter().filter(visible));
        if must.by_ref().eq(does.by_ref()) {
            return Ok(());
        }
        Err(format!("the handler sees {shown:?}, must see {view:?}"))
    }

    pub(crate) fn acted(
        &mut self,
        client: usize,
        act: Act,
        result: Result<Option<u32>, u16>,
        shown: &Values,
    ) -> Verdict {
        let flash = self.run(client)?.view().get("flash").map(|value| *value as u32);
        if act == Act::Take {
            self.run(client)?.act(act);
        }
        let run = self.run(client)?;
        let expected = match (act, run.within) {
            // What a handle set itself it takes back without the store.
            (Act::Take, _) => Ok(flash),
            (_, Within::Consume(known)) => known.ok_or("consumed without asking the store")?,
            (_, Within::Nothing) => Ok(None),
            (_, _) => run.segment()?.map(|()| None),
        };
        if matches!(run.within, Within::Consume(_) | Within::Save | Within::Before)
            || matches!(run.within, Within::Transaction { .. })
        {
            run.within = Within::Nothing;
        }
        if result != expected {
            return Err(format!("{act:?} gives {result:?}, must give {expected:?}"));
        }
        if let (Act::Consume, Ok(Some(code))) = (act, result)
            && !self.consumed.insert(code)
        {
            return Err(format!("code {code} is handed out twice"));
        }
        if result.is_ok() { self.shows(client, shown) } else { Ok(()) }
    }

    /// The response leaves.
    pub(crate) fn responds(
        &mut self,
        client: usize,
        status: u16,
        cookies: &[String],
    ) -> Verdict {
        let keep = self.keeps(client)?;
        let run = self.runs[client].take().ok_or("an answer to no request")?;
        let answered = run.answered.ok_or("an answer that no handler gave")?;
        let mut lost = run.lost;
        let expected = match run.error {
            Some(error) => error,
            None => match run.need(keep) {
                Need::Nothing if lost => 409,
                Need::Nothing => answered,
                Need::Forbidden => 409,
                Need::Lost { explicit } => {
                    lost |= explicit;
                    if lost { 409 } else { answered }
                }
                undone => return Err(format!("answered {status}; still to do: {undone:?}")),
            },
        };
        if status != expected {
            return Err(format!("answered {status}, must be {expected}"));
        }
        let set = match cookies {
            [] => None,
            [one] => Some(one.split(';').next().unwrap_or("").split('=').next_back().unwrap_or("")),
            many => return Err(format!("several cookies: {many:?}")),
        };
        match (run.cookie, set) {
            (None, None) => {}
            (Some(SetCookie::Remove), Some("")) => self.jars[client] = None,
            (Some(SetCookie::Token(token)), Some(text)) if !text.is_empty() => {
                self.handed.push((text.to_owned(), token));
                self.jars[client] = Some((text.to_owned(), token));
            }
            (must, does) => return Err(format!("cookie {does:?}, must be {must:?}")),
        }
        Ok(())
    }

    pub(crate) fn waited(&mut self, minutes: u64) {
        self.now += minutes;
    }

    pub(crate) fn swept(&mut self) {
        let now = self.now;
        let due = self.records.iter_mut().filter(|rec| rec.is_there() && !rec.takes_patches(now));
        due.for_each(|rec| rec.swept = true);
    }

    pub(crate) fn revoked(&mut self, user: i64) {
        let theirs = |rec: &Rec| rec.is_there() && rec.values.get("user") == Some(&user);
        let all: Vec<_> = (0..self.records.len()).filter(|it| theirs(&self.records[*it])).collect();
        all.into_iter().for_each(|record| self.end(record));
    }
}

impl Run {
    pub(crate) fn begin_transaction(&mut self, rev: u64) {
        self.within = Within::Transaction { rev };
        let next = self.seen.get("a").copied().unwrap_or(0) + 1;
        self.pending = [("a", Change::Set(next))].into();
    }

    /// A `save()` (or what stands for one) has come to its end.
    pub(crate) fn segment(&mut self) -> Result<Result<(), u16>, String> {
        if let Some(error) = self.error.take() {
            if !std::mem::take(&mut self.retained) {
                self.forget();
            }
            return Ok(Err(error));
        }
        if std::mem::take(&mut self.gone) {
            self.lost = false;
            return Ok(Err(409));
        }
        match self.need(true) {
            // A transaction where no session may be.
            Need::Nothing if self.within == Within::Before => match self.origin {
                Origin::Retired { .. } => Ok(Err(409)),
                _ => Err("a transaction that did nothing".to_owned()),
            },
            Need::Nothing => {
                self.forget();
                Ok(Ok(()))
            }
            Need::Lost { .. } | Need::Forbidden => {
                self.forget();
                Ok(Err(409))
            }
            undone => Err(format!("saved; still to do: {undone:?}")),
        }
    }
}
