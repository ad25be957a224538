//! Stored names in logs and errors.

use std::borrow::Cow;

/// Separates the stored name of a keyed nonce from the key of one value. It occurs in no other
/// stored name.
pub(crate) const KEYED: &str = "::";

/// Returns a stored name as logs and errors may show it: without the key of a keyed nonce, which
/// may be a credential, such as the `state` of an OAuth flow.
pub(crate) fn shown(name: &str) -> Cow<'_, str> {
    match name.split_once(KEYED) {
        Some((field, _)) => Cow::Owned(format!("{field}{KEYED}…")),
        None => Cow::Borrowed(name),
    }
}
