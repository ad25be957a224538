//! Encrypted fields and signed tokens.
//!
//! A [`KeyRing`] holds one or more master secrets. The first one signs and
//! encrypts, all of them verify and decrypt, so keys can be rotated without
//! signing users out.
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
//! // In production: `std::env::var("SESSION_KEYS")?.parse()?`, with the output
//! // of `openssl rand -base64 32`.
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
//! `"sealed:1:<key>:<data>"`, a JSON string: the version of this format, six
//! characters that identify the key in the ring, and in URL-safe base64 a random
//! 192-bit nonce, the ciphertext and its tag (XChaCha20-Poly1305). The value
//! decrypts only in the realm, the session and under the stored name that it was
//! written for, and, in a field with `ttl`, with the expiry time that it was
//! written with. The expiry time is stored beside it in clear, so that it takes
//! effect without a key.
//!
//! A value that does not decrypt (moved from elsewhere, damaged, or encrypted with
//! a key that is not in the ring) does not decode, and the field's `on_invalid`
//! applies. By default the field reads as its default, which is reported, and the
//! stored bytes stay until the field is set.
//!
//! Encryption does not hide the length of a value, nor that an `Option` is `None`,
//! for which nothing is stored. An attacker who can write to the store can restore
//! an earlier value of the same field in the same session, or remove it.

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
