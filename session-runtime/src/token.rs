//! The secret that a browser holds, and the only source of random bytes.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::hmac::hmac;
use crate::id::SessionId;
use crate::realm::Realm;
use crate::transport::Transport;

const SECRET_BYTES: usize = 16;
const TOKEN_BYTES: usize = SessionId::BYTES + SECRET_BYTES;

/// The operating system's random generator failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRandomness;

impl fmt::Display for NoRandomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operating system's random generator failed")
    }
}

impl std::error::Error for NoRandomness {}

/// What a client presents: a session id and a 128-bit secret.
///
/// It has no `Display`, its `Debug` is redacted, and stores see only [`SessionToken::secret_hash`].
/// Only [`SessionToken::expose`] returns its text.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken {
    id: SessionId,
    secret: [u8; SECRET_BYTES],
    transport: Transport,
}

impl SessionToken {
    /// The length of the text: 32 bytes as base64 without padding.
    pub(crate) const TEXT: usize = 43;

    /// Generates a token for a new record.
    ///
    /// # Errors
    ///
    /// If the operating system provides no random bytes.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut bytes = [0; TOKEN_BYTES];
        random(&mut bytes)?;
        Ok(Self::from_bytes(&bytes))
    }

    /// Generates a token with a new secret for the record `id`.
    ///
    /// # Errors
    ///
    /// If the operating system provides no random bytes.
    pub fn renew(id: SessionId) -> Result<Self, NoRandomness> {
        let mut secret = [0; SECRET_BYTES];
        random(&mut secret)?;
        Ok(Self::of(id, secret))
    }

    /// Derives the token that replaces this one at a renewal by age.
    ///
    /// The same token and nonce always give the same result. The nonce alone, which is stored,
    /// reveals nothing.
    #[must_use]
    pub fn next(&self, nonce: RotationNonce) -> Self {
        let code = hmac(&self.secret, &[b"session renewal", self.id.as_bytes(), &nonce.0]);
        let mut secret = [0; SECRET_BYTES];
        secret.copy_from_slice(&code[..SECRET_BYTES]);
        Self { secret, ..*self }
    }

    /// Parses the text that a client sent; `None` unless it has exactly the form of a token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != Self::TEXT {
            return None;
        }
        // The decoder requires a buffer of its own estimate, which is rounded up.
        let mut bytes = [0; TOKEN_BYTES + 1];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(TOKEN_BYTES) => {
                let mut exact = [0; TOKEN_BYTES];
                exact.copy_from_slice(&bytes[..TOKEN_BYTES]);
                Some(Self::from_bytes(&exact))
            }
            _ => None,
        }
    }

    /// Creates the token of a cookie from its parts.
    pub(crate) const fn of(id: SessionId, secret: [u8; SECRET_BYTES]) -> Self {
        Self { id, secret, transport: Transport::Cookie }
    }

    /// Returns the same secret for another transport, where it has another hash.
    #[must_use]
    pub(crate) const fn sent_by(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    pub(crate) const fn transport(&self) -> Transport {
        self.transport
    }

    fn from_bytes(bytes: &[u8; TOKEN_BYTES]) -> Self {
        let mut id = [0; SessionId::BYTES];
        let mut secret = [0; SECRET_BYTES];
        id.copy_from_slice(&bytes[..SessionId::BYTES]);
        secret.copy_from_slice(&bytes[SessionId::BYTES..]);
        Self::of(SessionId::from_bytes(id), secret)
    }

    /// Returns the id of the token's record.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// Returns the SHA-256 hash of the secret in `realm`, which is what a store keeps and compares.
    /// The same secret has a different hash in every realm, and for every transport.
    #[must_use]
    pub fn secret_hash(&self, realm: &Realm) -> SecretHash {
        let purpose: &[u8] = match self.transport {
            Transport::Cookie => b"session secret\0",
            Transport::Bearer => b"bearer secret\0",
        };
        let hash = Sha256::new_with_prefix(purpose)
            .chain_update(realm.as_str())
            .chain_update([0])
            .chain_update(self.secret);
        SecretHash(hash.finalize().into())
    }

    /// Returns the text for the client. It is the credential: do not log it.
    #[must_use]
    pub fn expose(&self) -> String {
        let mut text = String::with_capacity(Self::TEXT);
        self.write_to(&mut text);
        text
    }

    /// Appends the text for the client.
    pub(crate) fn write_to(&self, text: &mut String) {
        let mut bytes = [0; TOKEN_BYTES];
        bytes[..SessionId::BYTES].copy_from_slice(self.id.as_bytes());
        bytes[SessionId::BYTES..].copy_from_slice(&self.secret);
        let mut encoded = [0; Self::TEXT];
        // The length is right and base64 is ASCII, so neither fails.
        if URL_SAFE_NO_PAD.encode_slice(bytes, &mut encoded).is_ok()
            && let Ok(encoded) = std::str::from_utf8(&encoded)
        {
            text.push_str(encoded);
        }
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionToken({}, secret redacted)", self.id)
    }
}

