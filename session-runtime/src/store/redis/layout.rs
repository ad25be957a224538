//! The names of the keys.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redis::{RedisWrite, ToRedisArgs};

use crate::id::SessionId;
use crate::record::{Principal, PrincipalHash};

/// A key, which is written directly into a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'p> {
    prefix: &'p str,
    name: Name,
}

#[derive(Clone, Copy, Debug)]
enum Name {
    Session(SessionId),
    /// In the same slot as its session but not under the prefix, so that neither walks over the
    /// sessions nor cache notifications include it.
    Base(SessionId),
    /// Contains no personal data, and has a fixed length.
    Index(PrincipalHash),
}

impl<'p> Key<'p> {
    pub(super) const fn session(prefix: &'p str, id: SessionId) -> Self {
        Self { prefix, name: Name::Session(id) }
    }

    pub(super) const fn base(prefix: &'p str, id: SessionId) -> Self {
        Self { prefix, name: Name::Base(id) }
    }

    pub(super) fn index(prefix: &'p str, principal: &Principal) -> Self {
        Self { prefix, name: Name::Index(principal.hash()) }
    }

    /// Parses the key of an index.
    pub(super) fn read_index(prefix: &'p str, key: &[u8]) -> Option<Self> {
        let hash = key.strip_prefix(prefix.as_bytes())?.strip_prefix(b"p:")?;
        let hash: [u8; PrincipalHash::BYTES] =
            URL_SAFE_NO_PAD.decode(hash).ok()?.try_into().ok()?;
        Some(Self { prefix, name: Name::Index(PrincipalHash::from_bytes(hash)) })
    }

    fn write(&self, out: &mut impl io::Write) -> io::Result<()> {
        let (open, mark, bytes, close) = match &self.name {
            Name::Session(id) => ("", "", id.as_bytes(), ""),
            Name::Base(id) => ("{", "", id.as_bytes(), "}b"),
            Name::Index(hash) => ("", "p:", hash.as_bytes(), ""),
        };
        let mut text = [0; SessionId::TEXT];
        // 16 bytes are exactly 22 characters, so encoding cannot fail.
        let _ = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        for part in [open.as_bytes(), self.prefix.as_bytes(), mark.as_bytes(), &text] {
            out.write_all(part)?;
        }
        out.write_all(close.as_bytes())
    }

    /// Returns its text.
    pub(super) fn text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.prefix.len() + 32);
        // Writing to memory does not fail.
        let _ = self.write(&mut text);
        text
    }
}

impl ToRedisArgs for Key<'_> {
    fn write_redis_args<W: RedisWrite + ?Sized>(&self, out: &mut W) {
        // Same as above.
        let _ = self.write(&mut out.writer_for_next_arg());
    }
}

/// Returns the session that a key names, if it names one.
pub(super) fn session_in(prefix: &str, key: &[u8]) -> Option<SessionId> {
    std::str::from_utf8(key.strip_prefix(prefix.as_bytes())?).ok()?.parse().ok()
}

/// Whether a key is that of an index.
pub(super) fn is_index(prefix: &str, key: &[u8]) -> bool {
    Key::read_index(prefix, key).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: SessionId = SessionId::from_bytes([7; 16]);

    #[test]
    fn a_base_is_beside_its_session_and_found_by_no_walk() {
        let (session, base) = (Key::session("shop:", ID), Key::base("shop:", ID));
        assert_eq!(session.text(), format!("shop:{ID}").into_bytes());
        assert_eq!(base.text(), format!("{{shop:{ID}}}b").into_bytes());
        let mut command = redis::cmd("MGET");
        command.arg(session).arg(&[base][..]);
        let args: Vec<_> = command.args_iter().collect();
        assert_eq!(args.len(), 3);
        assert_eq!(session_in("shop:", &session.text()), Some(ID));
        assert_eq!(session_in("shop:", &base.text()), None);
    }

    #[test]
    fn an_index_has_the_hash_of_its_principal_and_no_more() {
        let index = Key::index("shop:", &Principal::new("customer", "\"ann@example.org\"")).text();
        assert_eq!(index.len(), "shop:p:".len() + 22);
        assert!(is_index("shop:", &index) && session_in("shop:", &index).is_none());
        assert!(!is_index("shop:", &Key::session("shop:", ID).text()));
    }
}
