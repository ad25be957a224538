//! What holds through the layer on every store: the stores of this process and
//! those on servers call the same functions.

pub mod over;
pub mod realms;
pub mod refresh;
pub mod users;
pub mod watch;

use session_runtime::keys::KeyRing;

fn ring() -> KeyRing {
    KeyRing::from_bytes(&crate::keys::secret(3)).unwrap()
}
