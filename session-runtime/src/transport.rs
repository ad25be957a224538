//! How a client sends the token of its session: in a cookie, or as a bearer token.

use std::fmt;

use http::{HeaderMap, header};
use serde::{Serialize, Serializer};

/// How the client of a request sends the token of its session.
///
/// A token is bound to the way in which it was handed out: the token of a cookie opens nothing as
/// a bearer token, nor the other way round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// In the layer's cookie, as browsers do by themselves.
    #[default]
    Cookie,
    /// In the header `Authorization: Bearer …` (RFC 6750 §2.1), as applications and command lines
    /// do. No browser sends it by itself, so such a request needs no protection from CSRF.
    Bearer,
}

/// The ways in which the clients of a layer may send their tokens; see
/// [`SessionLayer::transports`](crate::SessionLayer::transports).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transports {
    /// Only in the cookie. `Authorization` is ignored.
    #[default]
    Cookie,
    /// Only as a bearer token. Cookies are ignored, and none is set.
    Bearer,
    /// A request with `Authorization: Bearer …` has that session or none, whatever its cookies.
    /// Any other request has the session of its cookie.
    Both,
}

impl Transports {
    /// Returns the transport of a request with these headers.
    pub(crate) fn of(self, headers: &HeaderMap) -> Transport {
        match self {
            Self::Cookie => Transport::Cookie,
            Self::Bearer => Transport::Bearer,
            Self::Both if credentials(headers).next().is_some() => Transport::Bearer,
            Self::Both => Transport::Cookie,
        }
    }

    pub(crate) const fn accepts_cookie(self) -> bool {
        matches!(self, Self::Cookie | Self::Both)
    }

    pub(crate) const fn accepts_bearer(self) -> bool {
        matches!(self, Self::Bearer | Self::Both)
    }

    /// Returns the request headers that decide about the session of a request with `transport`.
    pub(crate) const fn vary(self, transport: Transport) -> &'static [&'static str] {
        match (self, transport) {
            (Self::Cookie, _) => &["Cookie"],
            (Self::Bearer, _) | (Self::Both, Transport::Bearer) => &["Authorization"],
            (Self::Both, Transport::Cookie) => &["Authorization", "Cookie"],
        }
    }
}

/// Returns the text of the request's bearer token. More than one counts as none: a proxy may have
/// checked the other one.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = credentials(headers);
    let text = all.next()?;
    if all.next().is_some() {
        return None;
    }
    std::str::from_utf8(text).ok()
}

/// Iterates over what follows `Bearer` in `Authorization` headers, well-formed or not. The scheme
/// is case-insensitive (RFC 9110 §11.1).
pub(crate) fn credentials(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    const SCHEME: &[u8] = b"bearer";
    headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, rest) = value.as_bytes().split_at_checked(SCHEME.len())?;
        let ends = rest.first().is_none_or(|next| *next == b' ');
        (ends && scheme.eq_ignore_ascii_case(SCHEME)).then(|| rest.trim_ascii())
    })
}

/// The token of a session, for a client that sends it as `Authorization: Bearer …`. It is the
/// credential: send it only in the body of the response to that client.
///
/// Serializes as its text; `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(String);

impl BearerToken {
    pub(crate) const fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(redacted)")
    }
}

impl Serialize for BearerToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers
                .append(header::AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn the_scheme_is_found_in_any_case_and_another_one_is_none() {
        for value in ["Bearer abc", "bearer abc", "BEARER  abc ", "bEaReR abc"] {
            assert_eq!(bearer(&headers(&[value])), Some("abc"), "{value}");
            assert_eq!(Transports::Both.of(&headers(&[value])), Transport::Bearer, "{value}");
        }
        for value in ["Basic abc", "Bearerabc", "Bearer\tabc", "", "abc", " Bearer abc"] {
            assert_eq!(bearer(&headers(&[value])), None, "{value}");
            assert_eq!(Transports::Both.of(&headers(&[value])), Transport::Cookie, "{value}");
        }
    }

    /// Otherwise a cookie would be used in place of a token that is wrong.
    #[test]
    fn a_malformed_token_is_a_bearer_token_all_the_same() {
        for values in [&["Bearer"][..], &["Bearer "], &["Bearer \u{fc}"], &["Bearer a", "bearer b"]]
        {
            assert_eq!(Transports::Both.of(&headers(values)), Transport::Bearer, "{values:?}");
        }
        assert_eq!(bearer(&headers(&["Bearer a", "Bearer a"])), None);
        assert_eq!(bearer(&headers(&["Basic a", "Bearer b"])), Some("b"));
        assert_eq!(bearer(&headers(&["Bearer"])), Some(""));
    }

    #[test]
    fn what_shows_a_token_is_only_what_exposes_it() {
        let token = BearerToken::new("secret".to_owned());
        assert_eq!(format!("{token:?}"), "BearerToken(redacted)");
        assert_eq!(serde_json::to_string(&token).unwrap(), "\"secret\"");
        assert_eq!(token.expose(), "secret");
    }
}
