//! A hasher for random keys: some of their bytes are the hash.

use std::hash::{BuildHasherDefault, Hasher};

pub(super) type Hashed = BuildHasherDefault<LastBytes>;

/// The last eight bytes of a key. The first byte of an id selects the shard.
#[derive(Default)]
pub(super) struct LastBytes(u64);

impl Hasher for LastBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(tail) = bytes.last_chunk() {
            self.0 = u64::from_le_bytes(*tail);
        }
    }

    fn write_usize(&mut self, _: usize) {}
}
