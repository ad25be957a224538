//! Takes over sessions that tower-sessions wrote.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;

use http::HeaderValue;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::axum_login::AxumLogin;
#[cfg(feature = "axum-login")]
use super::axum_login::Keeps;
use super::below::{failed, is_ours};
use super::their_core::SessionStore as Theirs;
use super::their_core::session::{Id, Record};
use super::times;
use crate::clock::Clock;
use crate::config::{CookieConfig, CookiePrefix, SetupError};
use crate::legacy::{Legacy, LegacyFields};
use crate::store::{StoreError, StoreErrorKind, StoreFuture};

type Data = HashMap<String, Value>;
type Map = dyn Fn(Data) -> Data + Send + Sync;
type CookieValue = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Takes over the sessions of an application that used
#[doc = concat!("`tower-sessions` ", version!(), ",")]
/// for [`SessionLayer::adopt`](crate::SessionLayer::adopt).
///
/// ```
/// use session_runtime::{SessionLayer, SessionSchema, store::MemoryStore};
#[doc = concat!("use session_runtime::", module!(), "::TowerSessionsLegacy;")]
#[doc = concat!("# use ", their_crate!(), "::SessionStore;")]
///
/// #[derive(SessionSchema)]
/// struct Visitor {
///     #[session(principal)]
///     user_id: Option<u64>,
/// }
///
/// # fn layer(their_store: impl SessionStore) -> SessionLayer {
/// let legacy = TowerSessionsLegacy::new(their_store).map(|mut data| {
///     // A key whose name differs from the field's, or a nested one.
///     if let Some(user) = data.remove("user") {
///         data.insert("user_id".to_owned(), user);
///     }
///     data
/// });
/// SessionLayer::new(MemoryStore::new()).schema::<Visitor>().adopt(legacy)
/// # }
/// ```
///
/// Each tower-sessions key is the stored name of a field, unless [`map`](Self::map) renames it;
/// keys without a field are kept. Sessions that `TowerSessionsStore` keeps in the same store are
/// neither taken over nor deleted.
pub struct TowerSessionsLegacy<T> {
    store: T,
    name: String,
    path: String,
    domain: Option<String>,
    cookie_value: Box<CookieValue>,
    map: Box<Map>,
    login: Option<AxumLogin>,
}

impl<T: Theirs> TowerSessionsLegacy<T> {
    /// Takes over the sessions in `store`, with the default cookie of tower-sessions: `id`, path
    /// `/`.
    pub fn new(store: T) -> Self {
        let (name, path) = ("id".to_owned(), "/".to_owned());
        let cookie_value = Box::new(|value: &str| Some(value.to_owned()));
        let map = Box::new(|data| data);
        Self { store, name, path, domain: None, cookie_value, map, login: None }
    }

    /// Sets the name of the tower-sessions cookie, including its prefix. The layer rejects a name
    /// that no browser sends, and the name of its own cookie.
    ///
    /// # Default
    ///
    /// `id`, as in tower-sessions.
    #[must_use]
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the path and domain that the tower-sessions cookie was set with: a browser removes it
    /// only if they match.
    ///
    /// # Default
    ///
    /// `/`, and no domain.
    ///
    /// # Errors
    ///
    /// If they are not valid in a cookie.
    pub fn cookie_scope(mut self, path: &str, domain: Option<&str>) -> Result<Self, SetupError> {
        let mut check = CookieConfig::builder().prefix(CookiePrefix::None).path(path);
        if let Some(domain) = domain {
            check = check.domain(domain);
        }
        check.build()?;
        (self.path, self.domain) = (path.to_owned(), domain.map(str::to_owned));
        Ok(self)
    }

    /// Sets the function that reads the session's id from the cookie's value, for a
    /// tower-sessions layer that signed or encrypted its cookies. It gets the value as the browser
    /// sent it, and returns `None` for one that is not genuine.
    ///
    /// # Default
    ///
    /// The value is the id.
    #[must_use]
    pub fn cookie_value(
        mut self,
        read: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.cookie_value = Box::new(read);
        self
    }

    /// Sets the function that maps the keys of a session: what `map` returns is stored under the
    /// names that it has there.
    ///
    /// # Default
    ///
    /// Every key as it is.
    #[must_use]
    pub fn map(mut self, map: impl Fn(Data) -> Data + Send + Sync + 'static) -> Self {
        self.map = Box::new(map);
        self
    }

