//! A configuration, and the store and layer built from it.

use std::fmt;

use serde::de::{Deserialize, Deserializer};

use super::entries;
use super::node::Node;
use super::secrets::Reference;
use crate::config::{Config, Fault, SetupError};
use crate::middleware::SessionLayer;
use crate::store::{AnyStore, ConnectOptions, SessionStore};

/// The store and the settings of the layer, read from a configuration.
/// Needs the cargo feature `config`.
///
/// Deserializes from every self-describing format: YAML, TOML, JSON, the environment.
/// Numbers and booleans may be strings, for formats that only have strings. Durations are
/// strings such as `"30m"`, `"1h 30m"`, `"500ms"`, or a number of seconds.
///
/// Deserializing accepts invalid entries, because the error of a parser would quote the
/// file and thereby any password in it. [`check`](Self::check), [`connect`](Self::connect)
/// and [`layer`](Self::layer) report all invalid entries together, each by its full name.
///
/// | entry | values | default |
/// |---|---|---|
/// | `store` | the URL of [`AnyStore::connect`], `env:NAME` or `file:PATH` | required by [`layer`](Self::layer) |
/// | `prefix` | the prefix of keys on a shared server | the store's |
/// | `limits.field`, `limits.record` | bytes, or `"256 KiB"`, `"1 MiB"` | those of [`Limits`](crate::store::Limits) |
/// | `cookie.name` | without prefix | `session` |
/// | `cookie.prefix` | `host`, `secure`, `none` | `host` |
/// | `cookie.path`, `cookie.domain` | | `/`, none |
/// | `cookie.same_site` | `strict`, `lax`, `none` | `lax` |
/// | `cookie.partitioned` | yes or no | no |
/// | `realm` | 1 to 64 characters | the cookie's name |
/// | `accept_realm` | former realms, at most three, as a list or separated by commas | none |
/// | `idle_timeout` | a duration, or `"none"` | `30m` |
/// | `absolute_timeout` | a duration, or `"none"` | `12h` |
/// | `renew_after` | a duration, or `"none"` | `none` |
/// | `late_grace` | a duration | `5s` |
/// | `on_replay` | `report`, `end_session`, `end_all_of_principal` | `end_session` |
/// | `max_sessions`, `at_limit` | a number; `reject` or `evict_oldest` | no limit |
/// | `rolling` | a duration, in place of the two timeouts | none |
/// | `max_remember` | a duration | 400 days |
/// | `passive`, `passive_header` | paths, as a list or separated by commas; the name of a header | none |
/// | `watch_interval` | a duration | `5s` |
/// | `transports` | `cookie`, `bearer` or `both` | `cookie` |
/// | `token_header` | the name of a header | `session-token` |
/// | `conflict_timeout`, `store_timeout` | a duration | `2s`, `5s` |
/// | `exclude` | paths, as a list or separated by commas | none |
/// | `conflict_on_lost_changes` | yes or no | yes |
/// | `login_redirect` | a URL | none: 401 |
/// | `no_store_when_signed_in` | yes or no | no |
/// | `clear_site_data` | `cache`, `storage`, `cookies`, `execution_contexts`, as a list or separated by commas | none |
/// | `keys` | base64, `env:NAME` or `file:PATH`, as a list or separated by commas; the first signs and encrypts | none |
/// | `sign_tokens`, `accept_unsigned_tokens`, `accept_plain_secrets` | yes or no | no |
/// | `insecure_for_development` | yes or no | no |
///
/// Each entry is documented at the method of the same name of [`SessionLayer`] or
/// [`CookieConfigBuilder`](crate::CookieConfigBuilder). These settings have no entry; call
/// them on the layer: [`schema`](SessionLayer::schema),
/// [`accept_cookie`](SessionLayer::accept_cookie), [`adopt`](SessionLayer::adopt),
/// [`keep_changes_if`](SessionLayer::keep_changes_if),
/// [`login_redirect_for`](SessionLayer::login_redirect_for) and
/// [`on_event`](SessionLayer::on_event).
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
    /// The problems, one line each.
    pub(super) faults: Vec<String>,
}

impl SessionConfig {
    /// Checks every entry by itself. Problems that depend on the store, the environment or
    /// files are found by [`layer`](Self::layer).
    ///
    /// # Errors
    ///
    /// If an entry is invalid. The error names every invalid entry, one per line, but not
    /// its value, which may be a secret.
    pub fn check(&self) -> Result<(), SetupError> {
        match self.faults.is_empty() {
            true => Ok(()),
            false => Err(Fault::Entries(self.faults.clone()).into()),
        }
    }

    /// Opens the store and builds the layer in front of it. To close the store at
    /// shutdown, [connect](Self::connect) to it and pass a clone to
    /// [`layer_on`](Self::layer_on).
    ///
    /// # Errors
    ///
    /// If an entry is invalid, a referenced variable or file is missing, the store cannot
    /// be opened, or the settings do not fit the store.
    pub async fn layer(&self) -> Result<SessionLayer, SetupError> {
        self.layer_on(self.connect().await?)
    }

    /// Opens only the store.
    ///
    /// # Errors
    ///
    /// If an entry is invalid, the entry `store` or what it refers to is missing, or the
    /// store cannot be opened.
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

    /// Builds the layer in front of a store that was created in code. Ignores `store`,
    /// `prefix` and `limits`.
    ///
    /// # Errors
    ///
    /// If an entry is invalid, a referenced variable or file is missing, or the settings do
    /// not fit the store.
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
            // A schema problem: schemas are registered later.
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
