//! Detects requests whose browser may have a session cookie that it did not send.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::config::{CookieConfig, SameSite};

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Whether the lack of a session cookie proves nothing, because the request comes from another site
/// and `SameSite` may have withheld the cookie (RFC 6265bis §5.6.7.1).
///
/// Without `Sec-Fetch-Site` (plain HTTP, old browsers, other clients) the cookie is taken as
/// missing.
pub(crate) fn may_be_withheld(headers: &HeaderMap, config: &CookieConfig, safe: bool) -> bool {
    let is = |name: &HeaderName, value: &str| headers.get(name).is_some_and(|it| it == value);
    if !is(&SITE, "cross-site") {
        return false;
    }
    let opens_a_page = safe && is(&MODE, "navigate") && is(&DEST, "document");
    match config.same_site {
        SameSite::None => false,
        SameSite::Lax => !opens_a_page,
        // A link from another site comes without the strict cookie but with its marker.
        SameSite::Strict => !opens_a_page || has_marker(headers, config),
    }
}

fn has_marker(headers: &HeaderMap, config: &CookieConfig) -> bool {
    let name = config.marker();
    let is_marker = |pair: &str| pair.trim().split_once('=').is_some_and(|(it, _)| it == name);
    let pairs = |value: &HeaderValue| value.to_str().is_ok_and(|it| it.split(';').any(is_marker));
    headers.get_all(header::COOKIE).iter().any(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn withheld(site: SameSite, safe: bool, headers: &[(&str, &str)]) -> bool {
        let config = CookieConfig::builder().same_site(site).build().unwrap();
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap())
        });
        may_be_withheld(&headers.collect(), &config, safe)
    }

    #[test]
    fn what_same_site_keeps_back_is_withheld_and_nothing_else() {
        use SameSite::{Lax, None, Strict};

        let page = ["cross-site", "navigate", "document"];
        let frame = ["cross-site", "navigate", "iframe"];
        let fetch = ["cross-site", "cors", "empty"];
        for (site, safe, [from, mode, dest], expected) in [
            (Lax, true, page, false),
            (Lax, false, page, true),
            (Lax, true, frame, true),
            (Lax, true, fetch, true),
            (Lax, false, fetch, true),
            (Lax, false, ["same-site", "navigate", "document"], false),
            (Lax, false, ["same-origin", "cors", "empty"], false),
            (Lax, false, ["none", "navigate", "document"], false),
            (Strict, true, page, false),
            (Strict, false, page, true),
            (Strict, true, fetch, true),
            (Strict, true, ["same-origin", "navigate", "document"], false),
            (None, false, page, false),
            (None, true, fetch, false),
        ] {
            let headers =
                [("sec-fetch-site", from), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
            assert_eq!(withheld(site, safe, &headers), expected, "{site:?} {safe} {headers:?}");
        }
        assert!(!withheld(Lax, false, &[]), "clients that say nothing");
        assert!(withheld(Lax, true, &[("sec-fetch-site", "cross-site")]), "no navigation");
    }

    #[test]
    fn the_marker_of_a_strict_cookie_says_that_there_is_one() {
        let page = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        for (cookie, expected) in [
            ("__Host-session-here=1", true),
            ("a=b; __Host-session-here=1", true),
            ("__Host-session-here-not=1; x__Host-session-here=1; __Host-session-here", false),
            ("session-here=1", false),
        ] {
            let headers = [&page[..], &[("cookie", cookie)]].concat();
            assert_eq!(withheld(SameSite::Strict, true, &headers), expected, "{cookie}");
        }
    }
}
