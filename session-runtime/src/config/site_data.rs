//! The data that browsers clear at a logout.

use http::HeaderValue;

/// A kind of data that browsers are asked to clear when a session ends (W3C Clear Site
/// Data §3.1); see [`SessionLayer::clear_site_data`](crate::SessionLayer::clear_site_data).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SiteData {
    /// The browser's cache for this origin. Clearing may take seconds.
    Cache,
    /// This origin's `localStorage`, IndexedDB, service workers and the like.
    Storage,
    /// All cookies of the registrable domain, including those of other applications on
    /// its sub-domains. The session cookie itself is removed without this.
    Cookies,
    /// Open documents of this origin: they are reloaded. Few browsers support this.
    ExecutionContexts,
}

impl SiteData {
    /// The cache and the storage, which may hold data of the ended session
    /// (OWASP ASVS 5.0, 14.3.1).
    pub const RECOMMENDED: [Self; 2] = [Self::Cache, Self::Storage];

    /// Returns the header value for `all`; `None` if it is empty.
    pub(crate) fn header(all: impl IntoIterator<Item = Self>) -> Option<HeaderValue> {
        let mut text = String::new();
        for one in all {
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(match one {
                Self::Cache => "\"cache\"",
                Self::Storage => "\"storage\"",
                Self::Cookies => "\"cookies\"",
                Self::ExecutionContexts => "\"executionContexts\"",
            });
        }
        if text.is_empty() { None } else { HeaderValue::try_from(text).ok() }
    }
}
