//! One request in the plain model: what it saw, what it wants, what it knows.

use std::collections::BTreeMap;

use crate::program::Act;
use crate::schema::{Values, union};

/// A token, by the order of making.
pub(crate) type Token = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    Set(i64),
    Remove,
    RemoveIf(i64),
    Add(i64),
}

pub(crate) type Changes = BTreeMap<&'static str, Change>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    Nobody,
    /// `before`: the request itself destroyed it, after another one had.
    Retired {
        was: Option<usize>,
        before: bool,
    },
    Stored {
        record: usize,
        epoch: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SetCookie {
    Token(Token),
    Remove,
}

/// What the request has to do next for its changes to be stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Need {
    Nothing,
    /// It can no longer be done, and somebody must be told or not.
    Lost {
        explicit: bool,
    },
    /// A policy forbids it.
    Forbidden,
    Delete(usize),
    Create {
        values: Values,
        /// The session of another user, which ends then.
        ends: Option<usize>,
    },
    Apply(Wanted),
}

/// One patch.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) changes: Changes,
    pub(crate) signs_in: bool,
    pub(crate) raises: bool,
    /// It goes on with the session of another request, beside that one's token.
    pub(crate) joins: bool,
    pub(crate) explicit: bool,
    /// Fields that must be as this request knows them.
    pub(crate) minds: Vec<&'static str>,
}

/// What a handle shows of the record, once a change of user is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Shown {
    #[default]
    All,
    /// Its user has signed out.
    WithoutPrivileges,
    /// Another user has signed in.
    WhatIsMarked,
}

/// What a new record lies on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    /// What the request saw.
    Seen,
    /// Something else, or nothing.
    Other,
}

/// Another user's record is stored, and the former one has to end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ending {
    pub(crate) former: usize,
    pub(crate) new: usize,
    pub(crate) token: Token,
    pub(crate) values: Values,
    /// The record's own, after that.
    pub(crate) epoch: u64,
    /// Whether the record was made by another request.
    pub(crate) joined: bool,
}

/// Which other sessions a commit goes on with, and which it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Kin {
    /// A sign-in that this one may repeat: its record, and the epoch that it gave.
    pub(crate) first: Option<(usize, u64)>,
    /// The next load is to find that out.
    pub(crate) looks: bool,
    /// Its place is taken by this record, which is to be read.
    pub(crate) taken: Option<usize>,
    /// It takes a place of its own.
    pub(crate) apart: bool,
    /// What the request went by before it joined.
    pub(crate) before: Option<Before>,
    pub(crate) ends: Option<usize>,
    /// Whoever has its place is not of its kind.
    pub(crate) too_late: bool,
    /// The token of its last patch.
    pub(crate) minted: Option<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Before {
    pub(crate) origin: Origin,
    pub(crate) seen: Values,
    pub(crate) last: Option<i64>,
}

/// Whose a record was last, once its fields changed.
pub(crate) fn last_after(before: &Values, after: &Values, last: Option<i64>) -> Option<i64> {
    match after.get("user") {
        Some(_) => None,
        None => before.get("user").copied().or(last),
    }
}

