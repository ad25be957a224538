//! The settings of keys.

use super::layer::SessionLayer;

/// Keys.
impl SessionLayer {
    /// Sets the keys that encrypt fields marked `secret`, and that sign tokens if
    /// [`sign_tokens`](Self::sign_tokens) is called. See [`keys`](crate::keys).
    ///
    /// # Default
    ///
    /// None: a schema with a `secret` field is rejected.
    #[must_use]
    pub fn keys(self, keys: crate::keys::KeyRing) -> Self {
        self.set(|config| config.keys.ring = Some(keys))
    }

    /// Accepts unencrypted values of `secret` fields, which were stored before the field
    /// became secret. They are encrypted when the field is next set. An attacker who can
    /// write to the store can then replace an encrypted value with any other: turn this off
    /// once no older session is left.
    ///
    /// # Default
    ///
    /// No: such a value does not decode, and the field's `on_invalid` applies.
    #[must_use]
    pub fn accept_plain_secrets(self, accept: bool) -> Self {
        self.set(|config| config.keys.accept_plain_fields = accept)
    }

    /// Signs the token in the cookie, so that a forged token costs no store call. A browser
    /// with an unsigned token gets a fresh session. Needs [`keys`](Self::keys); all keys of
    /// the ring verify.
    ///
    /// The cookie's value grows from 43 to 66 characters.
    ///
    /// # Default
    ///
    /// No: tokens cannot be guessed anyway, and a forged one costs one look-up.
    #[must_use]
    pub fn sign_tokens(self) -> Self {
        self.set(|config| config.keys.sign_tokens = true)
    }

    /// Also accepts unsigned tokens, of sessions created before
    /// [`sign_tokens`](Self::sign_tokens) was turned on. Forged tokens then still cost a
    /// look-up.
    ///
    /// # Default
    ///
    /// No.
    #[must_use]
    pub fn accept_unsigned_tokens(self, accept: bool) -> Self {
        self.set(|config| config.keys.accept_unsigned_tokens = accept)
    }
}
