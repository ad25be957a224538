//! What a browser forgets of a site at a logout.

use http::HeaderValue;

/// What a browser is asked to forget when a session ends (W3C Clear Site Data §3.1); see
/// [`SessionLayer::clear_site_data`](crate::SessionLayer::clear_site_data).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SiteData {
    /// What it cached of this origin. May take it seconds.
    Cache,
    /// `localStorage`, IndexedDB, service workers and the like, of this origin.
    Storage,
    /// All cookies of the whole registrable domain, those of other applications on its
    /// sub-domains included. The session's own cookie is removed without this.
    Cookies,
    /// Open documents of this origin: they are loaded again. Few browsers do it.
    ExecutionContexts,
}

impl SiteData {
    /// The cache and the storage: what may show something of the session that has ended
    /// (OWASP ASVS 5.0, 14.3.1).
    pub const USUAL: [Self; 2] = [Self::Cache, Self::Storage];

    /// The header for all of these; `None` for none.
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
