//! Settings of keys.

use super::layer::SessionLayer;

/// Keys.
impl SessionLayer {
    /// The keys that encrypt fields marked `secret`, and sign tokens with
    /// [`sign_tokens`](Self::sign_tokens). See [`keys`](crate::keys).
    ///
    /// # Default
    ///
    /// None: a schema with a `secret` field is refused.
    #[must_use]
    pub fn keys(self, keys: crate::keys::KeyRing) -> Self {
        self.set(|config| config.keys.ring = Some(keys))
    }

    /// Reads a value in clear in a `secret` field, as it was stored before the
    /// field became secret. It is encrypted when the field is next set. Whoever
    /// can write the store can then put any value of theirs in the place of an
    /// encrypted one: turn it off once no session is left from before.
    ///
    /// # Default
    ///
    /// No: such a value does not decode, and the field's `on_invalid` says what
    /// happens.
    #[must_use]
    pub fn accept_plain_secrets(self, accept: bool) -> Self {
        self.set(|config| config.keys.accept_plain_fields = accept)
    }

    /// Signs the token in the cookie, so that one that was made up costs no
    /// call of the store. Tokens without a signature are refused: whoever has
    /// one starts afresh. Needs [`keys`](Self::keys), whose every key verifies.
    ///
    /// The cookie's value has 66 characters then, instead of 43.
    ///
    /// # Default
    ///
    /// No: a token cannot be guessed anyway, and finding that out costs one
    /// look-up.
    #[must_use]
    pub fn sign_tokens(self) -> Self {
        self.set(|config| config.keys.sign_tokens = true)
    }

    /// Takes tokens without a signature too, of sessions from before
    /// [`sign_tokens`](Self::sign_tokens). One that was made up costs a look-up
    /// as long as this is on.
    ///
    /// # Default
    ///
    /// No.
    #[must_use]
    pub fn accept_unsigned_tokens(self, accept: bool) -> Self {
        self.set(|config| config.keys.accept_unsigned_tokens = accept)
    }
}
