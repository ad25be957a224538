//! A configuration from a file or the environment.

use axum::Router;
use axum::routing::{get, post};
use figment::Figment;
use figment::providers::Env;
use serde::Deserialize;
use serde_json::json;
use session_runtime::store::MemoryStore;
use session_runtime::{Session, SessionLayer};
use session_runtime::{SessionConfig, SetupError};
use session_tests::Client;

use crate::visitor::Visitor;

fn wrong(config: serde_json::Value) -> Vec<String> {
    let config = serde_json::from_value::<SessionConfig>(config).unwrap();
    let error = config.check().unwrap_err().to_string();
    let on = config.layer_on(MemoryStore::new()).unwrap_err();
    assert_eq!(on.to_string(), error, "no layer is made of it");
    error.lines().map(str::to_owned).collect()
}

fn app(layer: SessionLayer) -> Router {
    let login = |mut session: Session<Visitor>| async move { session.set_user_id(1) };
    let seen = |session: Option<Session<Visitor>>| async move { session.is_some().to_string() };
    Router::new().route("/login", post(login)).route("/", get(seen)).layer(layer)
}

/// Everything but the store, in one line that says what the layer became.
async fn settings(config: &SessionConfig) -> String {
    format!("{:?}", config.layer().await.unwrap())
}

/// A key, as `openssl rand -base64 32` prints them.
const KEY: &str = "9vdcVlTgQeVAXWVCKeqVSIhgc5f4Kd7hIbaCQ7PXcJg";

const YAML: &str = "
store: 'memory:'
limits: { field: 64 KiB, record: 100000 }
cookie:
  name: sid
  prefix: secure
  path: /shop
  domain: example.org
  same_site: strict
  partitioned: true
idle_timeout: 20m
absolute_timeout: none
renew_after: 3600
max_sessions: 3
at_limit: evict_oldest
conflict_timeout: 500ms
store_timeout: 1s
exclude: [/static, /health]
conflict_on_lost_changes: false
login_redirect: /login
keys: [9vdcVlTgQeVAXWVCKeqVSIhgc5f4Kd7hIbaCQ7PXcJg]
sign_tokens: true
accept_unsigned_tokens: true
accept_plain_secrets: true
insecure_for_development: true
";

const TOML: &str = r#"
store = "memory:"
exclude = ["/static", "/health"]
idle_timeout = "20m"
absolute_timeout = "none"
renew_after = 3600
max_sessions = 3
at_limit = "evict_oldest"
conflict_timeout = "500ms"
store_timeout = 1
conflict_on_lost_changes = false
login_redirect = "/login"
keys = "9vdcVlTgQeVAXWVCKeqVSIhgc5f4Kd7hIbaCQ7PXcJg="
sign_tokens = true
accept_unsigned_tokens = true
accept_plain_secrets = true
insecure_for_development = true
[limits]
field = "64 KiB"
record = 100000
[cookie]
name = "sid"
prefix = "secure"
path = "/shop"
domain = "example.org"
same_site = "strict"
partitioned = true
"#;

const ENV: [(&str, &str); 22] = [
    ("STORE", "memory:"),
    ("LIMITS__FIELD", "64 KiB"),
    ("LIMITS__RECORD", "100000"),
    ("COOKIE__NAME", "sid"),
    ("COOKIE__PREFIX", "secure"),
    ("COOKIE__PATH", "/shop"),
    ("COOKIE__DOMAIN", "example.org"),
    ("COOKIE__SAME_SITE", "Strict"),
    ("COOKIE__PARTITIONED", "1"),
    ("IDLE_TIMEOUT", "20m"),
    ("ABSOLUTE_TIMEOUT", "none"),
    ("RENEW_AFTER", "3600"),
    ("MAX_SESSIONS", "3"),
    ("AT_LIMIT", "evict_oldest"),
    ("CONFLICT_TIMEOUT", "500ms"),
    ("STORE_TIMEOUT", "1s"),
    ("EXCLUDE", "/static, /health"),
    ("CONFLICT_ON_LOST_CHANGES", "no"),
    ("LOGIN_REDIRECT", "/login"),
    ("KEYS", "9vdcVlTgQeVAXWVCKeqVSIhgc5f4Kd7hIbaCQ7PXcJg"),
    ("SIGN_TOKENS", "true"),
    ("INSECURE_FOR_DEVELOPMENT", "on"),
];

