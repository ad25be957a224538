//! The plain model: records, tokens and time, as the documentation describes
//! them. Every call of the store moves it by one step, and what the store and
//! the handler then say must be what it says.

mod answers;
mod calls;

use std::collections::{HashMap, HashSet};

use session_runtime::__private::record::{Principal, Record};
use session_runtime::store::contract::{Ended, Lookup};
use session_runtime::{Realm, SessionId};

use crate::program::Cookie;
use crate::run::{Run, Token};
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
    /// Pending beside it.
    joined: Vec<Token>,
    /// Before it, and since when.
    previous: Vec<(Token, u64)>,
    retired: Vec<(Token, u64)>,
    /// When somebody signed in, and the token that this replaced.
    signed_in: Option<(u64, Option<Token>)>,
    /// The session in whose place it began.
    follows: Option<usize>,
    last_seen: u64,
    absolute: u64,
    /// When, and whether by its own browser.
    ended: Option<(u64, bool)>,
    swept: bool,
    /// Whose it was last, if it is nobody's.
    pub(crate) last: Option<i64>,
    pub(crate) realm: usize,
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

    /// Whether there is no place for another record of its id.
    fn is_in_place(&self, now: u64) -> bool {
        !self.swept && self.ended.is_none_or(|(at, _)| now < at + TOMBSTONE)
    }

    /// A pending token was presented: it is the current one from now on.
    fn confirm(&mut self, token: Token, now: u64) {
        if self.joined.contains(&token) {
            let others = std::mem::take(&mut self.joined).into_iter();
            let old = std::iter::once(self.token).chain(others.filter(|it| *it != token));
            self.previous = old.map(|it| (it, now)).collect();
            self.token = token;
        }
    }

    /// Nothing that opened it does so any more.
    fn retire(&mut self, now: u64) {
        let recent = self.previous.drain(..).filter(|(_, at)| now < at + TOMBSTONE);
        self.retired.extend(recent.map(|(token, _)| (token, now)));
        self.retired.extend(self.joined.drain(..).map(|token| (token, now)));
        self.retired.push((self.token, now));
    }

    fn takes_patches(&self, now: u64) -> bool {
        self.is_there() && now < self.expires() + LEEWAY
    }
}

