//! Mistakes in settings that stand beside passwords and keys.

use session_runtime::SessionConfig;
use session_runtime::store::{AnyStore, MemoryStore};
use session_tests::secrets::{Secrets, told};
use session_tests::traced::Traced;

const PASSWORD: &str = "hunter2-of-the-store";
const KEY: &str = "hunter3-of-the-sessions";

fn secrets() -> Secrets {
    let mut secrets = Secrets::new();
    secrets.add("a password", PASSWORD);
    secrets.add("a key", KEY);
    secrets
}

/// What a program prints that is given `config`.
async fn printed(config: Result<SessionConfig, impl std::error::Error>) -> String {
    let config = match config {
        Ok(config) => config,
        Err(error) => return told(&error),
    };
    let on = config.layer_on(MemoryStore::new()).map(drop).unwrap_err();
    let own = config.layer().await.map(drop).unwrap_err();
    format!("{config:?} {config:#?} {} {}", told(&on), told(&own))
}

#[tokio::test]
async fn no_error_of_a_configuration_holds_a_line_of_it() {
    let traced = Traced::start();
    let url = format!("postgres://shop:{PASSWORD}@db/shop");
    let mistakes = [
        "idle_timeout = '20 minuets'",
        "stoer = 'memory:'",
        "cookie = 'strict'",
        "exclude = ['static']",
        "max_sessions = 0",
        "realm = 'a:b'",
        "cookie = { secure = false }",
        "limits = { field = '1 kB' }",
        "sign_tokens = 'maybe'",
        "IDLE-timeout = 60, idle_timeout = 60",
        "store_timeout = 1979-05-27",
        "absolute_timeout = nan",
    ];
    for mistake in mistakes {
        // In one line, as inline tables and the errors of their readers are.
        #[derive(serde::Deserialize)]
        struct App {
            sessions: SessionConfig,
        }
        let line = format!("sessions = {{ store = '{url}', keys = '{KEY}', {mistake} }}");
        let read = toml::from_str::<App>(&line).map(|app| app.sessions);
        let text = printed(read).await;
        secrets().assert_absent(mistake, &text);
    }
    for yaml in [
        "{ store: '…', keys: !secret 'KEY', idle_timeout: 1 }",
        "{ store: '…', keys: 'KEY', 1: 2, idle_timeout: x }",
        "{ store: '…', keys: { 'KEY': 1 } }",
        "{ store: ['…'], keys: [['KEY']] }",
        "{ store: '…', sign_tokens: 'KEY', cookie: { same_site: 'KEY', path: 'KEY' } }",
        "[ '…', 'KEY' ]",
        "'KEY'",
    ] {
        let yaml = yaml.replace('…', &url).replace("KEY", KEY);
        let text = printed(serde_yaml_ng::from_str::<SessionConfig>(&yaml)).await;
        secrets().assert_absent(&yaml, &text);
        let json = serde_yaml_ng::from_str::<serde_json::Value>(&yaml);
        if let Ok(json) = json {
            let text = printed(serde_json::from_value::<SessionConfig>(json)).await;
            secrets().assert_absent(&yaml, &text);
        }
    }
    secrets().assert_absent("what was traced", &traced.text());
}

#[tokio::test]
async fn no_error_of_a_store_holds_the_password_of_its_url() {
    let traced = Traced::start();
    let schemes = [
        "",
        "memory",
        "sqlite",
        "file",
        "http",
        "postgres",
        "postgresql",
        "mysql",
        "mariadb",
        "redis",
        "rediss",
        "redis+unix",
        "redis+cluster",
        "redis+sentinel",
        "valkey",
        "hunter",
    ];
    let rests = [
        "//shop:PASSWORD@127.0.0.1:1/shop",
        "//shop:PASSWORD@127.0.0.1:1/shop?sslmode=PASSWORD",
        "//shop:PASSWORD@127.0.0.1:port/shop",
        "//shop:PASSWORD@[::1/shop",
        "//:PASSWORD@127.0.0.1:1,127.0.0.1:2/PASSWORD",
        "//shop:PASSWORD/%zz@127.0.0.1:1",
        "//127.0.0.1:1/shop?password=PASSWORD&user=shop",
        "PASSWORD",
    ];
    for (scheme, rest) in schemes.iter().flat_map(|scheme| rests.map(|rest| (scheme, rest))) {
        let url = format!("{scheme}:{}", rest.replace("PASSWORD", PASSWORD));
        // A path is the name of a file, which may be told.
        if *scheme == "sqlite" || (scheme.ends_with("unix") && !rest.contains("password=")) {
            continue;
        }
        if let Err(error) = AnyStore::connect(&url).await {
            secrets().assert_absent(&url, &told(&error));
        }
    }
    secrets().assert_absent("what was traced", &traced.text());
}
