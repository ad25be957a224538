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
    Retired { was: Option<usize> },
    Stored { record: usize, epoch: u64 },
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
    Create(Values),
    Apply(Wanted),
}

/// One patch.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) changes: Changes,
    pub(crate) signs_in: bool,
    pub(crate) raises: bool,
    pub(crate) explicit: bool,
    /// Fields that must be as this request knows them.
    pub(crate) minds: Vec<&'static str>,
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
    pub(crate) pending: Changes,
    /// What the handler saw of fields that mind concurrent changes.
    bases: BTreeMap<&'static str, Option<i64>>,
    pub(crate) renew: bool,
    pub(crate) doomed: Vec<usize>,
    /// A sign-in goes on from these, in a record of its own.
    pub(crate) fork: Option<Values>,
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
}

impl Run {
    pub(crate) fn new(presented: Option<Token>) -> Self {
        Self {
            origin: Origin::Nobody,
            seen: Values::new(),
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
        }
    }

    /// What the handle shows.
    pub(crate) fn view(&self) -> Values {
        let mut view = self.seen.clone();
        for (name, change) in &self.pending {
            match change {
                Change::Set(value) => drop(view.insert(name, *value)),
                change => drop(self.change(&mut view, name, *change)),
            }
        }
        view
    }

    /// The handler does this to its own session.
    pub(crate) fn act(&mut self, act: Act) {
        let view = self.view();
        match act {
            Act::A(value) => self.set("a", value.into()),
            Act::B(value) => self.set("b", value.into()),
            Act::Flash(value) => self.set("flash", value.into()),
            Act::Role(value) => self.set("role", value.into()),
            Act::Plant(value) => self.set("plant", value.into()),
            Act::Code(value) => self.set("code", value.into()),
            Act::Exact(value) => self.set("exact", value.into()),
            Act::Once(value) => self.set("once", value.into()),
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
        self.bases.entry(name).or_insert_with(|| self.seen.get(name).copied());
    }

    fn destroy(&mut self) {
        match self.origin {
            Origin::Stored { record, .. } | Origin::Retired { was: Some(record) } => {
                self.doomed.push(record);
            }
            _ => {}
        }
        self.origin = match self.origin {
            Origin::Retired { .. } => Origin::Retired { was: None },
            _ => Origin::Nobody,
        };
        self.forget();
        self.seen.clear();
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
            None if matches!(self.origin, Origin::Stored { .. }) => None,
            None => Some(Ok(None)),
        }
    }

    pub(crate) fn forget(&mut self) {
        self.pending.clear();
        self.bases.clear();
        self.renew = false;
        self.fork = None;
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
        if let Some(record) = self.doomed.last() {
            return Need::Delete(*record);
        }
        let takes = |name: &str, change: &Change| {
            ["user", "role"].contains(&name) && *change == Change::Remove
        };
        let pending = self.pending.iter().filter(|(name, change)| keep || takes(name, change));
        let pending: Changes = pending.map(|(name, change)| (*name, *change)).collect();
        let signs_in = matches!(pending.get("user"), Some(Change::Set(_)));
        match self.origin {
            Origin::Nobody => self.creation(&pending, signs_in, Values::new()),
            Origin::Retired { .. } if signs_in => self.creation(&pending, signs_in, Values::new()),
            Origin::Retired { .. } if pending.is_empty() => Need::Nothing,
            Origin::Retired { .. } => Need::Lost { explicit: pending.iter().any(is_explicit) },
            Origin::Stored { .. } => match &self.fork {
                Some(snapshot) => self.creation(&pending, signs_in, snapshot.clone()),
                None => self.patch(pending, signs_in, keep),
            },
        }
    }

    fn creation(&self, pending: &Changes, signs_in: bool, mut below: Values) -> Need {
        let sets = |change: &Change| matches!(change, Change::Set(_) | Change::Add(_));
        if !pending.values().any(sets) {
            return Need::Nothing;
        }
        if signs_in {
            below.remove("plant");
        }
        for (name, change) in pending {
            // A record of its own starts with what its request set.
            match change {
                Change::Set(value) => drop(below.insert(name, *value)),
                change => drop(self.change(&mut below, name, *change)),
            }
        }
        Need::Create(below)
    }

    fn patch(&self, pending: Changes, signs_in: bool, keep: bool) -> Need {
        let mut wanted = Wanted { signs_in, ..Wanted::default() };
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
        if signs_in && self.seen.contains_key("plant") && !wanted.changes.contains_key("plant") {
            wanted.changes.insert("plant", Change::Remove);
        }
        wanted.explicit |= signs_in;
        wanted.raises |= signs_in || (keep && self.renew);
        match wanted.changes.is_empty() && !wanted.raises {
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
        self.seen = seen;
        if let Some(token) = token {
            self.cookie = Some(SetCookie::Token(token));
            if let Origin::Stored { epoch, .. } = &mut self.origin {
                *epoch += 1;
            }
        }
        self.forget();
    }

    /// Its session turned out to be over.
    pub(crate) fn is_gone(&mut self, explicit: bool) {
        if let Origin::Stored { record, .. } = self.origin {
            self.origin = Origin::Retired { was: Some(record) };
        }
        self.gone = true;
        self.lost |= explicit;
        self.seen.clear();
        self.forget();
    }
}

fn is_explicit((name, change): (&&'static str, &Change)) -> bool {
    let signs_out = *name == "user" && *change == Change::Remove;
    *name != "flash" && !signs_out && matches!(change, Change::Set(_) | Change::Remove)
}