/// The realms of the two layers.
pub(crate) fn realm(number: usize) -> Realm {
    Realm::new(["session", "elsewhere"][number]).expect("a name")
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
    /// Expired, and the record is still there.
    Expired,
    /// Ended by its own browser, and the request was on its way; with the epoch of the
    /// sign-in that did it, while that holds.
    Retired(usize, Option<u64>),
    /// Ended elsewhere.
    Over(usize),
    Replayed(usize),
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
    /// What the layer of the other realm gave each client.
    others: Vec<Option<(String, Token)>>,
    /// Records whose token nobody has.
    pub(crate) orphans: Vec<usize>,
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
        let (jars, others) = (vec![None; clients], vec![None; clients]);
        Self { verbose, jars, others, runs: vec![None; clients], ..Self::default() }
    }

    /// The session that all clients hold at first.
    pub(crate) fn begin_with(&mut self, record: &Record, text: String) -> Verdict {
        let token = self.add(record.id, values_of(record)?, 0);
        self.handed.push((text.clone(), token));
        self.first = Some((text, token));
        self.jars.fill(self.first.clone());
        Ok(())
    }

    fn add(&mut self, id: SessionId, values: Values, realm: usize) -> Token {
        let token = self.owners.len();
        self.owners.push(self.records.len());
        self.ids.insert(id, self.records.len());
        self.records.push(Rec {
            id,
            values,
            epoch: 1,
            rev: 1,
            token,
            joined: Vec::new(),
            previous: Vec::new(),
            retired: Vec::new(),
            signed_in: None,
            follows: None,
            last_seen: self.now,
            absolute: self.now + ABSOLUTE,
            ended: None,
            swept: false,
            last: None,
            realm,
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
        let mut run = Run::new(token);
        run.arrived = self.now;
        self.runs[client] = Some(run);
        text
    }

    /// The same to the layer of the other realm.
    pub(crate) fn asks_elsewhere(&mut self, client: usize) -> Option<String> {
        let sent = self.others[client].clone().or_else(|| self.first.clone());
        let (text, token) = sent.unzip();
        let mut run = Run::new(token);
        (run.realm, run.arrived) = (1, self.now);
        self.runs[client] = Some(run);
        text
    }

    fn run(&mut self, client: usize) -> Result<&mut Run, String> {
        self.runs[client].as_mut().ok_or_else(|| format!("client {client} has no request"))
    }

    pub(crate) fn find(&self, token: Token, realm: usize, arrived: u64) -> Found {
        let record = self.owners[token];
        let rec = &self.records[record];
        if rec.realm != realm {
            return Found::Absent;
        }
        let fresh = |(old, at): &&(Token, u64)| *old == token && self.now < at + TOMBSTONE;
        let retired = rec.retired.iter().find(fresh);
        let previous = rec.previous.iter().find(|(old, _)| *old == token).map(|(_, at)| *at);
        let opens = rec.token == token || rec.joined.contains(&token);
        match rec.ended {
            // Within that minute a request cannot have arrived after it.
            Some((at, by_browser)) if self.now < at + TOMBSTONE => {
                match opens || previous.is_some_and(|it| at < it + 1) || retired.is_some() {
                    true if by_browser => Found::Retired(record, None),
                    true => Found::Over(record),
                    false => Found::Absent,
                }
            }
            Some(_) => Found::Absent,
            None if !rec.is_live(self.now) => {
                let opened = opens || previous.is_some_and(|at| arrived < at + 1);
                if opened && rec.takes_patches(self.now) { Found::Expired } else { Found::Absent }
            }
            None if opens => Found::Live(record),
            None => match (previous, retired) {
                (Some(at), _) if arrived < at + 1 => Found::Live(record),
                (Some(_), _) => Found::Replayed(record),
                (None, Some(_)) => {
                    let last = rec.retired.last().map(|(last, _)| *last);
                    let replaced = rec.signed_in.and_then(|(_, replaced)| replaced);
                    let holds = last == Some(token) && replaced == Some(token);
                    Found::Retired(record, holds.then_some(rec.epoch))
                }
                (None, None) => Found::Absent,
            },
        }
    }

    /// Whether what a lookup said is what it must say.
    pub(crate) fn agrees(
        &mut self,
        token: Token,
        realm: usize,
        arrived: u64,
        seen: &Lookup,
    ) -> Verdict {
        let (expected, now) = (self.find(token, realm, arrived), self.now);
        match (&expected, seen) {
            (Found::Live(record), Lookup::Found(found)) => {
                self.records[*record].confirm(token, now);
                self.same(*record, found)
            }
            (Found::Retired(_, sign_in), Lookup::Ended(ended)) if ended.sign_in == *sign_in => {
                Ok(())
            }
            (Found::Absent, Lookup::Absent)
            | (Found::Expired, Lookup::Expired(_))
            | (Found::Over(_), Lookup::Ended(Ended { late: false, sign_in: None, .. }))
            | (Found::Replayed(_), Lookup::Replayed(_)) => Ok(()),
            _ => Err(format!("token {token} must find {expected:?}, and finds {seen:?}")),
        }
    }

    /// Whether a stored record is what it must be.
    pub(crate) fn same(&self, record: usize, stored: &Record) -> Verdict {
        let rec = &self.records[record];
        let values = values_of(stored)?;
        let principal = stored.meta.principal.as_ref();
        let of = |user: i64| Principal::of(&realm(rec.realm), "", &user.to_string());
        let owner = rec.values.get("user").map(|user| of(*user));
        if values == rec.values
            && stored.meta.realm == realm(rec.realm)
            && stored.meta.last_principal.as_deref().copied() == rec.last.map(|it| of(it).hash())
            && stored.meta.epoch == rec.epoch
            && stored.meta.rev == rec.rev
            && principal == owner.as_ref()
            && stored.meta.authenticated.is_some() == rec.values.contains_key("user")
        {
            return Ok(());
        }
        Err(format!("stored: {values:?} of {principal:?} at {:?}; must be {rec:?}", stored.meta))
    }

    fn end(&mut self, record: usize, by_browser: bool) {
        let now = self.now;
        let rec = &mut self.records[record];
        if rec.is_there() {
            rec.ended = Some((now, by_browser));
        }
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
        let theirs =
            |rec: &Rec| rec.is_there() && rec.realm == 0 && rec.values.get("user") == Some(&user);
        let all: Vec<_> = (0..self.records.len()).filter(|it| theirs(&self.records[*it])).collect();
        all.into_iter().for_each(|record| self.end(record, false));
    }
}
