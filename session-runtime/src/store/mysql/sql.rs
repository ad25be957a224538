//! Statements: several of them travel to the server as one packet.
//!
//! Whatever comes from outside stands in them as hexadecimal, which no SQL
//! mode and no character set of a connection reads in another way.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::clock::{Clock, Timestamp};
use crate::id::SessionId;

/// The longest text that is its own [`Key`], less one.
const KEY: usize = 32;

/// The server's time in milliseconds since 1970, whatever the time zone of the
/// connection. It stands still within a statement, so it is asked for in one
/// of its own, after whatever waited for a lock.
const SERVER_CLOCK: &str =
    "TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000";

/// Statements for one round trip.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) sql: String,
    statements: usize,
}

impl Batch {
    /// Adds a statement. Its answer has this index.
    pub(super) fn push(&mut self, statement: fmt::Arguments<'_>) -> usize {
        // A string takes everything.
        let _ = fmt::write(&mut self.sql, statement);
        self.sql.push(';');
        self.statements += 1;
        self.statements - 1
    }

    /// Asks for the time at which everything before this was done.
    pub(super) fn clock(&mut self, clock: &Now) -> usize {
        self.push(format_args!("SELECT {clock}"))
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.statements
    }
}

/// The time, as an expression: what a frozen clock says, or the server's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now(Option<Timestamp>);

impl Now {
    pub(super) fn of(clock: &Clock) -> Self {
        Self(clock.is_frozen().then(|| clock.now()))
    }
}

impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(now) => write!(f, "{}", Millis(now)),
            None => f.write_str(SERVER_CLOCK),
        }
    }
}

/// Milliseconds as they are stored: beyond the year 292 million they are one
/// and the same.
pub(super) struct Millis(pub(super) Timestamp);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", saturating(self.0.as_millis()))
    }
}

pub(super) fn saturating(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}

/// NULL, or the thing.
pub(super) struct Maybe<T>(pub(super) Option<T>);

impl<T: fmt::Display> fmt::Display for Maybe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(it) => it.fmt(f),
            None => f.write_str("NULL"),
        }
    }
}

/// Separated by commas.
pub(super) struct List<I>(pub(super) I);

impl<I: Iterator<Item: fmt::Display> + Clone> fmt::Display for List<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.clone().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            item.fmt(f)?;
        }
        Ok(())
    }
}

/// A session id, as text. Its characters need no escaping.
#[derive(Clone, Copy)]
pub(super) struct Id(pub(super) SessionId);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "_ascii'{}'", self.0)
    }
}

/// What an id is greater than, for a page that begins after this one.
#[derive(Clone, Copy)]
pub(super) struct After(pub(super) Option<SessionId>);

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(id) => Id(id).fmt(f),
            None => f.write_str("''"),
        }
    }
}

/// Bytes.
pub(super) struct Bytes<B>(pub(super) B);

impl<B: AsRef<[u8]>> fmt::Display for Bytes<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        f.write_str("x'")?;
        let mut text = [0; 256];
        for chunk in self.0.as_ref().chunks(text.len() / 2) {
            for (byte, two) in chunk.iter().zip(text.chunks_exact_mut(2)) {
                two[0] = DIGITS[usize::from(byte >> 4)];
                two[1] = DIGITS[usize::from(byte & 15)];
            }
            f.write_str(std::str::from_utf8(&text[..2 * chunk.len()]).unwrap_or_default())?;
        }
        f.write_str("'")
    }
}

/// Text, for a column that shows it as text.
pub(super) struct Text<'t>(pub(super) &'t str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "_utf8mb4 {}", Bytes(self.0))
    }
}

/// What a name or a principal is found by: its bytes, or their SHA-256 where
/// they are as long as that or longer, so that neither a collation nor the
/// length of an index key plays a part. Both kinds differ in length.
#[derive(Clone, Copy)]
pub(super) struct Key<'t>(pub(super) &'t str);

impl Key<'_> {
    pub(super) fn bytes(self) -> Vec<u8> {
        match self.0.as_bytes() {
            short if short.len() < KEY => short.to_vec(),
            long => Sha256::digest(long).to_vec(),
        }
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Bytes(self.bytes()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_comes_from_outside_is_hexadecimal() {
        assert_eq!(Bytes(b"a';--").to_string(), "x'61273B2D2D'");
        assert_eq!(Text("é").to_string(), "_utf8mb4 x'C3A9'");
        let long = "y".repeat(300);
        assert_eq!(Bytes(&long).to_string(), format!("x'{}'", "79".repeat(300)));
        assert_eq!(Maybe::<Id>(None).to_string(), "NULL");
    }

    #[test]
    fn keys_keep_apart_what_a_collation_would_not() {
        let mut texts = vec!["a".to_owned(), "A".to_owned(), "a ".to_owned(), "á".to_owned()];
        texts.extend([31, 32, 33, 4_000].map(|length| "x".repeat(length)));
        let keys: std::collections::HashSet<_> =
            texts.iter().map(|text| Key(text).bytes()).collect();
        assert_eq!(keys.len(), texts.len());
        assert!(keys.iter().all(|key| key.len() <= KEY));
    }
}