/// Where a call of the handler stands that talks to the store by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Within {
    #[default]
    Nothing,
    Save,
    /// Consuming: what came of it, once that is known.
    Consume(Option<Result<Option<u32>, u16>>),
    /// A transaction that still saves what was changed before it.
    Before,
    /// At work on this revision.
    Transaction {
        rev: u64,
    },
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Run {
    pub(crate) origin: Origin,
    pub(crate) seen: Values,
    /// Whose it was last, if it is nobody's.
    pub(crate) last: Option<i64>,
    shown: Shown,
    pub(crate) ending: Option<Ending>,
    /// Of the layer that was asked.
    pub(crate) realm: usize,
    pub(crate) pending: Changes,
    /// What the handler saw of fields that mind concurrent changes.
    bases: BTreeMap<&'static str, Option<i64>>,
    pub(crate) renew: bool,
    pub(crate) doomed: Vec<usize>,
    /// A sign-in goes on in a record of its own: from these, if they are still there.
    pub(crate) fork: Option<Option<Values>>,
    pub(crate) cookie: Option<SetCookie>,
    pub(crate) within: Within,
    /// The last commit found its session gone.
    pub(crate) gone: bool,
    pub(crate) lost: bool,
    /// What went wrong, as the status that says it.
    pub(crate) error: Option<u16>,
    /// Whether what was to be written may be tried again.
    pub(crate) retained: bool,
    /// A patch that was applied, and its answer lost.
    pub(crate) unanswered: Option<u64>,
    pub(crate) answered: Option<u16>,
    pub(crate) presented: Option<Token>,
    /// When it arrived.
    pub(crate) arrived: u64,
    /// The token that it goes on with.
    pub(crate) token: Option<Token>,
    /// What was presented is over: of which record, and the sign-in that ended it.
    pub(crate) over: Option<(usize, Option<u64>)>,
    /// The session whose former token was presented has to end.
    pub(crate) replayed: Option<usize>,
    pub(crate) kin: Kin,
}

impl Run {
    pub(crate) fn new(presented: Option<Token>) -> Self {
        Self {
            origin: Origin::Nobody,
            seen: Values::new(),
            last: None,
            shown: Shown::All,
            ending: None,
            realm: 0,
            pending: Changes::new(),
            bases: BTreeMap::new(),
            renew: false,
            doomed: Vec::new(),
            fork: None,
            cookie: None,
            within: Within::Nothing,
            gone: false,
            lost: false,
            error: None,
            retained: false,
            unanswered: None,
            answered: None,
            presented,
            arrived: 0,
            token: None,
            over: None,
            replayed: None,
            kin: Kin::default(),
        }
    }

    /// Another commit begins.
    pub(crate) fn anew(&mut self) {
        let first = self.over.and_then(|(record, epoch)| Some((record, epoch?)));
        self.kin = Kin { first, ..Kin::default() };
        self.fork = None;
    }

    /// The session in whose place a new one begins.
    pub(crate) fn follows(&self) -> Option<usize> {
        let over = match self.origin {
            Origin::Stored { record, .. } => Some(record),
            _ => self.over.map(|(record, _)| record),
        };
        let is_transaction = matches!(self.within, Within::Transaction { .. });
        over.filter(|_| !self.kin.apart && !is_transaction)
    }

    /// Whom it signs in.
    pub(crate) fn comes(&self) -> Option<i64> {
        match self.pending.get("user") {
            Some(Change::Set(user)) => Some(*user),
            _ => None,
        }
    }

    /// It goes on with this record in place of its own.
    pub(crate) fn join(&mut self, record: usize, epoch: u64, values: Values, last: Option<i64>) {
        let (origin, seen) = (self.origin, std::mem::replace(&mut self.seen, values));
        let before = Before { origin, seen, last: std::mem::replace(&mut self.last, last) };
        self.kin.before = Some(before);
        self.origin = Origin::Stored { record, epoch };
        self.fork = None;
    }

    /// The record that it joined is not there any more for it.
    pub(crate) fn part(&mut self) {
        if let Some(Before { origin, seen, last }) = self.kin.before.take() {
            (self.origin, self.seen, self.last) = (origin, seen, last);
        }
    }

    /// What the handle shows.
    pub(crate) fn view(&self) -> Values {
        let (mut view, below) = match self.shown {
            Shown::All => (self.seen.clone(), Below::Seen),
            Shown::WithoutPrivileges => (without(&self.seen, "role"), Below::Seen),
            Shown::WhatIsMarked => (marked(&self.seen), Below::Other),
        };
        for (name, change) in &self.pending {
            self.put(&mut view, name, *change, below);
        }
        view
    }