/// Nothing but texts, in sections.
fn texts() -> serde_json::Value {
    let mut all = json!({ "accept_unsigned_tokens": "true", "accept_plain_secrets": "yes" });
    for (name, value) in ENV {
        match name.split_once("__") {
            Some((section, name)) => all[section.to_lowercase()][name] = json!(value),
            None => all[name] = json!(value),
        }
    }
    all
}

#[tokio::test]
async fn every_front_end_comes_to_the_same_layer_and_that_is_the_one_made_in_code() {
    use session_runtime::{AtLimit, CookieConfig, CookiePrefix, SameSite};
    use std::time::Duration;
    let cookie = CookieConfig::builder()
        .name("sid")
        .prefix(CookiePrefix::Secure)
        .path("/shop")
        .domain("example.org")
        .same_site(SameSite::Strict)
        .partitioned(true);
    let layer = SessionLayer::new(MemoryStore::new())
        .cookie(cookie.build().unwrap())
        .idle_timeout(Some(Duration::from_secs(1_200)))
        .absolute_timeout(None)
        .renew_after(Some(Duration::from_secs(3_600)))
        .max_sessions(3, AtLimit::EvictOldest)
        .conflict_timeout(Duration::from_millis(500))
        .store_timeout(Duration::from_secs(1))
        .exclude("/static")
        .exclude("/health")
        .conflict_on_lost_changes(false)
        .login_redirect("/login")
        .keys(KEY.parse().unwrap())
        .sign_tokens()
        .accept_unsigned_tokens(true)
        .accept_plain_secrets(true)
        .insecure_for_development();
    let expected = format!("{layer:?}");
    let yaml: SessionConfig = serde_yaml_ng::from_str(YAML).unwrap();
    assert_eq!(settings(&yaml).await, expected);
    let toml: SessionConfig = toml::from_str(TOML).unwrap();
    assert_eq!(settings(&toml).await, expected);
    let texts: SessionConfig = serde_json::from_value(texts()).unwrap();
    assert_eq!(settings(&texts).await, expected);
}

#[tokio::test]
async fn what_is_left_out_or_empty_has_the_defaults_of_the_layer() {
    let expected = format!("{:?}", SessionLayer::new(MemoryStore::new()));
    for config in ["store: 'memory:'", "store: 'memory:'\ncookie:\nexclude: []\nkeys: ~"] {
        let config: SessionConfig = serde_yaml_ng::from_str(config).unwrap();
        assert_eq!(settings(&config).await, expected);
    }
    let empty: SessionConfig = serde_yaml_ng::from_str("").unwrap();
    assert_eq!(format!("{:?}", empty.layer_on(MemoryStore::new()).unwrap()), expected);
    let error = empty.layer().await.unwrap_err().to_string();
    assert!(error.starts_with("`store`: write where"), "{error}");
}

