//! What must stand in no log, no error and no `Debug` output, in whatever form.

use std::error::Error;
use std::fmt::Write as _;

use session_runtime::__private::token::SessionToken;
use session_runtime::Realm;

/// Texts to search for, each with a word for what it is.
#[derive(Debug, Default)]
pub struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    pub fn new() -> Self {
        Self::default()
    }

    /// A value: as it is, in hexadecimal, and as the list of numbers that bytes are printed as.
    pub fn add(&mut self, what: &'static str, value: &str) {
        self.0.push((what, value.to_owned()));
        self.bytes(what, value.as_bytes());
    }

    /// The secret of a token and its hash. The public id in front of it may be shown.
    pub fn token(&mut self, token: &str, realm: &Realm) {
        let parsed = SessionToken::parse(token).expect("a token");
        // The first 22 characters are the id; the last of them is shared with the secret.
        self.0.push(("a token", token[22..].to_owned()));
        self.bytes("the hash of a token", parsed.secret_hash(realm).as_bytes());
    }

    fn bytes(&mut self, what: &'static str, bytes: &[u8]) {
        // Enough to be no coincidence, and at the front, where a cut text begins.
        let front = &bytes[..bytes.len().min(8)];
        let hex = front.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let numbers = front.iter().map(u8::to_string).collect::<Vec<_>>();
        let base64 = base64(&front[..front.len() / 3 * 3]);
        let forms = [
            hex.to_uppercase(),
            hex,
            numbers.join(", "),
            numbers.join(","),
            base64.replace('-', "+").replace('_', "/"),
            base64,
        ];
        self.0.extend(forms.into_iter().filter(|form| form.len() >= 8).map(|form| (what, form)));
    }

    /// That none of them is in `text`.
    #[track_caller]
    pub fn assert_absent(&self, wherefrom: &str, text: &str) {
        // A list may be printed with a number on each line.
        let lines: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for (what, form) in &self.0 {
            let found = [text, &lines].into_iter().find_map(|text| Some((text, text.find(form)?)));
            if let Some((text, at)) = found {
                let around = at.saturating_sub(300)..text.len().min(at + 300);
                let around = String::from_utf8_lossy(&text.as_bytes()[around]);
                panic!("{wherefrom} holds {what} ({form}):\n…{around}…");
            }
        }
    }
}

/// The front of `bytes` in the alphabet of URLs, without padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let chunk = |three: &[u8]| {
        let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(ALPHABET[bits >> shift & 63]))
    };
    bytes.chunks_exact(3).flat_map(chunk).collect()
}

/// An error as programs print it: `Display`, `Debug` in both forms, and so the sources.
pub fn told(error: &dyn Error) -> String {
    let (mut text, mut next) = (String::new(), Some(error));
    while let Some(error) = next {
        writeln!(text, "{error}\n{error:?}\n{error:#?}").unwrap();
        next = error.source();
    }
    text
}
