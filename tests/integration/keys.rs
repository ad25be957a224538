//! Fields that are encrypted where they are stored, and signed tokens.

mod conflicts;
mod moved;
mod tokens;
mod unreadable;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use session_runtime::__private::patch::{FieldOp, Op, Outcome, Patch};
use session_runtime::__private::record::Record;
use session_runtime::__private::token::SessionToken;
use session_runtime::clock::Clock;
use session_runtime::keys::KeyRing;
use session_runtime::store::{
    AnyStore, SessionStore, SqliteStore,
    contract::{Lookup, Touch},
};
use session_runtime::testing::{Call, SpyStore};
use session_runtime::{Realm, SessionError, SessionLayer, SessionSchema};
use session_tests::Tab;
use session_tests::keys::secret;
use session_tests::stores::{all, memory};

/// What nobody but the program may read.
const PLAIN: &str = "hunter-2-hunter";

#[derive(SessionSchema)]
struct Vault {
    #[session(principal)]
    user: Option<u64>,
    page: String,
    #[session(secret)]
    token: Option<String>,
    #[session(secret, ttl = "10m")]
    code: Option<String>,
    #[session(secret, flash)]
    notice: Option<String>,
    #[session(secret, nonce)]
    state: Option<String>,
    #[session(secret, nonce = keyed, ttl = "10m", alias = "old_flows")]
    flows: HashMap<String, String>,
    #[session(secret, write_once)]
    once: Option<String>,
    #[session(secret, alias = "old_list")]
    list: Vec<String>,
}

fn ring(first: u8) -> KeyRing {
    KeyRing::from_bytes(&secret(first)).unwrap()
}

/// Two keys, the newer one first.
fn rotated(first: u8, second: u8) -> KeyRing {
    let text = |number| STANDARD.encode(secret(number));
    format!("{},{}", text(first), text(second)).parse().unwrap()
}

/// A browser before a layer with a key, and what is behind it.
struct Bench {
    spy: SpyStore<AnyStore>,
    clock: Clock,
    layer: SessionLayer,
    tab: Tab,
}

impl Bench {
    fn new() -> Self {
        Self::on(memory().store)
    }

    fn on(store: AnyStore) -> Self {
        let spy = SpyStore::new(store);
        let clock = spy.clock().clone();
        let layer = SessionLayer::new(spy.clone()).keys(ring(1));
        let tab = Tab::new(&layer);
        Self { spy, clock, layer, tab }
    }

    /// The same browser, after the program was started with other settings.
    fn restart(&mut self, layer: SessionLayer) {
        self.tab = self.tab.by(&layer);
        self.layer = layer;
    }

    async fn set(&mut self, change: impl FnOnce(&mut VaultSession) + Send + 'static) {
        self.tab.run(|mut s: VaultSession| async move { change(&mut s) }).await.ok();
    }

    async fn get<R: Send + 'static>(
        &mut self,
        look: impl FnOnce(&VaultSession) -> R + Send + 'static,
    ) -> R {
        self.tab.run(|s: VaultSession| async move { look(&s) }).await.ok()
    }

    async fn token(&mut self) -> Option<String> {
        self.get(|s| s.token().map(str::to_owned)).await
    }

    async fn record(&self) -> Arc<Record> {
        record(&self.spy, &self.tab).await
    }

    async fn stored(&self, name: &str) -> Option<String> {
        let record = self.record().await;
        Some(String::from_utf8(record.fields.get(name)?.to_vec()).unwrap())
    }

    /// Somebody writes into the store.
    async fn plant(&self, name: &str, bytes: &[u8]) {
        let record = self.record().await;
        let op = FieldOp::new(name.to_owned(), Op::set(bytes));
        let patch = Patch::of(vec![op]);
        let done =
            self.spy.inner().apply(record.id, record.meta.epoch, &patch, None).await.unwrap();
        assert!(matches!(done, Outcome::Applied(_)));
    }

    fn writes(&self) -> usize {
        let calls = self.spy.take_calls();
        calls.iter().filter(|call| matches!(call, Call::Apply { .. } | Call::Create { .. })).count()
    }
}