#[test]
#[allow(clippy::result_large_err)] // of the closure, as figment wants it
fn the_environment_is_a_configuration() {
    figment::Jail::expect_with(|jail| {
        jail.set_env("APP_SESSION__STORE", "memory:");
        jail.set_env("APP_SESSION__IDLE_TIMEOUT", "1200");
        jail.set_env("APP_SESSION__COOKIE__SAME_SITE", "strict");
        jail.set_env("APP_SESSION__COOKIE__NAME", "007");
        jail.set_env("APP_SESSION__SIGN_TOKENS", "true");
        jail.set_env("APP_SESSION__KEYS", "env:THE_KEY");
        jail.set_env("APP_SESSION__LOGIN_REDIRECT", "/login");
        #[derive(Deserialize)]
        struct App {
            session: SessionConfig,
        }
        let figment = Figment::from(Env::prefixed("APP_").split("__"));
        let app: App = figment.extract().unwrap();
        let missing = app.session.layer_on(MemoryStore::new()).unwrap_err().to_string();
        assert_eq!(missing, "`keys`: the environment variable `THE_KEY` is not set");
        jail.set_env("THE_KEY", KEY);
        let layer = app.session.layer_on(MemoryStore::new()).unwrap();
        let debug = format!("{layer:?}");
        assert!(debug.contains("1200s") && debug.contains("same_site: Strict"), "{debug}");
        assert!(debug.contains("__Host-7") || debug.contains("__Host-007"), "{debug}");
        Ok(())
    });
}

#[test]
fn each_mistake_is_named_by_its_entry_and_all_at_once() {
    let errors = wrong(json!({
        "stoer": "memory:",
        "idle_timeout": "20 minuets",
        "absolute_timeout": null,
        "max_sessions": 0,
        "exclude": ["static"],
        "sign_tokens": "maybe",
        "cookie": { "same_site": "laxx", "secure": false, "nmae": "sid", "path": { "a": 1 } },
        "limits": { "field": "1 kB" },
        "store": ["memory:"],
    }));
    let starts = [
        ("stoer: ", "there is no such entry; there are `store`, `prefix`"),
        ("idle_timeout: ", "is not a duration: write `\"30m\"`"),
        ("absolute_timeout: ", "write `\"none\"` for no limit"),
        ("max_sessions: ", "is not a number: write at least 1"),
        ("exclude: ", "a path begins with `/`"),
        ("sign_tokens: ", "is not `true` or `false`"),
        ("cookie.same_site: ", "is not `strict`, `lax` or `none`"),
        ("cookie.secure: ", "is always on"),
        ("cookie.nmae: ", "there are `name`, `prefix`"),
        ("cookie.path: ", "write a text, not a section"),
        ("limits.field: ", "is not a size"),
        ("store: ", "write a text, not a list"),
    ];
    for (entry, problem) in starts {
        let line = errors.iter().find(|line| line.starts_with(entry));
        assert!(line.is_some_and(|line| line.contains(problem)), "{entry} in {errors:#?}");
    }
    assert_eq!(errors.len(), starts.len(), "{errors:#?}");
}

#[test]
fn combinations_that_make_no_sense_are_refused_as_in_code() {
    for (config, expected) in [
        (json!({ "cookie": { "domain": "example.org" } }), "cookie.domain: `__Host-` cookies"),
        (json!({ "max_sessions": 3 }), "at_limit: goes with `max_sessions`"),
        (json!({ "at_limit": "reject" }), "max_sessions: goes with `at_limit`"),
        (json!({ "max_sessions": 3, "at_limit": "evict" }), "at_limit: is not `reject`"),
        (json!({ "max_sessions": 0, "at_limit": "reject" }), "max_sessions: is not a number"),
        (
            json!({ "idle_timeout": 0 }),
            "idle_timeout: at least one second; `\"none\"` for no limit",
        ),
        (
            json!({ "absolute_timeout": "10ms" }),
            "absolute_timeout: at least one second; `\"none\"` for no limit",
        ),
        (json!({ "renew_after": 5 }), "renew_after: at least a minute; `\"none\"` for never"),
        (json!({ "exclude": "/" }), "exclude: `/` would leave every path without sessions"),
        (
            json!({ "clear_site_data": ["cache", "cookie"] }),
            "clear_site_data: is not a list of `cache`, `storage`, `cookies`",
        ),
        (json!({ "cookie": "strict" }), "cookie: has entries of its own"),
        (json!({ "login_redirect": "/bücher" }), "login_redirect: a URL of visible ASCII"),
        (json!({ "IDLE-timeout": 60, "idle_timeout": 60 }), "idle_timeout: is given twice"),
        (json!([1]), "settings of sessions are entries with names, not a list"),
    ] {
        let errors = wrong(config);
        assert!(errors.len() == 1 && errors[0].starts_with(expected), "{expected}: {errors:?}");
    }
}

