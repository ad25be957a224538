//! Detection of browser navigations, whose response the user sees as a page.

use http::{HeaderMap, HeaderName, header};

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// Returns whether the request is probably a browser navigation. Requests by scripts
/// (`fetch`, `XMLHttpRequest`), for images or sockets, and by clients that ask for JSON are
/// not.
///
/// Browsers send `Sec-Fetch-Mode` (W3C Fetch Metadata), unless they are old or the page
/// came over plain http. Then `Accept` decides: a navigating browser asks for HTML by name
/// (RFC 9110 §12.5.1).
pub(super) fn is_navigation(headers: &HeaderMap) -> bool {
    if let Some(mode) = headers.get(SEC_FETCH_MODE) {
        return mode.as_bytes().trim_ascii() == b"navigate";
    }
    // Scripts send it. So do Android web views, with every request: the value is then the
    // name of their application, which contains dots.
    let by_script = |value: &http::HeaderValue| !value.as_bytes().contains(&b'.');
    if headers.get(X_REQUESTED_WITH).is_some_and(by_script) {
        return false;
    }
    // Every browser sends it; a test or a simple client may not, and then accepts anything.
    if !headers.contains_key(header::ACCEPT) {
        return true;
    }
    let (mut html, mut json) = (0, 0);
    for line in headers.get_all(header::ACCEPT) {
        for range in line.to_str().into_iter().flat_map(|line| unquoted(line, ',')) {
            let Some((kind, weight)) = media_range(range) else { continue };
            match kind.as_str() {
                "text/html" | "application/xhtml+xml" | "text/*" => html = html.max(weight),
                "application/json" => json = json.max(weight),
                _ if kind.ends_with("+json") => json = json.max(weight),
                _ => {}
            }
        }
    }
    html > 0 && html >= json
}

/// Returns the type in lower case, and its weight in thousandths; `None` if malformed.
fn media_range(range: &str) -> Option<(String, u16)> {
    let mut parts = unquoted(range, ';').map(trim);
    let kind = parts.next().filter(|kind| kind.contains('/'))?.to_ascii_lowercase();
    let weight = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        trim(name).eq_ignore_ascii_case("q").then_some(trim(value))
    });
    Some((kind, weight.map_or(Some(1_000), thousandths)?))
}

/// Parses a weight such as `0`, `0.5` or `1.000` (RFC 9110 §12.4.2).
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match (whole, fraction) {
        ("0", fraction) => Some(fraction),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}

/// Splits at separators outside quoted strings (RFC 9110 §5.6.4).
fn unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        let separates = c == separator && !quoted;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        separates
    })
}

/// Trims optional white space (RFC 9110 §5.6.3).
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_navigation(headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        super::is_navigation(&map)
    }

    const CHROMIUM: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7";

    #[test]
    fn what_the_browser_says_of_itself_counts_whatever_else_it_sends() {
        for (mode, is) in [
            ("navigate", true),
            (" navigate", true),
            ("cors", false),
            ("no-cors", false),
            ("same-origin", false),
            ("websocket", false),
            ("", false),
            ("NAVIGATE", false),
        ] {
            assert_eq!(is_navigation(&[("sec-fetch-mode", mode), ("accept", CHROMIUM)]), is);
            assert_eq!(is_navigation(&[("sec-fetch-mode", mode)]), is, "{mode}");
        }
        // A web view names its application.
        let view = [("sec-fetch-mode", "navigate"), ("x-requested-with", "com.example.app")];
        assert!(is_navigation(&view));
    }

    #[test]
    fn scripts_that_say_so_do_not_navigate() {
        for value in ["XMLHttpRequest", "xmlhttprequest", "fetch", ""] {
            assert!(!is_navigation(&[("x-requested-with", value), ("accept", CHROMIUM)]));
            assert!(!is_navigation(&[("x-requested-with", value)]), "{value}");
        }
        assert!(is_navigation(&[("x-requested-with", "com.example.app"), ("accept", CHROMIUM)]));
        assert!(!is_navigation(&[("x-requested-with", "com.example.app"), ("accept", "*/*")]));
    }

    #[test]
    fn without_either_a_navigation_asks_for_html_and_not_rather_for_json() {
        assert!(is_navigation(&[]));
        for accept in [
            CHROMIUM,
            "text/html",
            "TEXT/HTML",
            " text/html ;q=0.1",
            "text/*",
            "application/xhtml+xml",
            "text/html;level=\"1,2;q=0\"",
            "text/html;x=\"a\\\"b,\";q=0.5, application/json;q=0.4",
            "application/json, text/html",
            "application/json;q=0.9, text/html",
            "application/json;q=2, text/html;q=0.1",
            "text/html;Q=0.5",
            "text/html;q=\t0.001",
        ] {
            assert!(is_navigation(&[("accept", accept)]), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "application/json",
            "application/json, text/plain, */*",
            "application/json, text/html;q=0.9",
            "application/vnd.api+json, text/html;q=0.999",
            "text/html;q=0",
            "text/html;q=0.000",
            "text/html;q=1.001",
            "text/html;q=x",
            "text/html;q=",
            "text/html;q=0.0001",
            "text/html;q=-1",
            "text/event-stream",
            "image/avif,image/webp,*/*;q=0.8",
            "html",
            "x=\"text/html, text/html\"",
        ] {
            assert!(!is_navigation(&[("accept", accept)]), "{accept}");
        }
        assert!(is_navigation(&[("accept", "application/json"), ("accept", "text/html")]));
    }
}