/// The SHA-256 hash of a token's secret.
///
/// The secret has 128 random bits, which cannot be guessed, so one unsalted round is enough.
/// Equality takes the same time wherever the hashes differ.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Creates the hash from its bytes, for a store that reads them back.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, for a store that writes them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        // No early exit. Both sides are hashes of secrets, so even the position of the first
        // difference would reveal nothing useful.
        let differing = self.0.iter().zip(&other.0).fold(0, |all, (a, b)| all | (a ^ b));
        std::hint::black_box(differing) == 0
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(redacted)")
    }
}

/// The nonce that the next secret of a renewal by age is derived with. It is not a secret: without
/// the current secret it reveals nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RotationNonce(pub [u8; 16]);

impl fmt::Debug for RotationNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RotationNonce")
    }
}

/// Fills `bytes` with random bytes. Nothing else in this crate asks for randomness.
#[allow(clippy::disallowed_methods)]
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    getrandom::fill(bytes).map_err(|_| NoRandomness)
}

/// Returns a random duration between zero and `bound`.
pub(crate) fn random_below(bound: Duration) -> Duration {
    let mut byte = [0; 2];
    // Without randomness all pauses are equal: slower, but not wrong.
    let _ = random(&mut byte);
    bound.mul_f64(f64::from(u16::from_le_bytes(byte)) / 65_536.0)
}

/// The id of a patch, by which a store recognises a repeated one.
///
/// Unique among the last few patches of one record, which are all it is compared with: 48 bits,
/// counted up from a random start per process. Not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PatchId(u64);

impl PatchId {
    /// Eight characters in base64.
    pub(crate) const BYTES: usize = 6;

    const BITS: u64 = (1 << 48) - 1;