#[tokio::test]
async fn what_only_the_store_or_the_surroundings_can_tell_is_said_when_the_layer_is_made() {
    let config = |config| serde_json::from_value::<SessionConfig>(config).unwrap();
    let error = |it: Result<SessionLayer, SetupError>| it.unwrap_err().to_string();
    let layer = config(json!({ "store": "sqlte:x.db" })).layer().await;
    assert!(error(layer).starts_with("`store`: no such store"));
    let layer = config(json!({ "store": "memory:", "prefix": "shop" })).layer().await;
    let text = error(layer);
    assert!(text.starts_with("`store`: `memory:` does not support `prefix`"), "{text}");
    assert!(text.contains("leave `prefix` out"), "{text}");
    for url in ["redis:127.0.0.1", "redis+cluster:a,b", "postgres:user@host", "mysql:host/base"] {
        let text = error(config(json!({ "store": url })).layer().await);
        assert!(text.starts_with("`store`: a store on a server is written with `//`"), "{text}");
        assert!(text.contains("`redis://host:6379`") && !text.contains(url), "{text}");
    }
    let layer = config(json!({ "store": "memory:", "sign_tokens": true })).layer().await;
    assert!(error(layer).starts_with("`sign_tokens`: add"));
    let layer = config(json!({ "store": "file:/no/such/file" })).layer().await;
    assert!(error(layer).starts_with("`store`: the file `/no/such/file` cannot be read"));
    let layer = config(json!({ "store": "memory:", "keys": "hunter2!" })).layer().await;
    let text = error(layer);
    assert!(text.starts_with("`keys`: session key 1 is not base64"), "{text}");
    assert!(!text.contains("hunter2"));
}

#[tokio::test]
async fn a_secret_may_stand_in_a_file_and_nothing_shows_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let key = KEY;
    std::fs::write(file.path(), format!("{key}\n")).unwrap();
    let old = "3v0K0Qk6nB3s2eVYQnZk8m1yqj9o8f2Jm5uR7tXwLbE=";
    let config: SessionConfig = serde_json::from_value(json!({
        "store": "redis://user:hunter2@localhost",
        "keys": [format!("file:{}", file.path().display()), old],
    }))
    .unwrap();
    let layer = config.layer_on(MemoryStore::new()).unwrap();
    let shown = format!("{config:?} {config:#?} {layer:?}");
    assert!(shown.contains("KeyRing(2 redacted)"), "{shown}");
    for secret in ["hunter2", &key[..10], &old[..10]] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn the_layer_does_what_the_configuration_says() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sessions.db");
    let config: SessionConfig = serde_json::from_value(json!({
        "store": format!("sqlite:{}", file.display()),
        "cookie": { "name": "sid" },
        "sign_tokens": "true",
        "keys": KEY,
    }))
    .unwrap();
    let mut client = Client::new(&app(config.layer().await.unwrap()));
    let reply = client.post("/login").await;
    assert!(reply.set_cookie().unwrap().starts_with("__Host-sid="));
    assert_eq!(client.cookies["__Host-sid"].len(), 66, "a signed token");
    assert_eq!(client.get("/").await.body, "true");
    assert!(file.exists());
}

#[tokio::test]
async fn the_limits_are_those_of_the_store() {
    use session_runtime::store::SessionStore;
    let config: SessionConfig =
        serde_json::from_value(json!({ "store": "memory:", "limits": { "field": 100 } })).unwrap();
    let limits = config.connect().await.unwrap().capabilities().limits.unwrap();
    assert_eq!((limits.field, limits.record), (100, 1 << 20));
}
