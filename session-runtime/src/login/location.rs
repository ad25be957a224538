//! The redirect to the login page with the requested address, and the way back.

use http::{HeaderMap, Method, Uri};

use super::navigation::is_navigation;
use crate::config::LoginPages;
use crate::record::EndReason;

/// The longest address that is passed along: encoding triples it at worst, and servers
/// reject long request lines.
const LONGEST: usize = 2_048;

/// The requested method and address, recorded if a login page is configured.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    method: Method,
    uri: Uri,
}

impl Asked {
    pub(crate) fn of<B>(request: &http::Request<B>) -> Self {
        Self { method: request.method().clone(), uri: request.uri().clone() }
    }
}

/// Why a visitor is sent to the login page.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Why {
    /// Their session has ended.
    Ended(EndReason),
    /// They are signed in, and this proof is missing.
    Proof(&'static str),
}

/// Returns the URL to which a visitor is redirected who is not signed in, or not at the level
/// required; `None` to answer with 401 instead, because no page is configured or the request is
/// not a navigation.
pub(crate) fn location(
    pages: &LoginPages,
    asked: Option<&Asked>,
    headers: &HeaderMap,
    why: Option<Why>,
) -> Option<String> {
    let page = pages.of(asked.map_or("/", |asked| asked.uri.path()))?;
    if !is_navigation(headers) {
        return None;
    }
    // A redirect loses a posted body, and the address of a POST may not be a page.
    let asked = asked.filter(|asked| matches!(asked.method, Method::GET | Method::HEAD));
    let next = asked.and_then(|asked| next_of(&asked.uri));
    // Another host cannot redirect back to a local path.
    if names_a_host(page) {
        return Some(page.to_owned());
    }
    let why = match why {
        Some(Why::Ended(because)) => ("ended", Some(because.as_str())),
        Some(Why::Proof(name)) => ("proof", Some(name)),
        None => ("", None),
    };
    Some(with_query(page, [("next", next.as_deref()), why]))
}

/// Returns the path and query in ASCII, if they are local and not too long.
fn next_of(uri: &Uri) -> Option<String> {
    let asked = uri.path_and_query()?.as_str();
    let mut next = String::with_capacity(asked.len());
    encode(asked, &mut next, |byte| byte.is_ascii_graphic());
    local_path(&next).filter(|next| next.len() <= LONGEST)?;
    Some(next)
}

/// Returns whether `page` names a host, as in `//host` or `https://host`.
fn names_a_host(page: &str) -> bool {
    let before_path = page.split(['/', '?', '#']).next().unwrap_or_default();
    page.starts_with("//") || page.starts_with("/\\") || before_path.ends_with(':')
}

/// Adds the parameters that have a value to the query of `page`.
fn with_query(page: &str, parameters: [(&str, Option<&str>); 2]) -> String {
    let (page, fragment) = page.find('#').map_or((page, ""), |at| page.split_at(at));
    let mut location = page.to_owned();
    let mut separator = if page.contains('?') { '&' } else { '?' };
    for (name, value) in parameters {
        let Some(value) = value else { continue };
        location.push(std::mem::replace(&mut separator, '&'));
        location.push_str(name);
        location.push('=');
        // A form decodes `+` as a space, and `&` ends a value.
        let stays = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        encode(value, &mut location, stays);
    }
    location.push_str(fragment);
    location
}

