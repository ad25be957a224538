//! Detects pages that visibly came over plain HTTP.

use http::{HeaderMap, HeaderName, header};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FORWARDED: [HeaderName; 2] =
    [header::FORWARDED, HeaderName::from_static("x-forwarded-proto")];

/// Whether the browser itself shows that it uses plain HTTP, where it drops `Secure` cookies.
///
/// This server's side of the connection proves nothing: behind a proxy that terminates TLS every
/// request arrives over plain HTTP, and often no header tells what was in front of it. But a
/// browser sends the URL of the page that a request comes from, scheme included, in `Origin` or
/// `Referer`. If that is a page of this host over plain HTTP, so is the request itself, unless a
/// proxy header names https or there is a `Sec-Fetch-` header, which browsers send only over https
/// (and to the local host). A first visit comes from no page and proves nothing.
pub(crate) fn is_over_plain_http(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name)?.to_str().ok();
    let Some(page) = text(header::ORIGIN).or_else(|| text(header::REFERER)) else { return false };
    let Some(page) = page.strip_prefix("http://") else { return false };
    let authority = page.split(['/', '?', '#']).next().unwrap_or_default();
    let is_https = |name| {
        let mut values = headers.get_all(name).iter();
        values
            .any(|value| value.as_bytes().to_ascii_lowercase().windows(5).any(|it| it == b"https"))
    };
    text(header::HOST).is_some_and(|host| host.eq_ignore_ascii_case(authority))
        && !is_this_machine(authority)
        && !headers.contains_key(SEC_FETCH_SITE)
        && !FORWARDED.into_iter().any(is_https)
}

/// Whether the host is local: browsers other than Safari keep its `Secure` cookies on plain HTTP
/// (W3C Secure Contexts §3.1).
fn is_this_machine(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let name = host.to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    name == "localhost"
        || name.ends_with(".localhost")
        || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_over_plain_http(headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        super::is_over_plain_http(&map)
    }

    #[test]
    fn the_browsers_own_word_is_believed() {
        for (host, page) in [
            ("shop.example", "http://shop.example"),
            ("shop.example:8080", "http://shop.example:8080"),
            ("Shop.example", "http://shop.example"),
            ("192.168.1.7:3000", "http://192.168.1.7:3000"),
            ("[2001:db8::1]:3000", "http://[2001:db8::1]:3000"),
        ] {
            assert!(is_over_plain_http(&[("host", host), ("origin", page)]), "{page}");
        }
        let referer = [("host", "shop.example"), ("referer", "http://shop.example/a?b=https:")];
        assert!(is_over_plain_http(&referer));
        let forwarded = [("x-forwarded-proto", "http"), ("forwarded", "proto=http")];
        assert!(is_over_plain_http(&[&referer[..], &forwarded[..]].concat()));
    }

    #[test]
    fn nothing_else_is_and_no_proxy_raises_a_false_alarm() {
        let none: [&[(&'static str, &'static str)]; 10] = [
            &[],
            &[("host", "shop.example")],
            &[("host", "shop.example"), ("x-forwarded-proto", "http")],
            &[("host", "shop.example"), ("origin", "https://shop.example")],
            &[("host", "shop.example"), ("origin", "null")],
            // The page is on another host, whatever page links to this one.
            &[("host", "shop.example"), ("origin", "http://other.example")],
            &[("host", "shop.example:8443"), ("origin", "http://shop.example")],
            &[
                ("host", "shop.example"),
                ("origin", "http://shop.example"),
                ("sec-fetch-site", "cross-site"),
            ],
            &[
                ("host", "shop.example"),
                ("origin", "http://shop.example"),
                ("forwarded", "for=1.2.3.4;Proto=HTTPS"),
            ],
            &[
                ("host", "shop.example"),
                ("origin", "http://shop.example"),
                ("x-forwarded-proto", "https, http"),
            ],
        ];
        for headers in none {
            assert!(!is_over_plain_http(headers), "{headers:?}");
        }
        for (host, page) in [
            ("localhost:3000", "http://localhost:3000"),
            ("shop.localhost", "http://shop.localhost"),
            ("127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("127.9.9.9", "http://127.9.9.9"),
            ("[::1]:3000", "http://[::1]:3000"),
            ("[::1]", "http://[::1]"),
        ] {
            assert!(!is_over_plain_http(&[("host", host), ("origin", page)]), "{page}");
        }
        let outside = [("host", "localhost.example"), ("origin", "http://localhost.example")];
        assert!(is_over_plain_http(&outside));
    }
}