    /// One change, where no policy is asked.
    fn put(&self, values: &mut Values, name: &'static str, change: Change, below: Below) {
        match change {
            // What was merged into other data is told apart from it.
            Change::Set(value) if name != "bits" || below == Below::Seen => {
                values.insert(name, value);
            }
            change => drop(self.change(values, name, change)),
        }
    }

    /// What `pending` makes of whose session this is.
    fn change_of_user(&self, pending: &Changes) -> Shown {
        let (user, stored) = (self.seen.get("user"), matches!(self.origin, Origin::Stored { .. }));
        match pending.get("user") {
            _ if !stored => Shown::All,
            Some(Change::Set(comes)) => match user.copied().or(self.last) {
                Some(known) if known != *comes => Shown::WhatIsMarked,
                _ => Shown::All,
            },
            Some(_) if user.is_some() => Shown::WithoutPrivileges,
            _ => Shown::All,
        }
    }

    /// The handler does this to its own session.
    pub(crate) fn act(&mut self, act: Act) {
        let view = self.view();
        if matches!(act, Act::Save | Act::Transaction | Act::Consume) {
            // They publish first.
            self.shown = self.change_of_user(&self.pending);
        }
        match act {
            Act::A(value) => self.set("a", value.into()),
            Act::B(value) => self.set("b", value.into()),
            Act::Flash(value) => self.set("flash", value.into()),
            Act::Role(value) => self.set("role", value.into()),
            Act::Plant(value) => self.set("plant", value.into()),
            Act::Code(value) => self.set("code", value.into()),
            Act::Exact(value) => self.set("exact", value.into()),
            Act::Once(value) => self.set("once", value.into()),
            Act::Kept(value) => self.set("kept", value.into()),
            Act::Bits(value) => {
                let bits = view.get("bits").copied().unwrap_or(0);
                self.set("bits", bits | i64::from(value));
            }
            Act::SignIn(user) => self.set("user", user as i64),
            Act::SignOut => drop(self.pending.insert("user", Change::Remove)),
            Act::Add(delta) => {
                let sum = match self.pending.get("n") {
                    Some(Change::Set(before)) => Change::Set(before + delta),
                    Some(Change::Add(before)) => Change::Add(before + delta),
                    _ => Change::Add(delta),
                };
                self.pending.insert("n", sum);
            }
            Act::Take => {
                match self.seen.get("flash") {
                    Some(read) => self.pending.insert("flash", Change::RemoveIf(*read)),
                    None => self.pending.remove("flash"),
                };
            }
            Act::Renew => self.renew = true,
            Act::Destroy => self.destroy(),
            Act::Save => self.within = Within::Save,
            Act::Transaction => self.within = Within::Before,
            Act::Consume => self.within = Within::Consume(self.consumed_here()),
            Act::Read | Act::Fail | Act::Pause => {}
        }
    }

    fn set(&mut self, name: &'static str, value: i64) {
        self.pending.insert(name, Change::Set(value));
        let base = match self.shown {
            Shown::WhatIsMarked => marked(&self.seen).get(name).copied(),
            _ => self.seen.get(name).copied(),
        };
        self.bases.entry(name).or_insert(base);
    }

    fn destroy(&mut self) {
        match self.origin {
            Origin::Stored { record, .. } | Origin::Retired { was: Some(record), .. } => {
                self.doomed.push(record);
            }
            _ => {}
        }
        self.origin = match self.origin {
            Origin::Retired { before, .. } => Origin::Retired { was: None, before },
            _ => Origin::Nobody,
        };
        self.forget();
        self.seen.clear();
        self.last = None;
        self.token = None;
        self.lost = false;
    }

    /// What consuming gives without asking the store.
    fn consumed_here(&mut self) -> Option<Result<Option<u32>, u16>> {
        match self.pending.get("code") {
            Some(Change::Set(value)) => {
                let value = *value as u32;
                self.pending.insert("code", Change::Remove);
                Some(Ok(Some(value)))
            }
            Some(_) => Some(Ok(None)),
            None if self.shown == Shown::WhatIsMarked => Some(Ok(None)),
            None if matches!(self.origin, Origin::Stored { .. }) => None,
            None => Some(Ok(None)),
        }
    }

