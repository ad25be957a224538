//! Secrets that come to another record, or under another name.

use session_runtime::schema::{MigrateError, Migration};

use super::*;

#[derive(SessionSchema)]
#[session(namespace = "pay")]
struct Payment {
    #[session(secret)]
    card: Option<String>,
}

#[tokio::test]
async fn a_forked_record_has_every_secret_encrypted_for_itself() {
    let mut bench = Bench::new();
    let layer = SessionLayer::new(bench.spy.clone()).keys(ring(1));
    bench.restart(layer.schema::<Vault>().schema::<Payment>());
    bench.set(fill).await;
    bench.tab.run(|mut s: PaymentSession| async move { s.set_card(PLAIN) }).await.ok();
    // Two sign-ins at once: the later one gets a record of its own.
    let mut other = bench.tab.clone();
    let before = bench.record().await.id;
    let mut forked = bench.tab.clone();
    forked
        .run(|mut s: VaultSession| async move {
            other.run(|mut s: VaultSession| async move { s.set_user(1) }).await.ok();
            s.set_user(2);
            s.set_code("fresh");
        })
        .await
        .ok();
    let record = record(&bench.spy, &forked).await;
    assert_ne!(record.id, before);
    assert!(
        record.fields.iter().all(|(_, bytes)| !holds(bytes, "hunter") && !holds(bytes, "fresh"))
    );
    bench.tab = forked;
    assert_eq!(bench.token().await.as_deref(), Some(PLAIN));
    assert_eq!(bench.get(|s| s.code().map(str::to_owned)).await.as_deref(), Some("fresh"));
    let card = bench.tab.run(|s: PaymentSession| async move { s.card().map(str::to_owned) }).await;
    assert_eq!(card.ok().as_deref(), Some(PLAIN), "of a schema that the sign-in did not read");
    let flow =
        bench.tab.run(|mut s: VaultSession| async move { s.consume_flows("a").await.unwrap() });
    assert_eq!(flow.await.ok().as_deref(), Some(PLAIN));
}

#[tokio::test]
async fn a_session_after_destroy_has_its_own_secrets() {
    let mut bench = Bench::new();
    bench.set(fill).await;
    bench
        .set(|s| {
            s.destroy();
            s.set_token("next");
            s.set_user(3)
        })
        .await;
    assert_eq!(bench.token().await.as_deref(), Some("next"));
}

#[derive(SessionSchema)]
#[session(version = 2, migrate = upgrade)]
struct Next {
    page: String,
    /// Was `token`.
    #[session(secret)]
    bearer: Option<String>,
    /// Was secret, under this name.
    once: Option<String>,
}

fn upgrade(old: &mut Migration<'_>) -> Result<(), MigrateError> {
    old.rename("token", "bearer");
    if let Some(once) = old.get::<String>("once")? {
        old.set("once", &once.to_uppercase())?;
    }
    Ok(())
}

#[tokio::test]
async fn a_migration_reads_in_clear_what_it_moves_and_what_is_secret_no_more() {
    let mut bench = Bench::new();
    bench.set(fill).await;
    let layer = SessionLayer::new(bench.spy.clone()).keys(ring(1));
    let mut tab = bench.tab.by(&layer);
    for page in ["a", "b"] {
        let seen = tab.run(move |mut s: NextSession| async move {
            s.set_page(page);
            (s.bearer().map(str::to_owned), s.once().map(str::to_owned))
        });
        let expected = (Some(PLAIN.to_owned()), Some(PLAIN.to_uppercase()));
        assert_eq!(seen.await.ok(), expected, "{page}");
    }
    assert_eq!(bench.stored("token").await, None);
    assert!(bench.stored("bearer").await.unwrap().starts_with("\"sealed:1:"));
    assert_eq!(bench.stored("once").await, Some(format!("\"{}\"", PLAIN.to_uppercase())));
}

#[tokio::test]
async fn a_migration_without_the_key_moves_nothing_and_destroys_nothing() {
    let mut bench = Bench::new();
    bench
        .set(|s| {
            s.set_token(PLAIN);
            s.set_page("home")
        })
        .await;
    let before = bench.stored("token").await;
    let layer = SessionLayer::new(bench.spy.clone()).keys(ring(2));
    let mut tab = bench.tab.by(&layer);
    let bearer = tab.run(|mut s: NextSession| async move {
        s.set_page("away");
        s.bearer().map(str::to_owned)
    });
    assert_eq!(bearer.await.ok(), None);
    assert_eq!(bench.stored("token").await, before);
    let mut tab = bench.tab.by(&SessionLayer::new(bench.spy.clone()).keys(rotated(2, 1)));
    let bearer = tab.run(|s: NextSession| async move { s.bearer().map(str::to_owned) }).await;
    assert_eq!(bearer.ok().as_deref(), Some(PLAIN), "with the key it is there again");
}

/// Before it was renamed.
#[derive(SessionSchema)]
struct Former {
    #[session(secret)]
    old_list: Vec<String>,
}

#[tokio::test]
async fn an_alias_opens_what_was_encrypted_under_it() {
    let mut bench = Bench::new();
    let layer = SessionLayer::new(bench.spy.clone()).keys(ring(1));
    let mut tab = bench.tab.by(&layer);
    tab.run(|mut s: FormerSession| async move { s.set_old_list(vec![PLAIN.to_owned()]) })
        .await
        .ok();
    bench.tab = tab.by(&bench.layer);
    assert_eq!(bench.get(|s| s.list().to_vec()).await, [PLAIN]);
    bench.set(|s| s.list_mut().push("x".to_owned())).await;
    assert_eq!(bench.get(|s| s.list().len()).await, 2);
}
