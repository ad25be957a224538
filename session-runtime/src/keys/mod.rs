//! Keys of yours: encrypted fields, and tokens that nobody else can make up.
//!
//! A [`KeyRing`] holds one or more master secrets. The first one signs and
//! encrypts, all of them verify and decrypt, so that a new one can be put
//! before an old one without logging anybody out.
//!
#![cfg_attr(feature = "keys", doc = "```")]
#![cfg_attr(not(feature = "keys"), doc = "```ignore")]
//! use session_runtime::keys::KeyRing;
//! use session_runtime::testing::TestSession;
//! use session_runtime::{SessionLayer, SessionSchema, store::MemoryStore};
//!
//! #[derive(SessionSchema)]
//! struct Visitor {
//!     #[session(secret)]
//!     access_token: Option<String>,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // In a program: `std::env::var("SESSION_KEYS")?.parse()?`, of what
//! // `openssl rand -base64 32` printed.
//! let keys: KeyRing = "9vdcVlTgQeVAXWVCKeqVSIhgc5f4Kd7hIbaCQ7PXcJg=".parse()?;
//! let layer = SessionLayer::new(MemoryStore::new()).keys(keys).sign_tokens();
//! layer.check()?;
//!
//! let t = TestSession::<Visitor>::with_layer(layer).with(|s| s.set_access_token("gho_16C7e42F"));
//! assert_eq!(t.session().access_token(), Some("gho_16C7e42F"));
//! let stored = t.stored().ok_or("a session")?;
//! let stored = String::from_utf8_lossy(stored.fields.get("access_token").unwrap_or_default());
//! assert!(stored.starts_with("\"sealed:1:") && !stored.contains("gho_"));
//! # Ok(())
//! # }
//! ```
//!
//! # What is stored
//!
//! `"sealed:1:<key>:<data>"`, a JSON string: the version of this form, six
//! characters that say which key of the ring, and in URL-safe base64 a random
//! nonce of 192 bits, the ciphertext and its tag (XChaCha20-Poly1305). It opens
//! only in the session and under the stored name that it was written for, and,
//! in a field with `ttl`, with the end that it was written with. That end
//! stands beside it in clear, so that it counts without a key.
//!
//! What does not open (another's, a damaged one, of a key that is not in the
//! ring) is a value that does not decode: the field's `on_invalid` says what
//! happens. By default the field reads as its default, which is reported, and
//! the stored bytes stay until the field is set.
//!
//! The length of a value shows, and that an `Option` is `None`: nothing is
//! stored for it. Whoever can write the store can put an earlier value of the
//! same field in the same session back, or remove it.

mod layer_keys;
#[cfg(feature = "keys")]
mod ring;
#[cfg(feature = "keys")]
mod seal;
#[cfg(feature = "keys")]
mod sign;

pub(crate) use layer_keys::{Form, Home, Keys, is_locked};
#[cfg(all(test, feature = "keys"))]
pub(crate) use ring::strong;
#[cfg(feature = "keys")]
pub use ring::{InvalidKey, KeyRing};
