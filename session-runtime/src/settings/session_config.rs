//! The store and the layer that a configuration describes.

use std::fmt;

use serde::de::{Deserialize, Deserializer};

use super::entries;
use super::node::Node;
use super::secrets::Reference;
use crate::config::{Config, Fault, SetupError};
use crate::middleware::SessionLayer;
use crate::store::{AnyStore, ConnectOptions, SessionStore};

/// The store and every setting of the layer, as a configuration has them.
/// Needs the cargo feature `config`.
///
/// It deserialises from every format that names its entries: YAML, TOML, JSON,
/// the environment. Numbers and yes or no may be texts, so that front ends that
/// know nothing but texts will do. What is wrong is reported by [`check`](Self::check) and
/// when the layer is made, all at once, each entry by its full name: reading succeeds
/// all the same, for the error of a reader quotes the file, and with it the
/// passwords in it. Durations are texts such as `"30m"`, `"1h 30m"`,
/// `"500ms"`, or a number of seconds.
///
/// | entry | values | default |
/// |---|---|---|
/// | `store` | the URL of [`AnyStore::connect`], `env:NAME` or `file:PATH` | for [`layer`](Self::layer) none: it must be there |
/// | `prefix` | what keys begin with on a shared server | the store's |
/// | `limits.field`, `limits.record` | bytes, or `"256 KiB"`, `"1 MiB"` | those |
/// | `cookie.name` | without prefix | `session` |
/// | `cookie.prefix` | `host`, `secure`, `none` | `host` |
/// | `cookie.path`, `cookie.domain` | | `/`, none |
/// | `cookie.same_site` | `strict`, `lax`, `none` | `lax` |
/// | `cookie.partitioned` | yes or no | no |
/// | `realm` | 1 to 64 characters | the cookie's name |
/// | `accept_realm` | former realms, at most three, as a list or with commas | none |
/// | `idle_timeout` | a duration, or `"none"` | `30m` |
/// | `absolute_timeout` | a duration, or `"none"` | `12h` |
/// | `renew_after` | a duration, or `"none"` | `none` |
/// | `max_sessions`, `at_limit` | a number; `reject` or `evict_oldest` | no limit |
/// | `conflict_timeout`, `store_timeout` | a duration | `2s`, `5s` |
/// | `exclude` | paths, as a list or with commas between them | none |
/// | `conflict_on_lost_changes` | yes or no | yes |
/// | `login_redirect` | a URL | none: 401 |
/// | `no_store_when_signed_in` | yes or no | no |
/// | `clear_site_data` | `cache`, `storage`, `cookies`, `execution_contexts`, as a list or with commas | none |
/// | `keys` | base64, `env:NAME` or `file:PATH`, as a list or with commas; the first signs | none |
/// | `sign_tokens`, `accept_unsigned_tokens`, `accept_plain_secrets` | yes or no | no |
/// | `insecure_for_development` | yes or no | no |
///
/// What each means stands at the method of the same name of [`SessionLayer`],
/// and of [`CookieConfig`](crate::CookieConfig). What is a function cannot
/// stand in a file: [`keep_changes_if`](SessionLayer::keep_changes_if) and
/// [`schema`](SessionLayer::schema) are called on the layer, and so is
/// [`login_redirect_for`](SessionLayer::login_redirect_for).
///
/// ```
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// use session_runtime::SessionConfig;
///
/// let config: SessionConfig = serde_json::from_str(
///     r#"{ "store": "memory:", "idle_timeout": "20m", "cookie": { "same_site": "strict" } }"#,
/// )?;
/// let layer = config.layer().await?;
/// # let _ = layer;
/// let wrong: SessionConfig = serde_json::from_str(r#"{ "idle_timeout": "20 minuets" }"#)?;
/// assert!(wrong.check().unwrap_err().to_string().contains("idle_timeout: "));
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(f()).unwrap();
/// ```
#[derive(Clone)]
pub struct SessionConfig {
    pub(super) store: Option<Reference>,
    pub(super) options: ConnectOptions,
    pub(super) config: Config,
    #[cfg_attr(not(feature = "keys"), allow(dead_code))]
    pub(super) keys: Vec<Reference>,
    /// What is wrong, a line each.
    pub(super) faults: Vec<String>,
}

impl SessionConfig {
    /// Whether every entry makes sense by itself. What only the store or the surroundings
    /// can tell is found by [`layer`](Self::layer).
    ///
    /// # Errors
    ///
    /// Names every entry that is wrong, one per line. What stands there is not repeated, as it
    /// may be a secret.
    pub fn check(&self) -> Result<(), SetupError> {
        match self.faults.is_empty() {
            true => Ok(()),
            false => Err(Fault::Entries(self.faults.clone()).into()),
        }
    }

    /// Opens the store, and makes the layer in front of it. To close the store at
    /// the end, [connect](Self::connect) to it and give a clone to
    /// [`layer_on`](Self::layer_on).
    ///
    /// # Errors
    ///
    /// If an entry is wrong, the store cannot be opened, what an entry refers to is not
    /// there, or the settings do not fit the store.
    pub async fn layer(&self) -> Result<SessionLayer, SetupError> {
        self.layer_on(self.connect().await?)
    }

    /// Opens the store alone.
    ///
    /// # Errors
    ///
    /// If an entry is wrong, the store cannot be opened, or its entry is missing or refers
    /// to nothing.
    pub async fn connect(&self) -> Result<AnyStore, SetupError> {
        self.check()?;
        let missing = || {
            SetupError::setting("store", "write where sessions live, such as `sqlite:sessions.db`")
        };
        let url = self.store.as_ref().ok_or_else(missing)?.resolve("store")?;
        AnyStore::connect_with(&url, &self.options).await.map_err(|error| {
            let (problem, source) = (error.to_string().into(), Some(error.into()));
            Fault::Setting { entry: "store", problem, source }.into()
        })
    }

    /// The layer in front of a store that was made in code. `store`, `prefix`
    /// and `limits` say nothing then.
    ///
    /// # Errors
    ///
    /// If an entry is wrong, what one refers to is not there, or the settings do not fit
    /// the store.
    pub fn layer_on(&self, store: impl SessionStore) -> Result<SessionLayer, SetupError> {
        self.check()?;
        #[allow(unused_mut)]
        let mut config = self.config.clone();
        #[cfg(feature = "keys")]
        if !self.keys.is_empty() {
            config.keys.ring = Some(super::secrets::ring(&self.keys)?);
        }
        let layer = SessionLayer::with_config(store, config);
        match layer.check() {
            Ok(()) => Ok(layer),
            Err(error) if error.entry().is_some() => Err(error),
            // Schemas come later.
            Err(_) => Ok(layer),
        }
    }
}

impl<'de> Deserialize<'de> for SessionConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Node::deserialize(deserializer).map(entries::read)
    }
}

impl fmt::Debug for SessionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionConfig")
            .field("store", &self.store)
            .field("options", &self.options)
            .field("config", &self.config)
            .field("keys", &self.keys.len())
            .field("faults", &self.faults)
            .finish()
    }
}
