//! Turns a change of the cookie into response headers.

use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::clock::Timestamp;
use crate::config::{Config, SetCookie};
use crate::record::MAX_LIFETIME;
use crate::session::{CookieChange, State};
use crate::token::SessionToken;

/// Adds `Set-Cookie` and forbids caches to store the response.
pub(crate) fn apply_to(
    headers: &mut HeaderMap,
    cookie: &SetCookie,
    change: &CookieChange,
    write_text: impl FnOnce(&SessionToken, &mut String),
    now: impl FnOnce() -> Timestamp,
) {
    let (token, here, max_age) = match change {
        CookieChange::Set { token, expires } => {
            let left = expires.map(|end| end.since(now()).min(MAX_LIFETIME).as_secs());
            (Some(token), "1", left)
        }
        CookieChange::Remove => (None, "", Some(0)),
    };
    let mut send = |text: String| {
        // The configuration is validated and a token is base64, so this is always a valid header
        // value.
        if let Ok(mut cookie) = HeaderValue::try_from(text) {
            cookie.set_sensitive(true);
            headers.append(header::SET_COOKIE, cookie);
        }
    };
    let value = |header: &mut String| {
        if let Some(token) = token {
            write_text(token, header);
        }
    };
    send(cookie.own.with(SessionToken::TEXT, value, max_age));
    if let Some(marker) = &cookie.marker {
        send(marker.with(here.len(), |header| header.push_str(here), max_age));
    }
    forbid_caching(headers);
}

/// Applies the settings for responses to a signed-in user, or to one who has just signed out.
pub(crate) fn guard(headers: &mut HeaderMap, config: &Config, state: &State) {
    let signed_in = || state.record().is_some_and(|record| record.meta.principal.is_some());
    if config.no_store_when_signed_in && state.read && signed_in() {
        forbid_caching(headers);
    }
    if let Some(what) = &config.clear_site_data
        && (state.signed_out || matches!(state.cookie, Some(CookieChange::Remove)))
        && !headers.contains_key(CLEAR_SITE_DATA)
    {
        headers.insert(CLEAR_SITE_DATA, what.clone());
    }
}

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// Forbids all caches to store the response: those that obey `Cache-Control`, and those that prefer
/// a field of their own, such as `CDN-Cache-Control` (RFC 9213) or `Surrogate-Control` (Edge
/// Architecture Specification).
pub(crate) fn forbid_caching(headers: &mut HeaderMap) {
    let names = headers
        .keys()
        .filter(|name| name.as_str().ends_with("-cache-control") || *name == "surrogate-control");
    for name in names.cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Marks the response as dependent on these request headers, which carry the token, so that no
/// shared cache serves it to another client.
pub(crate) fn vary_on(carriers: &[&'static str], headers: &mut HeaderMap) {
    for carrier in carriers {
        let names = |value: &HeaderValue| {
            value.to_str().is_ok_and(|list| {
                list.split(',')
                    .map(str::trim)
                    .any(|name| name == "*" || name.eq_ignore_ascii_case(carrier))
            })
        };
        let carrier = HeaderValue::from_static(carrier);
        match headers.entry(header::VARY) {
            Entry::Vacant(entry) => drop(entry.insert(carrier)),
            Entry::Occupied(entry) if entry.iter().any(names) => {}
            Entry::Occupied(mut entry) => entry.append(carrier),
        }
    }
}

/// Keeps shared caches from storing the response, unless the handler has said what they may do.
pub(crate) fn keep_private(headers: &mut HeaderMap) {
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private"));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{CookieConfig, CookiePrefix};

    fn header(config: &CookieConfig, change: &CookieChange) -> String {
        let mut headers = HeaderMap::new();
        let now = Timestamp::from_millis(0);
        apply_to(&mut headers, &SetCookie::of(config), change, SessionToken::write_to, || now);
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        headers[header::SET_COOKIE].to_str().unwrap().to_owned()
    }

    fn sorted(cookie: &str) -> Vec<&str> {
        let mut parts: Vec<_> = cookie.split("; ").collect();
        parts[1..].sort_unstable();
        parts
    }

    #[test]
    fn the_default_cookie_is_the_strict_one() {
        let token = SessionToken::generate().unwrap();
        let pair = format!("__Host-session={}", token.expose());
        let set = header(&CookieConfig::default(), &CookieChange::Set { token, expires: None });
        assert_eq!(sorted(&set), [pair.as_str(), "HttpOnly", "Path=/", "SameSite=Lax", "Secure"]);
    }

    #[test]
    fn a_remembered_session_is_kept_at_most_400_days() {
        let set = |seconds| {
            let token = SessionToken::generate().unwrap();
            let end = Timestamp::default().after(Duration::from_secs(seconds));
            header(&CookieConfig::default(), &CookieChange::Set { token, expires: Some(end) })
        };
        assert!(set(60).contains("; Max-Age=60"));
        assert!(set(u64::MAX / 2_000).contains("; Max-Age=34560000"));
    }

    #[test]
    fn the_removal_cookie_matches_the_one_it_removes() {
        let config = CookieConfig::builder()
            .name("sid")
            .prefix(CookiePrefix::Secure)
            .path("/shop")
            .domain("example.org")
            .build()
            .unwrap();
        let removal = header(&config, &CookieChange::Remove);
        let attributes = [
            "__Secure-sid=",
            "Domain=example.org",
            "HttpOnly",
            "Max-Age=0",
            "Path=/shop",
            "SameSite=Lax",
            "Secure",
        ];
        assert_eq!(sorted(&removal), attributes);
    }

    #[test]
    fn no_word_of_the_handler_has_a_cache_keep_a_cookie() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("cache-control", "public, max-age=600"),
            ("cache-control", "s-maxage=600"),
            ("cdn-cache-control", "max-age=600"),
            ("cdn-cache-control", "public"),
            ("cloudflare-cdn-cache-control", "max-age=600"),
            ("surrogate-control", "max-age=600"),
            ("x-cache", "MISS"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let now = Timestamp::from_millis(0);
        let cookie = SetCookie::of(&CookieConfig::default());
        apply_to(&mut headers, &cookie, &CookieChange::Remove, SessionToken::write_to, || now);
        headers.remove(header::SET_COOKIE);
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let mut left: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        left.sort_unstable();
        let left: Vec<_> = left.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(left, [("cache-control", "no-store"), ("x-cache", "MISS")]);
    }

    #[test]
    fn caches_are_told_once_and_a_handlers_own_word_stays() {
        let vary_on = |carriers: &[&'static str], headers: &mut HeaderMap| {
            vary_on(carriers, headers);
            keep_private(headers);
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::VARY, HeaderValue::from_static("Accept, cookie"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=5"));
        vary_on(&["Cookie"], &mut headers);
        assert_eq!(headers.get_all(header::VARY).iter().count(), 1);
        assert_eq!(headers[header::CACHE_CONTROL], "max-age=5");
        headers.insert(header::VARY, HeaderValue::from_static("*"));
        vary_on(&["Cookie"], &mut headers);
        assert_eq!(headers.get_all(header::VARY).iter().count(), 1);
        let mut other = HeaderMap::new();
        other.insert(header::VARY, HeaderValue::from_static("Accept"));
        vary_on(&["Cookie"], &mut other);
        assert_eq!(other.get_all(header::VARY).iter().collect::<Vec<_>>(), ["Accept", "Cookie"]);
        let mut fresh = HeaderMap::new();
        vary_on(&["Cookie"], &mut fresh);
        assert_eq!(fresh[header::VARY], "Cookie");
        assert_eq!(fresh[header::CACHE_CONTROL], "private");
    }
}