    /// Reads the signed-in user as axum-login stored it: moves the user's id from its entry,
    /// `axum-login.data`, to `field`, the stored name of the principal. If the axum-login layer was
    /// given another `data_key`, rename that with [`map`](Self::map), which runs first.
    ///
    /// `hash_of` returns the user's current `session_auth_hash`, or `None` for a user who no longer
    /// exists. As in axum-login, a session with another hash is not taken over, so sessions from
    /// before a password change stay ended. If the application itself has a key named like `field`,
    /// that key is dropped; drop one that is named like an alias of it with `map`.
    ///
    /// ```
    /// use session_runtime::legacy::Legacy;
    #[doc = concat!("use session_runtime::", module!(), "::TowerSessionsLegacy;")]
    #[doc = concat!("# use ", their_crate!(), "::SessionStore;")]
    /// # struct User;
    /// # impl User { fn session_auth_hash(&self) -> &[u8] { b"" } }
    /// # async fn find(id: i64) -> std::io::Result<Option<User>> { Ok((id > 0).then_some(User)) }
    ///
    /// # fn legacy(their_store: impl SessionStore) -> impl Legacy {
    /// TowerSessionsLegacy::new(their_store).axum_login("user_id", |id: i64| async move {
    ///     let user: Option<User> = find(id).await?;
    ///     Ok(user.map(|user| user.session_auth_hash().to_vec()))
    /// })
    /// # }
    /// ```
    ///
    /// # Default
    ///
    /// No entry is read; every key is the name of a field.
    ///
    /// # Errors
    ///
    /// None here. If `hash_of` fails, or the id has another type, the request with the old cookie
    /// fails, and the session is left for the next one.
    #[must_use]
    pub fn axum_login<U, F>(
        mut self,
        field: impl Into<String>,
        hash_of: impl Fn(U) -> F + Send + Sync + 'static,
    ) -> Self
    where
        U: DeserializeOwned,
        F: Future<Output = Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        self.login = Some(AxumLogin::new(field.into(), hash_of));
        self
    }

    /// Keeps something of the user's `session_auth_hash` in the session, and drops keys that are
    /// other names of the field.
    #[cfg(feature = "axum-login")]
    #[allow(dead_code)] // In 0.15.
    pub(crate) fn keeping(mut self, keeps: Keeps, aliases: &'static [&'static str]) -> Self {
        if let Some(login) = &mut self.login {
            (login.keeps, login.aliases) = (Some(keeps), aliases);
        }
        self
    }
}

impl<T: Theirs> Legacy for TowerSessionsLegacy<T> {
    fn cookie_name(&self) -> &str {
        &self.name
    }

    fn removal(&self) -> HeaderValue {
        // Browsers reject a cookie with such a name without these (6265bis §4.1.3).
        let name = self.name.to_ascii_lowercase();
        let is_host = name.starts_with("__host-");
        let (path, domain) = match is_host {
            true => ("/", None),
            false => (self.path.as_str(), self.domain.as_deref()),
        };
        let mut text = format!("{}=; Path={path}; Max-Age=0", self.name);
        if let Some(domain) = domain {
            text.push_str("; Domain=");
            text.push_str(domain);
        }
        if is_host || name.starts_with("__secure-") {
            text.push_str("; Secure");
        }
        // The layer rejects other names before it asks.
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }

    fn credential(&self, value: &str) -> Option<String> {
        let id: Id = (self.cookie_value)(value)?.parse().ok()?;
        Some(id.to_string())
    }

    fn load<'a>(
        &'a self,
        credential: &'a str,
    ) -> StoreFuture<'a, Result<Option<LegacyFields>, StoreError>> {
        StoreFuture::new(async move {
            let Ok(id) = credential.parse() else { return Ok(None) };
            let found = self.store.load(&id).await.map_err(failed)?;
            // The store may return expired sessions until it removes them. A session of ours in the
            // same store must not be opened: its key is derived from a public id.
            let now = Clock::system().now();
            let is_theirs = |it: &Record| !is_ours(it) && times::ours(it.expiry_date) > now;
            let Some(record) = found.filter(is_theirs) else { return Ok(None) };
            let mut data = (self.map)(record.data);
            if let Some(login) = &self.login
                && !login.move_user(&mut data).await?
            {
                return Ok(None);
            }
            let fields = data.into_iter().map(|(name, value)| {
                let unreadable = |_| StoreError::new(StoreErrorKind::Corrupt);
                Ok((name, serde_json::to_vec(&value).map_err(unreadable)?))
            });
            fields.collect::<Result<_, _>>().map(Some)
        })
    }

    fn delete<'a>(&'a self, credential: &'a str) -> StoreFuture<'a, Result<(), StoreError>> {
        StoreFuture::new(async move {
            let Ok(id) = credential.parse() else { return Ok(()) };
            // It may have changed since the load, or between two deployments.
            let found = self.store.load(&id).await.map_err(failed)?;
            if found.as_ref().is_some_and(is_ours) {
                return Ok(());
            }
            self.store.delete(&id).await.map_err(failed)
        })
    }
}

impl<T> fmt::Debug for TowerSessionsLegacy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TowerSessionsLegacy")
            .field("cookie_name", &self.name)
            .finish_non_exhaustive()
    }
}
