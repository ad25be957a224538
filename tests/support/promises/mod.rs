//! What holds through the layer on every store: the stores of this process and
//! those on servers call the same functions.

pub mod over;
pub mod realms;
pub mod users;

use session_runtime::keys::KeyRing;

fn ring() -> KeyRing {
    KeyRing::from_bytes(&std::array::from_fn::<u8, 32, _>(|at| at as u8 * 7 + 3)).unwrap()
}
