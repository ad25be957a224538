//! A value with its own expiry time: `{"until":1700000000000,"value":…}`.
//!
//! Both are kept in one stored field, so that every store supports it and they change in one step.
//! Like every other field, it is readable JSON.

use crate::clock::Timestamp;

const UNTIL: &[u8] = b"{\"until\":";
const VALUE: &[u8] = b",\"value\":";

/// Wraps `json` so that it expires at `until`.
pub(crate) fn wrap(json: &[u8], until: Timestamp) -> Vec<u8> {
    let until = until.as_millis().to_string();
    [UNTIL, until.as_bytes(), VALUE, json, b"}"].concat()
}

/// Returns the expiry time and the value of a wrapped value; `None` for anything else, which was
/// stored before the field had a `ttl`.
pub(crate) fn unwrap(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let rest = bytes.strip_prefix(UNTIL)?.strip_suffix(b"}")?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let (until, rest) = rest.split_at(digits);
    let until = std::str::from_utf8(until).ok()?.parse().ok()?;
    Some((Timestamp::from_millis(until), rest.strip_prefix(VALUE)?))
}

/// Returns the value, wrapped or not.
pub(crate) fn value_of(bytes: &[u8]) -> &[u8] {
    unwrap(bytes).map_or(bytes, |(_, value)| value)
}

/// Returns the value unless it has expired.
pub(crate) fn live(bytes: &[u8], now: Timestamp) -> Option<&[u8]> {
    match unwrap(bytes) {
        Some((until, value)) => (now < until).then_some(value),
        None => Some(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_value_lives_until_its_time() {
        let until = Timestamp::from_millis(1_000);
        let wrapped = wrap(br#"{"a":"}"}"#, until);
        assert_eq!(wrapped, br#"{"until":1000,"value":{"a":"}"}}"#);
        assert_eq!(live(&wrapped, Timestamp::from_millis(999)), Some(&br#"{"a":"}"}"#[..]));
        assert_eq!(live(&wrapped, until), None);
        assert_eq!(value_of(&wrapped), br#"{"a":"}"}"#);
    }

    #[test]
    fn anything_else_is_a_value_without_an_end() {
        for bare in [
            &b"1"[..],
            b"{}",
            b"\"x\"",
            br#"{"until":1}"#,
            br#"{"until":"1","value":2}"#,
            br#"{"until":1,"value":2"#,
            br#"{"until":99999999999999999999999,"value":2}"#,
            br#"{"until":1, "value":2}"#,
        ] {
            assert_eq!(unwrap(bare), None);
            assert_eq!(live(bare, Timestamp::from_millis(u64::MAX)), Some(bare));
        }
    }
}
