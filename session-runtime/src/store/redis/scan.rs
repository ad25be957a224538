//! Walking over all sessions, page by page.
//!
//! On a single server, it uses the server's own cursor. That is meaningless on another server, or
//! after a restart: the walk then begins again. In a cluster, it proceeds slot by slot, so that a
//! failover or resharding between two pages does not matter.

use std::str::FromStr;

use redis::Value;

use super::ask::{bytes, text};
use super::failure::Failure;
use super::layout::session_in;
use super::server::Server;
use super::walk::escaped;
use crate::id::SessionId;
use crate::store::contract::{Cursor, Page};
use crate::store::engine::{self, record_of};

/// The number of slots of a cluster.
const SLOTS: u16 = 16_384;
/// The approximate maximum number of sessions on a page.
const MOST: usize = 1_024;

/// Where a page begins.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// At a cursor of the server with this run id; empty for any server.
    Server {
        run: String,
        cursor: u64,
    },
    Slot(u16),
}

impl Place {
    const fn is_of_cluster(&self) -> bool {
        matches!(self, Self::Slot(_))
    }

    fn text(&self) -> String {
        match self {
            Self::Server { run, cursor } => format!("at:{run}:{cursor}"),
            Self::Slot(slot) => format!("slot:{slot}"),
        }
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let (kind, rest) = text.split_once(':').ok_or(())?;
        match (kind, rest.split_once(':')) {
            ("slot", None) if digits(rest) => {
                let slot = rest.parse().ok().filter(|slot| *slot < SLOTS).ok_or(())?;
                Ok(Self::Slot(slot))
            }
            ("at", Some((run, cursor))) if digits(cursor) => {
                let is_name = matches!(run.len(), 0 | 40)
                    && run.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                let cursor = cursor.parse().map_err(|_| ())?;
                is_name.then(|| Self::Server { run: run.to_owned(), cursor }).ok_or(())
            }
            _ => Err(()),
        }
    }
}

impl Server {
    pub(super) async fn scan(
        &self,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, engine::Failure> {
        let is_cluster = self.link.is_cluster();
        let place = match from {
            Some(cursor) => cursor.as_str().parse().ok(),
            None if is_cluster => Some(Place::Slot(0)),
            None => Some(Place::Server { run: String::new(), cursor: 0 }),
        };
        let place = place.filter(|place: &Place| place.is_of_cluster() == is_cluster);
        let place = place.ok_or_else(|| Failure::config("a cursor of another store"))?;
        let limit = limit.clamp(1, MOST);
        let (ids, next) = match place {
            Place::Slot(slot) => self.page_of_slots(slot, limit).await?,
            Place::Server { cursor, .. } if self.options.split => {
                self.page_of_proxy(cursor, limit).await?
            }
            Place::Server { run, cursor } => self.page_of_server(&run, cursor, limit).await?,
        };
        let mut records = Vec::with_capacity(ids.len());
        let reads = self.look_at_all(&ids, true, self.deadline()).await?;
        for (id, read) in ids.into_iter().zip(reads) {
            records.extend(record_of(id, &read)?.filter(|it| !it.meta.is_expired(read.now)));
        }
        Ok(Page { records, next: next.map(|place| Cursor::new(place.text())) })
    }

    async fn page_of_slots(
        &self,
        slot: u16,
        limit: usize,
    ) -> Result<(Vec<SessionId>, Option<Place>), Failure> {
        let (first, most) = (slot.to_string(), limit.to_string());
        let args = [first.as_bytes(), most.as_bytes()];
        let answer = self.run_at(slot, &self.scripts.slots, &args, self.deadline()).await?;
        let Value::Array(answer) = answer else { return Err(Failure::corrupt("answer")) };
        let next = answer.first().and_then(text).and_then(|next| next.parse::<u16>().ok());
        let next = next.ok_or_else(|| Failure::corrupt("answer"))?;
        let place = Some(Place::Slot(next)).filter(|_| next < SLOTS);
        Ok((self.sessions(answer.get(1..).unwrap_or_default()), place))
    }

    async fn page_of_server(
        &self,
        run: &str,
        cursor: u64,
        limit: usize,
    ) -> Result<(Vec<SessionId>, Option<Place>), Failure> {
        let (cursor, limit, pattern) = (cursor.to_string(), limit.to_string(), self.pattern());
        let args = [run, &cursor, &limit, &pattern].map(str::as_bytes);
        let answer = self.run_at(0, &self.scripts.scan, &args, self.deadline()).await?;
        let Value::Array(answer) = answer else { return Err(Failure::corrupt("answer")) };
        let run = answer.first().and_then(text).ok_or_else(|| Failure::corrupt("answer"))?;
        let next = place_after(run, answer.get(1))?;
        Ok((self.sessions(answer.get(2..).unwrap_or_default()), next))
    }

    /// Scans through a proxy, which would run a script without keys on any of its servers.
    async fn page_of_proxy(
        &self,
        cursor: u64,
        limit: usize,
    ) -> Result<(Vec<SessionId>, Option<Place>), Failure> {
        let mut command = redis::cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(self.pattern()).arg("COUNT").arg(limit);
        let answer = self.at(0, &command, self.deadline()).await?;
        let Value::Array(answer) = answer else { return Err(Failure::corrupt("answer")) };
        let [next, Value::Array(keys)] = answer.as_slice() else {
            return Err(Failure::corrupt("answer"));
        };
        Ok((self.sessions(keys), place_after("", Some(next))?))
    }

    pub(super) fn pattern(&self) -> String {
        format!("{}*", escaped(&self.options.prefix))
    }

    /// Returns the sessions that `keys` may name.
    fn sessions(&self, keys: &[Value]) -> Vec<SessionId> {
        let keys = keys.iter().filter_map(bytes);
        keys.filter_map(|key| session_in(&self.options.prefix, key)).collect()
    }
}

fn place_after(run: &str, cursor: Option<&Value>) -> Result<Option<Place>, Failure> {
    let cursor = cursor.and_then(text).and_then(|cursor| cursor.parse::<u64>().ok());
    match cursor.ok_or_else(|| Failure::corrupt("answer"))? {
        0 => Ok(None),
        cursor => Ok(Some(Place::Server { run: run.to_owned(), cursor })),
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_cursor_is_what_it_says_or_none_at_all() {
        let run = "0123456789abcdef0123456789abcdef01234567";
        let places = [
            Place::Slot(0),
            Place::Slot(16_383),
            Place::Server { run: run.to_owned(), cursor: u64::MAX },
            Place::Server { run: String::new(), cursor: 7 },
        ];
        for place in places {
            assert_eq!(place.text().parse(), Ok(place));
        }
        let foreign = [
            "",
            "7",
            "slot:",
            "slot:16384",
            "slot:-1",
            "slot:+1",
            "slot:1:2",
            "at:1",
            "at:abc:1",
            "at::",
            "at::-1",
            "at::99999999999999999999",
            "Rm9vQmFyQmF6UXV4MTIzNA",
        ];
        for text in foreign {
            assert_eq!(text.parse::<Place>(), Err(()), "{text}");
        }
    }
}