    pub(crate) fn forget(&mut self) {
        self.pending.clear();
        self.bases.clear();
        self.renew = false;
        self.shown = Shown::All;
        self.ending = None;
        self.anew();
    }

    /// The documented meaning of one change, on whatever is there by then.
    /// `Err` where its policy forbids it.
    pub(crate) fn change(
        &self,
        values: &mut Values,
        name: &'static str,
        change: Change,
    ) -> Result<(), ()> {
        let (stored, base) = (values.get(name).copied(), self.bases.get(name).copied().flatten());
        let next = match (name, change) {
            ("bits", Change::Set(mine)) => {
                let bits = |value: Option<i64>| value.unwrap_or(0) as u32;
                Some(i64::from(union(&bits(base), &bits(stored), mine as u32)))
            }
            ("exact", Change::Set(_)) if base != stored => return Err(()),
            ("once", Change::Set(mine)) if stored.is_some_and(|stored| stored != mine) => {
                return Err(());
            }
            (_, Change::Set(mine)) => Some(mine),
            (_, Change::Remove) => None,
            (_, Change::RemoveIf(read)) => stored.filter(|stored| *stored != read),
            (_, Change::Add(delta)) => Some(stored.unwrap_or(0) + delta),
        };
        match next {
            Some(next) => values.insert(name, next),
            None => values.remove(name),
        };
        Ok(())
    }

    /// What is left to do. `keep`: whether changes of fields count.
    pub(crate) fn need(&self, keep: bool) -> Need {
        if let Some(record) = self.replayed {
            return Need::Delete(record);
        }
        if let Some(Ending { former, .. }) = &self.ending {
            return Need::Delete(*former);
        }
        if let Some(record) = self.doomed.last() {
            return Need::Delete(*record);
        }
        let takes = |name: &str, change: &Change| {
            ["user", "role"].contains(&name) && *change == Change::Remove
        };
        let pending = self.pending.iter().filter(|(name, change)| keep || takes(name, change));
        let pending: Changes = pending.map(|(name, change)| (*name, *change)).collect();
        let signs_in = matches!(pending.get("user"), Some(Change::Set(_)));
        if self.kin.too_late {
            return Need::Lost { explicit: pending.iter().any(is_explicit) };
        }
        let create = |below, values| self.creation(&pending, signs_in, below, values);
        match self.origin {
            Origin::Nobody => create(Below::Other, Values::new()),
            Origin::Retired { .. } if signs_in => create(Below::Other, Values::new()),
            Origin::Retired { .. } if pending.is_empty() => Need::Nothing,
            Origin::Retired { before, .. } => {
                Need::Lost { explicit: !before && pending.iter().any(is_explicit) }
            }
            Origin::Stored { record, .. } => match &self.fork {
                Some(Some(snapshot)) => create(Below::Seen, snapshot.clone()),
                Some(None) => create(Below::Other, Values::new()),
                None if self.change_of_user(&pending) == Shown::WhatIsMarked => {
                    match create(Below::Other, marked(&self.seen)) {
                        Need::Create { values, .. } => Need::Create { values, ends: Some(record) },
                        other => other,
                    }
                }
                None => self.patch(pending, signs_in, keep),
            },
        }
    }

    fn creation(
        &self,
        pending: &Changes,
        signs_in: bool,
        below: Below,
        mut values: Values,
    ) -> Need {
        let sets = |change: &Change| matches!(change, Change::Set(_) | Change::Add(_));
        if !pending.values().any(sets) {
            return Need::Nothing;
        }
        if signs_in {
            values.remove("plant");
        }
        for (name, change) in pending {
            // A record of its own starts with what its request set.
            self.put(&mut values, name, *change, below);
        }
        Need::Create { values, ends: None }
    }