async fn record(spy: &SpyStore<AnyStore>, tab: &Tab) -> Arc<Record> {
    let text = tab.cookie.as_deref().unwrap();
    let token = SessionToken::parse(text.split('.').next().unwrap()).unwrap();
    let visit = Touch::Never.into();
    match spy
        .inner()
        .load(token.id(), &[token.secret_hash(&Realm::default())], visit)
        .await
        .unwrap()
    {
        Lookup::Found(record) => record,
        other => panic!("{other:?}"),
    }
}

fn fill(s: &mut VaultSession) {
    s.set_page("home");
    s.set_token(PLAIN);
    s.set_code(PLAIN);
    s.set_notice(PLAIN);
    s.set_state(PLAIN);
    s.set_flows("a", PLAIN);
    s.set_once(PLAIN);
    s.set_list(vec![PLAIN.to_owned()]);
}

fn holds(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// Every value that the store was given, or asked to compare with.
fn bytes_of(calls: &[Call]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for call in calls {
        match call {
            Call::Create { record, .. } => {
                all.extend(record.fields.iter().map(|(_, bytes)| bytes.to_vec()));
            }
            Call::Apply { patch, .. } => {
                all.extend(patch.ops.iter().filter_map(|op| match &op.op {
                    Op::Set(bytes) | Op::RemoveIf(bytes) => Some(bytes.to_vec()),
                    _ => None,
                }))
            }
            _ => {}
        }
    }
    all
}

#[tokio::test]
async fn every_kind_of_secret_field_is_stored_encrypted_and_read_back() {
    for under in all().await {
        let mut bench = Bench::on(under.store.clone());
        bench.set(fill).await;
        // The second time into a record that is there.
        bench
            .set(|s| {
                s.set_list(vec![PLAIN.to_owned(), PLAIN.to_owned()]);
                s.set_flows("b", PLAIN)
            })
            .await;
        let got = bench
            .tab
            .run(|mut s: VaultSession| async move {
                let held = (s.token() == Some(PLAIN), s.code() == Some(PLAIN), s.list().len());
                let taken = (s.take_notice(), s.consume_state().await.unwrap());
                let keyed = s.consume_flows("b").await.unwrap();
                (held, taken, keyed, s.once().map(str::to_owned))
            })
            .await
            .ok();
        let plain = || Some(PLAIN.to_owned());
        assert_eq!(got, ((true, true, 2), (plain(), plain()), plain(), plain()), "{}", under.name);
        let again = bench
            .tab
            .run(|mut s: VaultSession| async move {
                (
                    s.take_notice(),
                    s.consume_state().await.unwrap(),
                    s.consume_flows("b").await.unwrap(),
                )
            })
            .await
            .ok();
        assert_eq!(again, (None, None, None), "{}", under.name);

        let written = bytes_of(&bench.spy.calls());
        assert!(written.len() > 10);
        assert!(written.iter().all(|bytes| !holds(bytes, "hunter")), "{}", under.name);
        assert!(written.iter().any(|bytes| bytes == b"\"home\""), "what is no secret is readable");
        let stored = bench.stored("code").await.unwrap();
        assert!(stored.starts_with("{\"until\":") && stored.contains("\"sealed:1:"), "{stored}");
    }
}

#[tokio::test]
async fn a_dump_of_the_file_does_not_hold_what_is_secret() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path().join("sessions.db")).await.unwrap();
    let mut bench = Bench::on(AnyStore::new(store));
    bench.set(fill).await;
    bench.set(|s| s.token_mut().get_or_insert_default().push('!')).await;
    let mut dump = Vec::new();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        dump.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    assert!(holds(&dump, "\"home\"") && holds(&dump, "sealed:1:"));
    assert!(!holds(&dump, "hunter"));
    assert_eq!(bench.token().await, Some(format!("{PLAIN}!")));
}

#[tokio::test]
async fn what_does_not_change_is_not_encrypted_anew() {
    let mut bench = Bench::new();
    bench.set(fill).await;
    bench.spy.take_calls();
    bench.set(|s| s.set_token(PLAIN)).await;
    bench.set(|s| assert!(s.token_mut().is_some())).await;
    bench.set(|s| s.set_list(vec![PLAIN.to_owned()])).await;
    bench.set(|s| s.set_once(PLAIN)).await;
    assert_eq!(bench.writes(), 0);
    bench.set(|s| s.list_mut().push("x".to_owned())).await;
    assert_eq!(bench.writes(), 1);
}