/// Percent-encodes all bytes that do not satisfy `stays` (RFC 3986 §2.1).
fn encode(text: &str, into: &mut String, stays: fn(u8) -> bool) {
    for byte in text.bytes() {
        if stays(byte) {
            into.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            into.push('%');
            into.push(char::from(HEX[usize::from(byte >> 4)]));
            into.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// Returns `next` if it is a path on this host and therefore a safe redirect target;
/// `None` for everything else, such as URLs that an attacker put into a link.
///
/// [`login_redirect`](crate::SessionLayer::login_redirect) passes the requested address
/// along as `next`. After the sign-in, redirect the browser there:
///
/// ```
/// use session_runtime::local_path;
///
/// let next = Some("/orders?page=2"); // from the form, decoded
/// assert_eq!(next.and_then(local_path).unwrap_or("/"), "/orders?page=2");
///
/// for elsewhere in ["https://evil.example", "//evil.example", "/\\evil.example", "orders"] {
///     assert_eq!(local_path(elsewhere), None);
/// }
/// ```
///
/// A local path begins with exactly one `/` and consists of visible ASCII characters other
/// than `\`, because browsers treat `\` as `/` and ignore tabs and line breaks. It is also
/// a valid header value.
#[must_use]
pub fn local_path(next: &str) -> Option<&str> {
    let rest = next.strip_prefix('/')?;
    let is_local =
        !rest.starts_with('/') && rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    is_local.then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(pages: &LoginPages, method: Method, uri: &str) -> Option<String> {
        let asked = Asked { method, uri: uri.parse().unwrap() };
        super::location(pages, Some(&asked), &HeaderMap::new(), None)
    }

    #[test]
    fn the_address_asked_for_comes_along_encoded() {
        for (page, uri, expected) in [
            ("/login", "/orders", "/login?next=/orders"),
            ("/login", "/", "/login?next=/"),
            ("/login", "/a?b=1&c=d+e%20f", "/login?next=/a%3Fb%3D1%26c%3Dd%2Be%2520f"),
            ("/login?lang=de", "/a", "/login?lang=de&next=/a"),
            ("/#account", "/a", "/?next=/a#account"),
            ("/#a?b", "/a", "/?next=/a#a?b"),
            ("login", "/a", "login?next=/a"),
            ("/login", "https://shop.example/a?b", "/login?next=/a%3Fb"),
            ("/login", "/b\u{fc}cher", "/login?next=/b%25C3%25BCcher"),
            ("/login?to=a:b", "/a", "/login?to=a:b&next=/a"),
            ("/login", "//evil.example/x", "/login"),
            ("https://id.example/login", "/a", "https://id.example/login"),
            ("//id.example/login", "/a", "//id.example/login"),
        ] {
            let pages = LoginPages::default().everywhere(page);
            assert_eq!(location(&pages, Method::GET, uri).as_deref(), Some(expected), "{uri}");
        }
    }

    #[test]
    fn the_reason_comes_along_too() {
        let asked = Asked { method: Method::GET, uri: "/a?b".parse().unwrap() };
        let posted = Asked { method: Method::POST, ..asked.clone() };
        for (page, asked, expected) in [
            ("/login", &asked, "/login?next=/a%3Fb&ended=idle"),
            ("/login?lang=de#form", &asked, "/login?lang=de&next=/a%3Fb&ended=idle#form"),
            ("/login", &posted, "/login?ended=idle"),
            ("https://id.example/login", &asked, "https://id.example/login"),
        ] {
            let pages = LoginPages::default().everywhere(page);
            let because = Some(Why::Ended(EndReason::Idle));
            let location = super::location(&pages, Some(asked), &HeaderMap::new(), because);
            assert_eq!(location.as_deref(), Some(expected));
        }
        let pages = LoginPages::default().everywhere("/login");
        let proof = Some(Why::Proof("a&b"));
        let location = super::location(&pages, Some(&asked), &HeaderMap::new(), proof);
        assert_eq!(location.as_deref(), Some("/login?next=/a%3Fb&proof=a%26b"));
    }

    #[test]
    fn what_was_posted_and_what_is_too_long_does_not_come_along() {
        let pages = LoginPages::default().everywhere("/login");
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            assert_eq!(location(&pages, method, "/a").as_deref(), Some("/login"));
        }
        assert_eq!(location(&pages, Method::HEAD, "/a").as_deref(), Some("/login?next=/a"));
        let longest = format!("/{}", "a".repeat(LONGEST - 1));
        let expected = format!("/login?next={longest}");
        assert_eq!(location(&pages, Method::GET, &longest), Some(expected));
        assert_eq!(location(&pages, Method::GET, &(longest + "a")).as_deref(), Some("/login"));
    }

    #[test]
    fn the_page_of_the_longest_path_counts_and_a_path_may_have_none() {
        let pages = LoginPages::default()
            .below("/admin", Some("/admin/login"))
            .everywhere("/login")
            .below("/admin/api", None);
        for (uri, expected) in [
            ("/", Some("/login?next=/")),
            ("/administration", Some("/login?next=/administration")),
            ("/admin", Some("/admin/login?next=/admin")),
            ("/admin/users", Some("/admin/login?next=/admin/users")),
            ("/admin/api", None),
            ("/admin/api/users", None),
            ("/admin/apis", Some("/admin/login?next=/admin/apis")),
        ] {
            assert_eq!(location(&pages, Method::GET, uri).as_deref(), expected, "{uri}");
        }
        let pages = LoginPages::default().below("/admin", Some("/admin/login"));
        assert_eq!(location(&pages, Method::GET, "/"), None);
    }

    #[test]
    fn a_path_of_this_host_is_local_and_nothing_else_is() {
        for local in ["/", "/a", "/a/b?c=d&e=//f#g", "/a:b@c", "/%2F%2Fx", "/.//x", "/a//b"] {
            assert_eq!(local_path(local), Some(local));
        }
        for elsewhere in [
            "",
            "a",
            "a/b",
            "?a",
            "#a",
            ".",
            "..",
            "//",
            "//x",
            "///x",
            "/\\x",
            "\\\\x",
            "\\/x",
            "/a\\b",
            "https://x",
            "https:/x",
            "https:x",
            "javascript:x",
            "data:x",
            " /x",
            "/x ",
            "\t/x",
            "/\t/x",
            "/\n/x",
            "/\r/x",
            "/x\r\nSet-Cookie: a=b",
            "/\0",
            "/\u{7f}",
            "/ü",
            "/a b",
            "\u{ff0f}/x",
            "/\u{ff0f}x",
        ] {
            assert_eq!(local_path(elsewhere), None, "{elsewhere:?}");
        }
    }
}