    fn patch(&self, pending: Changes, signs_in: bool, keep: bool) -> Need {
        let joins = self.kin.before.is_some();
        let mut wanted = Wanted { signs_in, ..Wanted::default() };
        // Whatever is stored of them by then.
        let mut gone = Vec::new();
        if signs_in && !joins {
            gone.push("plant");
        }
        if self.change_of_user(&pending) == Shown::WithoutPrivileges {
            gone.push("role");
        }
        gone.retain(|name| !matches!(pending.get(name), Some(Change::Set(_))));
        for (name, change) in pending {
            let mut after = self.seen.clone();
            if self.change(&mut after, name, change).is_err() {
                return Need::Forbidden;
            }
            let same = after == self.seen && !matches!(change, Change::Add(delta) if delta != 0);
            if same {
                continue;
            }
            if ["bits", "exact", "once"].contains(&name) {
                wanted.minds.push(name);
            }
            wanted.raises |= ["user", "role"].contains(&name);
            wanted.explicit |= is_explicit((&name, &change));
            wanted.changes.insert(name, change);
        }
        wanted.changes.extend(gone.into_iter().map(|name| (name, Change::Remove)));
        wanted.explicit |= signs_in;
        wanted.raises |= (signs_in && !joins) || (keep && self.renew);
        wanted.joins = joins && !wanted.raises;
        match wanted.changes.is_empty() && !wanted.raises && !joins {
            true => Need::Nothing,
            false => Need::Apply(wanted),
        }
    }

    /// Its patch is stored: it knows its own changes, not those of others.
    pub(crate) fn stored(&mut self, wanted: &Wanted, token: Option<Token>) {
        let mut seen = self.seen.clone();
        for (name, change) in &wanted.changes {
            let _ = self.change(&mut seen, name, *change);
        }
        self.last = last_after(&self.seen, &seen, self.last);
        self.seen = seen;
        if let Some(token) = token {
            self.cookie = Some(SetCookie::Token(token));
            self.token = Some(token);
            if let (Origin::Stored { epoch, .. }, true) = (&mut self.origin, wanted.raises) {
                *epoch += 1;
            }
        }
        self.forget();
    }

    /// Another user's session is the request's from now on.
    pub(crate) fn succeeded(&mut self, ending: Ending) {
        self.forget();
        (self.seen, self.last) = (ending.values, None);
        self.origin = Origin::Stored { record: ending.new, epoch: ending.epoch };
        self.cookie = Some(SetCookie::Token(ending.token));
        self.token = Some(ending.token);
    }

    /// It destroyed `record`.
    pub(crate) fn destroyed(&mut self, record: usize, was_live: bool) {
        self.doomed.pop();
        if was_live || self.cookie.is_some() {
            self.cookie = Some(SetCookie::Remove);
        } else if self.origin == Origin::Nobody {
            self.origin = Origin::Retired { was: Some(record), before: true };
        }
    }

    /// Its session turned out to be over.
    pub(crate) fn is_gone(&mut self, explicit: bool) {
        if let Origin::Stored { record, .. } = self.origin {
            self.origin = Origin::Retired { was: Some(record), before: false };
        }
        self.gone = true;
        self.lost |= explicit;
        self.seen.clear();
        self.last = None;
        self.forget();
    }
}

/// What goes along into the session of another user.
fn marked(values: &Values) -> Values {
    values
        .iter()
        .filter(|(name, _)| **name == "kept")
        .map(|(name, value)| (*name, *value))
        .collect()
}

fn without(values: &Values, name: &str) -> Values {
    let mut values = values.clone();
    values.remove(name);
    values
}

fn is_explicit((name, change): (&&'static str, &Change)) -> bool {
    let signs_out = *name == "user" && *change == Change::Remove;
    *name != "flash" && !signs_out && matches!(change, Change::Set(_) | Change::Remove)
}
