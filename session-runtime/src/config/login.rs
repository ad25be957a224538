//! The login pages to which visitors who are not signed in are redirected.

use super::error::SetupError;

/// The default login page, and the login pages of individual paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoginPages {
    everywhere: Option<String>,
    /// Pages for a path and everything below it; `None` for no page.
    below: Vec<(String, Option<String>)>,
}

impl LoginPages {
    pub(crate) fn everywhere(mut self, page: impl Into<String>) -> Self {
        self.everywhere = Some(page.into());
        self
    }

    pub(crate) fn below(mut self, path: impl Into<String>, page: Option<&str>) -> Self {
        self.below.push((path.into(), page.map(str::to_owned)));
        self
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.everywhere.is_none() && self.below.is_empty()
    }

    /// Returns the page for `path`: that of its longest configured prefix.
    pub(crate) fn of(&self, path: &str) -> Option<&str> {
        let around = self.below.iter().filter(|(above, _)| is_below(above, path));
        match around.max_by_key(|(above, _)| above.len()) {
            Some((_, page)) => page.as_deref(),
            None => self.everywhere.as_deref(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), SetupError> {
        let is_url = |page: &str| page.bytes().all(|byte| byte.is_ascii_graphic());
        let problem = "a URL of visible ASCII characters; write others as `%C3%BC`";
        if !self.everywhere.as_deref().is_none_or(is_url) {
            return Err(SetupError::setting("login_redirect", problem));
        }
        if !self.below.iter().all(|(_, page)| page.as_deref().is_none_or(is_url)) {
            return Err(SetupError::setting("login_redirect_for", problem));
        }
        if !self.below.iter().all(|(path, _)| path.starts_with('/')) {
            let problem = "paths that begin with `/`, such as `/admin`";
            return Err(SetupError::setting("login_redirect_for", problem));
        }
        Ok(())
    }
}

/// Returns whether `path` is `above` or below it.
pub(super) fn is_below(above: &str, path: &str) -> bool {
    let rest = path.strip_prefix(above);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || above.ends_with('/'))
}
