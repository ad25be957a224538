//! Sessions that tower-sessions wrote, taken over.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;

use http::HeaderValue;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::axum_login::AxumLogin;
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

/// The sessions of an application that used
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
///     // Keys with another name than the field, or inside of something else.
///     if let Some(user) = data.remove("user") {
///         data.insert("user_id".to_owned(), user);
///     }
///     data
/// });
/// SessionLayer::new(MemoryStore::new()).schema::<Visitor>().adopt(legacy)
/// # }
/// ```
///
/// A key of theirs is the stored name of a field, unless
/// [`map`](Self::map) says otherwise; one that no field has is kept. What
/// `TowerSessionsStore` keeps in the same store is no session of theirs, and is
/// neither taken over nor deleted.
pub struct TowerSessionsLegacy<T> {
    store: T,
    name: String,
    path: String,
    domain: Option<String>,
    map: Box<Map>,
    login: Option<AxumLogin>,
}

impl<T: Theirs> TowerSessionsLegacy<T> {
    /// The sessions in `store`, with their default cookie: `id`, path `/`.
    pub fn new(store: T) -> Self {
        let (name, path) = ("id".to_owned(), "/".to_owned());
        Self { store, name, path, domain: None, map: Box::new(|data| data), login: None }
    }

    /// The name of their cookie, its prefix included. The layer refuses one that no browser
    /// sends, and that of its own cookie.
    ///
    /// # Default
    ///
    /// `id`, as theirs.
    #[must_use]
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The path and domain that their cookie was set with: without them a
    /// browser does not remove it.
    ///
    /// # Default
    ///
    /// `/`, and no domain.
    ///
    /// # Errors
    ///
    /// If they cannot stand in a cookie.
    pub fn cookie_scope(mut self, path: &str, domain: Option<&str>) -> Result<Self, SetupError> {
        let mut check = CookieConfig::builder().prefix(CookiePrefix::None).path(path);
        if let Some(domain) = domain {
            check = check.domain(domain);
        }
        check.build()?;
        (self.path, self.domain) = (path.to_owned(), domain.map(str::to_owned));
        Ok(self)
    }

    /// What becomes of the keys of a session: whatever `map` returns is stored
    /// under these names.
    ///
    /// # Default
    ///
    /// Every key as it is.
    #[must_use]
    pub fn map(mut self, map: impl Fn(Data) -> Data + Send + Sync + 'static) -> Self {
        self.map = Box::new(map);
        self
    }

    /// Reads who is signed in as axum-login stored it: the user's id goes from its
    /// entry, `axum-login.data`, into `field`, the stored name of the principal. If its
    /// layer was given a `data_key` of another name, [`map`](Self::map), which comes first,
    /// can rename that.
    ///
    /// `hash_of` answers with the `session_auth_hash` that the user has now, and `None` for a
    /// user who is no more. A session that was signed in with another one is not taken over,
    /// as axum-login would end it: so sessions from before a change of the password stay
    /// ended. A key of the application's own that has the name of `field` is dropped.
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
    /// No entry is read; the keys are the names of fields.
    ///
    /// # Errors
    ///
    /// None here. If `hash_of` fails, or the id is of another type, so does the request that
    /// has the old cookie, and the session is left for the next one.
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
}

impl<T: Theirs> Legacy for TowerSessionsLegacy<T> {
    fn cookie_name(&self) -> &str {
        &self.name
    }

    fn removal(&self) -> HeaderValue {
        // Browsers refuse a cookie of such a name without these (6265bis §4.1.3).
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
        // The layer refuses other names before it asks.
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }

    fn credential(&self, value: &str) -> Option<String> {
        value.parse::<Id>().ok().map(|id| id.to_string())
    }

    fn load<'a>(
        &'a self,
        credential: &'a str,
    ) -> StoreFuture<'a, Result<Option<LegacyFields>, StoreError>> {
        StoreFuture::new(async move {
            let Ok(id) = credential.parse() else { return Ok(None) };
            let found = self.store.load(&id).await.map_err(failed)?;
            // Theirs may show what has expired, until they remove it. A session of ours in
            // the same store is none of theirs: its key follows from an id that is public.
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
            // Between the load and now, or between two deployments, it may have changed.
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
