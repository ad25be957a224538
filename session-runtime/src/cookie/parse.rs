//! Reads the presented tokens from the `Cookie` headers.

use http::{HeaderMap, header};

use crate::token::SessionToken;

/// No real browser sends more distinct valid tokens than this.
const MOST: usize = 3;

/// The tokens that a request presents.
#[derive(Debug, PartialEq)]
pub(crate) enum Presented {
    Nothing,
    One(SessionToken),
    /// Several distinct tokens: the valid one has to be found, and if two are valid, neither is
    /// trusted.
    Several(Vec<SessionToken>),
    /// More tokens than any real browser sends.
    TooMany,
}

impl From<Option<SessionToken>> for Presented {
    fn from(token: Option<SessionToken>) -> Self {
        token.map_or(Self::Nothing, Self::One)
    }
}

/// Reads the cookie `name` from all `Cookie` headers (HTTP/2 may split them).
///
/// Malformed tokens are ignored.
pub(crate) fn presented(
    headers: &HeaderMap,
    name: &str,
    read: impl Fn(&str) -> Option<SessionToken>,
) -> Presented {
    let mut first: Option<SessionToken> = None;
    let mut others: Vec<SessionToken> = Vec::new();
    let mut see = |token: SessionToken| match &first {
        None => first = Some(token),
        Some(known) if *known == token || others.contains(&token) => {}
        Some(_) if others.len() >= MOST => {}
        Some(_) => others.push(token),
    };
    for header in headers.get_all(header::COOKIE) {
        match header.to_str() {
            Ok(pairs) => {
                pairs.split(';').filter_map(|pair| read(value_in(pair, name)?)).for_each(&mut see)
            }
            // Other cookies may contain any bytes: decode pair by pair.
            Err(_) => header
                .as_bytes()
                .split(|byte| *byte == b';')
                .filter_map(|pair| read(value_in(std::str::from_utf8(pair).ok()?, name)?))
                .for_each(&mut see),
        }
    }
    match first {
        None => Presented::Nothing,
        Some(only) if others.is_empty() => Presented::One(only),
        Some(_) if others.len() >= MOST => Presented::TooMany,
        Some(first) => {
            others.insert(0, first);
            Presented::Several(others)
        }
    }
}

/// Returns every value of the cookie `name`, well-formed or not.
pub(crate) fn values(headers: &HeaderMap, name: &str) -> impl Iterator<Item = String> {
    let pairs =
        headers.get_all(header::COOKIE).iter().flat_map(|it| it.as_bytes().split(|b| *b == b';'));
    let texts = pairs.filter_map(|pair| std::str::from_utf8(pair).ok());
    texts.filter_map(move |pair| Some(value_in(pair, name)?.to_owned())).take(MOST)
}

/// Returns the value of a pair with this name (RFC 6265 §4.2.1), without surrounding quotes.
fn value_in<'p>(pair: &'p str, name: &str) -> Option<&'p str> {
    let rest = pair.trim_ascii_start().strip_prefix(name)?;
    let value = rest.trim_ascii_start().strip_prefix('=')?.trim_ascii();
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Some(quoted.unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "__Host-session";

    fn presented(headers: &HeaderMap, name: &str) -> Presented {
        super::presented(headers, name, SessionToken::parse)
    }

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::COOKIE, http::HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    fn token() -> (SessionToken, String) {
        let token = SessionToken::generate().unwrap();
        let pair = format!("{NAME}={}", token.expose());
        (token, pair)
    }

    #[test]
    fn the_token_is_found_among_other_cookies_and_headers() {
        let (token, pair) = token();
        for header in [
            pair.clone(),
            format!("a=b; {pair}; c=d"),
            format!("a=b;{pair}"),
            format!("{NAME}=\"{}\"", token.expose()),
            format!("{NAME}-other=1; {pair}; x{NAME}=2;;= ;"),
        ] {
            let found = presented(&headers(&[b"x=y", header.as_bytes()]), NAME);
            assert_eq!(found, Presented::One(token.clone()), "{header}");
        }
    }

    #[test]
    fn bytes_of_other_cookies_do_no_harm() {
        let (token, pair) = token();
        let mut bytes = b"other=\xff\xfe; ".to_vec();
        bytes.extend(pair.as_bytes());
        assert_eq!(presented(&headers(&[&bytes]), NAME), Presented::One(token));
    }

    #[test]
    fn malformed_oversized_and_foreign_values_are_nothing() {
        let long = format!("{NAME}={}", "A".repeat(5_000));
        for header in [
            "",
            NAME,
            "__Host-session=",
            "__Host-session=abc",
            "session=abc",
            &long,
            "__Host-session=%00;",
        ] {
            assert_eq!(presented(&headers(&[header.as_bytes()]), NAME), Presented::Nothing);
        }
    }

    #[test]
    fn the_same_token_twice_is_one_and_a_flood_is_too_many() {
        let (token, pair) = token();
        let twice = format!("{pair}; {pair}");
        assert_eq!(presented(&headers(&[twice.as_bytes()]), NAME), Presented::One(token));
        let flood: Vec<String> = (0..4).map(|_| self::token().1).collect();
        assert_eq!(presented(&headers(&[flood.join("; ").as_bytes()]), NAME), Presented::TooMany);
        let two = flood[..2].join("; ");
        assert!(
            matches!(presented(&headers(&[two.as_bytes()]), NAME), Presented::Several(all) if all.len() == 2)
        );
    }
}