#[tokio::test]
async fn a_later_handle_and_a_reload_see_what_an_earlier_one_set() {
    let mut bench = Bench::new();
    let seen = bench
        .tab
        .run(|mut s: VaultSession| async move {
            // Looks like an encrypted value, and is the user's own text.
            s.set_token("sealed:1:AAAAAA:x");
            s.publish();
            let published = s.token().map(str::to_owned);
            s.save().await.unwrap();
            let saved = s.token().map(str::to_owned);
            s.reload().await.unwrap();
            (published, saved, s.token().map(str::to_owned))
        })
        .await
        .ok();
    let text = || Some("sealed:1:AAAAAA:x".to_owned());
    assert_eq!(seen, (text(), text(), text()));
}

#[tokio::test]
async fn old_keys_read_and_the_next_write_uses_the_first() {
    let mut bench = Bench::new();
    bench.set(fill).await;
    let before = bench.stored("token").await;
    bench.restart(SessionLayer::new(bench.spy.clone()).keys(rotated(2, 1)));
    assert_eq!(bench.token().await.as_deref(), Some(PLAIN));
    assert_eq!(bench.stored("token").await, before, "reading writes nothing");
    bench.set(|s| s.set_token(PLAIN)).await;
    assert_ne!(bench.stored("token").await, before, "the same value counts, under an old key");
    bench.restart(SessionLayer::new(bench.spy.clone()).keys(ring(2)));
    assert_eq!(bench.token().await.as_deref(), Some(PLAIN));
    assert_eq!(bench.get(|s| s.list().len()).await, 0, "of the old key nothing is left");
}

#[tokio::test]
async fn the_end_of_a_value_counts_without_a_key_and_cannot_be_moved() {
    let mut bench = Bench::new();
    bench.set(fill).await;
    let stored = bench.stored("code").await.unwrap();
    let (until, rest) = stored["{\"until\":".len()..].split_once(',').unwrap();
    let later = until.parse::<u64>().unwrap() + 1;
    bench.plant("code", format!("{{\"until\":{later},{rest}").as_bytes()).await;
    assert!(!bench.get(|s| s.code().is_some()).await, "it was made to last longer");
    bench.plant("code", stored.as_bytes()).await;
    assert!(bench.get(|s| s.code().is_some()).await);
    bench.restart(SessionLayer::new(bench.spy.clone()).keys(ring(2)));
    bench.clock.advance(Duration::from_secs(601));
    bench.set(|s| s.set_page("next")).await;
    assert_eq!(bench.stored("code").await, None, "what is over is removed, without its key");
}

#[tokio::test]
async fn secrets_are_in_no_list_and_no_debug_text() {
    let mut bench = Bench::new();
    bench
        .set(|s| {
            s.set_user(1);
            fill(s)
        })
        .await;
    let layer = bench.layer.clone();
    let text = bench
        .tab
        .run(|s: VaultSession| async move {
            let all = layer.manager().sessions_of(&1_u64).await.unwrap();
            format!("{s:?} {:?} {all:?} {layer:?}", s.entries().unwrap())
        })
        .await
        .ok();
    assert!(text.contains("home") && text.contains("redacted"), "{text}");
    assert!(!text.contains("hunter") && !text.contains("sealed"), "{text}");
    assert_eq!(bench.get(|s| s.snapshot().token).await.as_deref(), Some(PLAIN));
}

#[tokio::test]
async fn without_keys_a_secret_is_refused_and_never_stored_in_clear() {
    let spy = SpyStore::new(memory().store);
    let layer = SessionLayer::new(spy.clone());
    let error = layer.clone().schema::<Vault>().check().unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("`secret` on `Vault.token` needs a key"), "{text}");
    assert!(
        text.contains("`Vault.token`") && text.contains(".keys(") && text.contains("openssl"),
        "{text}"
    );
    for layer in [layer.clone(), layer.schema::<Vault>()] {
        let mut tab = Tab::new(&layer);
        let answer = tab.run(|mut s: VaultSession| async move { fill(&mut s) }).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert_eq!(spy.calls().len(), 0);
}