    /// Returns a new id.
    #[must_use]
    pub fn next() -> Self {
        static START: OnceLock<u64> = OnceLock::new();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let start = START.get_or_init(|| {
            let mut bytes = [0; 8];
            match random(&mut bytes) {
                Ok(()) => u64::from_le_bytes(bytes),
                Err(NoRandomness) => RandomState::new().hash_one(std::process::id()),
            }
        });
        match start.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed)) & Self::BITS {
            // 0 means "no patch".
            0 => Self::next(),
            id => Self(id),
        }
    }

    /// Creates the id from the lower 48 bits of a number, for a store that reads it back.
    #[must_use]
    pub const fn from_u64(id: u64) -> Self {
        Self(id & Self::BITS)
    }

    /// Returns the number, for a store that writes it.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    pub(crate) const fn to_bytes(self) -> [u8; Self::BYTES] {
        let [_, _, bytes @ ..] = self.0.to_be_bytes();
        bytes
    }

    pub(crate) const fn from_bytes([a, b, c, d, e, f]: [u8; Self::BYTES]) -> Self {
        Self(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_token_survives_its_text_form_and_nothing_else_parses() {
        let token = SessionToken::generate().unwrap();
        let text = token.expose();
        assert_eq!(SessionToken::parse(&text), Some(token));
        for bad in ["", &text[1..], &format!("{text}A"), &text.replace(&text[..1], "!")] {
            assert_eq!(SessionToken::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_million_tokens_have_no_duplicate_id_or_secret() {
        let mut ids = HashSet::new();
        let mut secrets = HashSet::new();
        for _ in 0..1_000_000 {
            let token = SessionToken::generate().unwrap();
            assert!(ids.insert(token.id));
            assert!(secrets.insert(token.secret));
        }
    }

    /// Most bits of a counter, however it is spread, or of a clock hardly change.
    #[test]
    fn every_bit_of_a_token_is_a_toss_of_a_coin() {
        const TOKENS: usize = 10_000;
        let bits = |bytes: &[u8]| {
            let bits = bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1));
            bits.map(usize::from).collect::<Vec<_>>()
        };
        let of = |token: &SessionToken| bits(&[&token.id.as_bytes()[..], &token.secret].concat());
        let new = |_| of(&SessionToken::generate().unwrap());
        let id = SessionId::from_bytes([7; 16]);
        let renewed = |_| bits(&SessionToken::renew(id).unwrap().secret);
        for tokens in
            [(0..TOKENS).map(new).collect::<Vec<_>>(), (0..TOKENS).map(renewed).collect::<Vec<_>>()]
        {
            // Eight standard deviations, which a fair coin practically never reaches.
            let fair = TOKENS / 2 - 400..TOKENS / 2 + 400;
            for bit in 0..tokens[0].len() {
                let set = tokens.iter().filter(|token| token[bit] == 1).count();
                assert!(fair.contains(&set), "bit {bit} is set in {set} of {TOKENS}");
                let turns = tokens.windows(2).filter(|two| two[0][bit] != two[1][bit]).count();
                assert!(fair.contains(&turns), "bit {bit} turns {turns} times in {TOKENS}");
            }
        }
    }

    /// A generator that starts from the same state each time looks random, but is predictable.
    #[test]
    fn another_process_makes_other_tokens() {
        const TELLS: &str = "SESSION_TESTS_TELLS_TOKENS";
        let tokens =
            || (0..100).map(|_| SessionToken::generate().unwrap().expose()).collect::<HashSet<_>>();
        if std::env::var_os(TELLS).is_some() {
            tokens().iter().for_each(|token| println!("token {token}"));
            return;
        }
        let another = || {
            let this = "token::tests::another_process_makes_other_tokens";
            let mut test = std::process::Command::new(std::env::current_exe().unwrap());
            let told =
                test.args(["--exact", this, "--nocapture"]).env(TELLS, "1").output().unwrap();
            let told = String::from_utf8(told.stdout).unwrap();
            let tokens = told.lines().filter_map(|line| line.strip_prefix("token "));
            tokens.map(str::to_owned).collect::<HashSet<_>>()
        };
        let (one, other) = (another(), another());
        assert_eq!((one.len(), other.len()), (100, 100));
        assert!(one.is_disjoint(&other) && one.is_disjoint(&tokens()));
    }

    #[test]
    fn pauses_differ_and_stay_below_their_bound() {
        let bound = Duration::from_millis(20);
        let pauses: HashSet<_> = (0..64).map(|_| random_below(bound)).collect();
        assert!(pauses.iter().all(|pause| *pause < bound), "{pauses:?}");
        // 64 of 65,536: two of them collide once in 32 runs, a dozen never.
        assert!(pauses.len() > 52, "{pauses:?}");
    }

    #[test]
    fn what_is_no_secret_says_what_it_is() {
        let nonce = RotationNonce([7; 16]);
        assert_eq!(format!("{nonce:?}"), "RotationNonce");
        let failed = NoRandomness.to_string();
        assert_eq!(failed, "the operating system's random generator failed");
    }

    #[test]
    fn debug_shows_neither_the_secret_nor_its_hash() {
        let token = SessionToken::generate().unwrap();
        assert!(format!("{token:?}").contains(&token.id().to_string()));
        let text = token.expose();
        let secret = &text[text.len() - 20..];
        assert!(!format!("{token:?}").contains(secret));
        let hash = token.secret_hash(&Realm::default());
        assert_eq!(format!("{hash:?}"), "SecretHash(redacted)");
    }

    #[test]
    fn the_hash_is_the_sha_256_of_realm_and_secret() {
        let token = SessionToken::of(SessionId::from_bytes([1; 16]), [2; 16]);
        for (realm, expected) in [
            ("session", "d517ec47172d23ebd11fcfc534ee8472c536a472a07daaedb903e2e72d8c694c"),
            ("admin", "4cb949f3399118c8c3473e89f38fad1330398e1f8a0899fbf508d6fa3d7dd713"),
        ] {
            let hash = token.secret_hash(&Realm::new(realm).unwrap());
            let hex: String = hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected, "{realm}");
        }
    }

    #[test]
    fn the_hash_of_a_secret_belongs_to_a_realm() {
        let token = SessionToken::generate().unwrap();
        let admin = Realm::new("admin").unwrap();
        let hash = token.secret_hash(&Realm::default());
        assert_eq!(hash, token.clone().secret_hash(&Realm::new("session").unwrap()));
        assert_ne!(hash, token.secret_hash(&admin));
        assert_ne!(hash.as_bytes()[..16], token.secret);
    }

    /// Otherwise a script that reads a token out of a response could use it as a cookie.
    #[test]
    fn the_hash_of_a_secret_belongs_to_a_transport() {
        let token = SessionToken::of(SessionId::from_bytes([1; 16]), [2; 16]);
        let (bearer, realm) = (token.clone().sent_by(Transport::Bearer), Realm::default());
        let hex = |token: &SessionToken| {
            let hash = token.secret_hash(&realm);
            hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        assert_eq!(bearer.expose(), token.expose());
        assert_ne!(hex(&bearer), hex(&token));
        assert_eq!(
            hex(&bearer),
            "a88de24693e6876242fb1a9b5a23536b9c17a581f092ed6fe233ff6ecbb0340a"
        );
        let next = bearer.next(RotationNonce([1; 16]));
        assert_eq!(next, token.next(RotationNonce([1; 16])).sent_by(Transport::Bearer));
    }

    #[test]
    fn renewal_keeps_the_id_and_changes_the_secret() {
        let token = SessionToken::generate().unwrap();
        let renewed = SessionToken::renew(token.id()).unwrap();
        assert_eq!(renewed.id(), token.id());
        let realm = Realm::default();
        assert_ne!(renewed.secret_hash(&realm), token.secret_hash(&realm));
    }

    #[test]
    fn the_next_token_follows_from_the_secret_and_the_nonce() {
        let token = SessionToken::generate().unwrap();
        let (one, two) = (RotationNonce([1; 16]), RotationNonce([2; 16]));
        assert_eq!(token.next(one), token.next(one));
        assert_ne!(token.next(one), token.next(two));
        assert_ne!(token.next(one), token);
        assert_ne!(token.next(one), SessionToken::renew(token.id()).unwrap().next(one));
        assert_eq!(token.next(one).id(), token.id());
    }

    #[test]
    fn patch_ids_differ() {
        assert_ne!(PatchId::next(), PatchId::next());
    }
}
