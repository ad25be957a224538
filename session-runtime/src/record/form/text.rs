//! Numbers, hashes and lengths as text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::token::SecretHash;

/// The length of a 32-byte hash in base64.
pub(super) const HASH: usize = 43;
/// The length of 16 bytes in base64.
pub(super) const HALF: usize = 22;

/// Fills `digits` with `number`; returns whether it fits.
pub(super) fn fixed(digits: &mut [u8], mut number: u64) -> bool {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    number == 0
}

/// Parses digits and nothing else.
pub(super) fn read_fixed(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

pub(super) fn write_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    // Every number has at most 20 digits.
    let _ = fixed(&mut digits, number);
    let first = digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len() - 1);
    out.extend_from_slice(&digits[first..]);
}

pub(super) fn write_signed(out: &mut Vec<u8>, number: i128) {
    out.extend_from_slice(number.to_string().as_bytes());
}

pub(super) fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut text = [0; HASH];
    // No caller passes more than 32 bytes, so encoding cannot fail.
    let len = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text).unwrap_or(0);
    out.extend_from_slice(&text[..len]);
}

/// Writes a length, a colon, and the bytes.
pub(super) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_number(out, bytes.len() as u64);
    out.push(b':');
    out.extend_from_slice(bytes);
}

/// Parses a text from its front. Every method returns `None` if something else follows.
pub(super) struct Reader<'t>(&'t [u8]);

impl<'t> Reader<'t> {
    pub(super) const fn new(text: &'t [u8]) -> Self {
        Self(text)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        (self.byte()? == byte).then_some(())
    }

    pub(super) fn take(&mut self, len: usize) -> Option<&'t [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn digits(&mut self) -> Option<&'t [u8]> {
        let len = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.take(len).filter(|digits| !digits.is_empty())
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        read_fixed(self.digits()?)
    }

    pub(super) fn signed(&mut self) -> Option<i128> {
        let sign = usize::from(self.peek() == Some(b'-'));
        let digits = self.0.iter().skip(sign).take_while(|byte| byte.is_ascii_digit()).count();
        // Parsed with its sign, because the smallest number has no positive counterpart.
        std::str::from_utf8(self.take(sign + digits)?).ok()?.parse().ok()
    }

    pub(super) fn bytes(&mut self) -> Option<&'t [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        self.expect(b':')?;
        self.take(len)
    }

    pub(super) fn text(&mut self) -> Option<&'t str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    pub(super) fn half(&mut self) -> Option<[u8; 16]> {
        base64(self.take(HALF)?)
    }

    pub(super) fn hash(&mut self) -> Option<SecretHash> {
        base64(self.take(HASH)?).map(SecretHash::from_bytes)
    }
}

fn base64<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}
