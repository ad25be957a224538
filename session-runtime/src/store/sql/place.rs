//! The order of the sessions of a principal.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::record::Meta;
use crate::store::contract::Cursor;
use crate::store::engine::Failure;
use crate::store::engine::index::Order;

const BYTES: usize = 32;

/// A session's position among those of its principal, as bytes that sort oldest first: the
/// milliseconds of the last authentication plus one (0 if there was none) and the milliseconds of
/// the creation, each as eight bytes, most significant first; then the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place([u8; BYTES]);

impl Place {
    /// The position after the last session.
    pub(super) const END: Self = Self([0xff; BYTES]);

    pub(super) fn of(id: SessionId, (authenticated, created): Order) -> Self {
        let authenticated = authenticated.map_or(0, |at| at.as_millis().saturating_add(1));
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&authenticated.to_be_bytes());
        bytes[8..16].copy_from_slice(&created.as_millis().to_be_bytes());
        bytes[16..].copy_from_slice(id.as_bytes());
        Self(bytes)
    }

    pub(super) fn of_session(id: SessionId, meta: &Meta) -> Self {
        Self::of(id, (meta.authenticated, meta.created))
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, Failure> {
        let place = bytes.try_into().map(Self);
        place.map_err(|_| Failure::corrupt("the place of a stored session cannot be read"))
    }

    pub(super) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn id(&self) -> SessionId {
        let mut id = [0; SessionId::BYTES];
        id.copy_from_slice(&self.0[16..]);
        SessionId::from_bytes(id)
    }

    pub(super) fn order(&self) -> Order {
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&self.0[at..at + 8]);
            u64::from_be_bytes(bytes)
        };
        let authenticated = number(0).checked_sub(1).map(Timestamp::from_millis);
        (authenticated, Timestamp::from_millis(number(8)))
    }

    pub(super) fn cursor(&self) -> Cursor {
        Cursor::new(URL_SAFE_NO_PAD.encode(self.0))
    }

    /// Parses [`Place::cursor`].
    pub(super) fn of_cursor(cursor: &Cursor) -> Result<Self, Failure> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor.as_str()).unwrap_or_default();
        bytes.try_into().map(Self).map_err(|_| Failure::config("a cursor of another store"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn places_are_in_order_as_the_sessions_are_and_can_be_read_back() {
        let in_order = [
            (None, at(0), 9),
            (None, at(7), 1),
            (None, at(7), 2),
            (Some(at(0)), at(0), 0),
            (Some(at(1)), at(256), 0),
            (Some(at(256)), at(1), 0),
        ];
        let places = in_order.map(|(authenticated, created, id)| {
            let place = Place::of(SessionId::from_bytes([id; 16]), (authenticated, created));
            assert_eq!(place.order(), (authenticated, created));
            assert_eq!(place.id(), SessionId::from_bytes([id; 16]));
            assert_eq!(Place::of_cursor(&place.cursor()).unwrap(), place);
            place
        });
        assert!(places.is_sorted() && places[5] < Place::END);
        assert!(Place::of_cursor(&Cursor::after(SessionId::from_bytes([1; 16]))).is_err());
    }
}
