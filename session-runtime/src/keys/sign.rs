//! Signing and verification of a token's text, per realm.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;

use super::ring::{Key, KeyRing};
use crate::realm::Realm;
use crate::token::SessionToken;

/// HMAC-SHA-256 truncated to half (RFC 2104 §5), 22 characters: a forgery succeeds with
/// probability 2⁻¹²⁸.
const CODE: usize = 16;

impl KeyRing {
    /// Returns `token.signature`.
    pub(crate) fn sign(&self, realm: &Realm, token: &SessionToken) -> String {
        let mut text = token.expose();
        if let Some(key) = self.first() {
            let code = code(key, realm, &text).finalize().into_bytes();
            text.push('.');
            URL_SAFE_NO_PAD.encode_string(&code[..CODE], &mut text);
        }
        text
    }

    /// Returns the token if a key of the ring signed it for `realm`. Signatures are compared
    /// in constant time.
    pub(crate) fn verify(&self, realm: &Realm, signed: &str) -> Option<SessionToken> {
        let (text, signature) = signed.split_once('.')?;
        let token = SessionToken::parse(text)?;
        // The decoder needs room for its estimate, which is rounded up.
        let mut bytes = [0; CODE + 2];
        let length = URL_SAFE_NO_PAD.decode_slice(signature, &mut bytes).ok()?;
        let given = bytes.get(..length).filter(|given| given.len() == CODE)?;
        let signed = |key: &Key| code(key, realm, text).verify_truncated_left(given).is_ok();
        self.0.iter().any(signed).then_some(token)
    }
}

/// Neither a realm nor a token contains a zero byte, so the encoding is unambiguous.
fn code(key: &Key, realm: &Realm, text: &str) -> hmac::Hmac<sha2::Sha256> {
    key.mac.clone().chain_update(realm.as_str()).chain_update([0]).chain_update(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::ring::strong;

    #[test]
    fn a_change_at_any_position_of_a_signed_token_is_refused() {
        let ring = KeyRing::from_bytes(&strong(1)).unwrap();
        let (token, realm) = (SessionToken::generate().unwrap(), Realm::default());
        let verify = |signed: &str| ring.verify(&realm, signed);
        let signed = ring.sign(&realm, &token);
        assert_eq!(signed.len(), 66);
        assert_eq!(verify(&signed), Some(token.clone()));
        for at in 0..signed.len() {
            for other in "Aa0-_.g".chars().filter(|other| !signed[at..].starts_with(*other)) {
                let mut changed = signed.clone();
                changed.replace_range(at..=at, other.encode_utf8(&mut [0; 4]));
                assert_eq!(verify(&changed), None, "{other} at {at}");
            }
            assert_eq!(verify(&signed[..at]), None, "{at}");
        }
        for more in ["A", "AA", ".", "="] {
            assert_eq!(verify(&format!("{signed}{more}")), None, "{more}");
        }
        assert_eq!(verify(&token.expose()), None);
        assert_eq!(KeyRing::from_bytes(&strong(2)).unwrap().verify(&realm, &signed), None);
    }

    #[test]
    fn a_signature_of_one_realm_is_none_in_another() {
        let ring = KeyRing::from_bytes(&strong(1)).unwrap();
        let token = SessionToken::generate().unwrap();
        let realms = ["session", "admin", "admin2"].map(|name| Realm::new(name).unwrap());
        for signs in &realms {
            let signed = ring.sign(signs, &token);
            for verifies in &realms {
                let known = ring.verify(verifies, &signed).is_some();
                assert_eq!(known, signs == verifies, "{signs} in {verifies}");
            }
        }
    }

    #[test]
    fn the_signature_is_hmac_sha_256_with_a_key_derived_for_it() {
        let ring = KeyRing::from_bytes(&strong(1)).unwrap();
        let token = SessionToken::generate().unwrap();
        let prk = crate::hmac::hmac(b"session-runtime", &[&strong(1)]);
        let key = crate::hmac::hmac(&prk, &[b"token signature 1", &[1]]);
        let code = crate::hmac::hmac(&key, &[b"admin\0", token.expose().as_bytes()]);
        let expected = format!("{}.{}", token.expose(), URL_SAFE_NO_PAD.encode(&code[..16]));
        assert_eq!(ring.sign(&Realm::new("admin").unwrap(), &token), expected);
    }
}
