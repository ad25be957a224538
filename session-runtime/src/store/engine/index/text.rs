//! Root and buckets as text, a line per entry. `-` means "none".
//!
//! ```text
//! 1 REVOKED NEXT                                  a root; of a bucket, `1` alone
//! b NUMBER NAME COUNT UNTIL AUTHENTICATED CREATED
//! e ID BOUND AUTHENTICATED CREATED TAG [rUNTIL]   a: announced · n: new ·
//!                                                 r: reserved · c: confirmed ·
//!                                                 e: evicted · x: revoked ·
//!                                                 o: expired
//! ```
//!
//! Times are milliseconds since 1970; names and tags are numbers.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use super::{Bucket, Entry, Order, Root, State};
use crate::clock::Timestamp;
use crate::token::PatchId;

const VERSION: &str = "1";

/// The bytes are not an index of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct InvalidIndex;

impl fmt::Display for InvalidIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the index of a principal is malformed, or written by a newer program")
    }
}

impl Root {
    pub(in crate::store) fn read(bytes: &[u8]) -> Result<Self, InvalidIndex> {
        Self::parse(bytes).ok_or(InvalidIndex)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(bytes).ok()?.lines();
        let mut head = Words::of(lines.next()?);
        head.is(VERSION)?;
        let mut root = Self { revoked: head.optional()?, next: head.number()?, ..Self::default() };
        head.end()?;
        for line in lines {
            let mut words = Words::of(line);
            match words.next()? {
                "b" => root.buckets.push(words.bucket()?),
                "e" => root.entries.push(words.entry()?),
                _ => return None,
            }
            words.end()?;
        }
        Some(root)
    }

    pub(in crate::store) fn write(&self) -> Vec<u8> {
        let mut text = String::with_capacity(32 + 80 * self.entries.len());
        let _ = writeln!(text, "{VERSION} {} {}", Optional(self.revoked), self.next);
        for bucket in &self.buckets {
            let Bucket { number, name, count, oldest, until } = bucket;
            let (name, until) = (name.as_u64(), until.as_millis());
            let _ = writeln!(text, "b {number} {name} {count} {until} {}", Age(*oldest));
        }
        self.entries.iter().for_each(|entry| write_entry(&mut text, entry));
        text.into_bytes()
    }
}

pub(in crate::store) fn read_bucket(
    bytes: &[u8],
    now: Timestamp,
) -> Result<Vec<Entry>, InvalidIndex> {
    let entries = || {
        let mut lines = std::str::from_utf8(bytes).ok()?.lines();
        lines.next().filter(|version| *version == VERSION)?;
        let entry = |line| {
            let mut words = Words::of(line);
            words.is("e")?;
            let entry = words.entry()?;
            words.end()?;
            Some(Entry { state: entry.state.at(now), ..entry })
        };
        lines.map(entry).collect::<Option<Vec<_>>>()
    };
    entries().ok_or(InvalidIndex)
}

pub(in crate::store) fn write_bucket(entries: &[Entry]) -> Vec<u8> {
    let mut text = format!("{VERSION}\n");
    entries.iter().for_each(|entry| write_entry(&mut text, entry));
    text.into_bytes()
}

fn write_entry(text: &mut String, entry: &Entry) {
    let Entry { id, bound, order, tag, state } = entry;
    let (bound, tag) = (bound.as_millis(), tag.as_u64());
    let _ = write!(text, "e {id} {bound} {} {tag}", Age(*order));
    let (letter, until) = match state {
        State::Settled => {
            text.push('\n');
            return;
        }
        State::Announced(until) => ('a', until),
        State::New(until) => ('n', until),
        State::Reserved(until) => ('r', until),
        State::Confirmed(until) => ('c', until),
        State::Evicted(until) => ('e', until),
        State::Revoked(until) => ('x', until),
        State::Expired(until) => ('o', until),
    };
    let _ = writeln!(text, " {letter}{}", until.as_millis());
}

struct Optional(Option<Timestamp>);

impl fmt::Display for Optional {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(at) => write!(f, "{}", at.as_millis()),
            None => f.write_str("-"),
        }
    }
}

struct Age(Order);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (authenticated, created) = self.0;
        write!(f, "{} {}", Optional(authenticated), created.as_millis())
    }
}

/// The words of a line. Every method returns `None` if something else follows.
struct Words<'t>(std::str::Split<'t, char>);

impl<'t> Words<'t> {
    fn of(line: &'t str) -> Self {
        Self(line.split(' '))
    }

    fn next(&mut self) -> Option<&'t str> {
        self.0.next()
    }

    fn is(&mut self, word: &str) -> Option<()> {
        (self.next()? == word).then_some(())
    }

    fn end(&mut self) -> Option<()> {
        self.next().is_none().then_some(())
    }

    fn number<T: FromStr>(&mut self) -> Option<T> {
        self.next()?.parse().ok()
    }

    fn time(&mut self) -> Option<Timestamp> {
        self.number().map(Timestamp::from_millis)
    }

    fn optional(&mut self) -> Option<Option<Timestamp>> {
        match self.next()? {
            "-" => Some(None),
            number => Some(Some(Timestamp::from_millis(number.parse().ok()?))),
        }
    }

    fn order(&mut self) -> Option<Order> {
        Some((self.optional()?, self.time()?))
    }

    fn patch(&mut self) -> Option<PatchId> {
        self.number().map(PatchId::from_u64)
    }

    fn bucket(&mut self) -> Option<Bucket> {
        let (number, name) = (self.number()?, self.patch()?);
        let (count, until) = (self.number()?, self.time()?);
        Some(Bucket { number, name, count, until, oldest: self.order()? })
    }

    fn entry(&mut self) -> Option<Entry> {
        let (id, bound, order) = (self.number()?, self.time()?, self.order()?);
        let tag = self.patch()?;
        let state = match self.next() {
            None => State::Settled,
            Some(state) => {
                let (letter, until) = state.split_at_checked(1)?;
                let until = Timestamp::from_millis(until.parse().ok()?);
                match letter {
                    "a" => State::Announced(until),
                    "n" => State::New(until),
                    "r" => State::Reserved(until),
                    "c" => State::Confirmed(until),
                    "e" => State::Evicted(until),
                    "x" => State::Revoked(until),
                    "o" => State::Expired(until),
                    _ => return None,
                }
            }
        };
        Some(Entry { id, bound, order, tag, state })
    }
}
