//! Stored values that do not open.

use super::*;

#[tokio::test]
async fn a_damaged_value_reads_as_the_default_at_every_position_and_is_kept() {
    let mut bench = Bench::new();
    bench.set(fill).await;
    let stored = bench.stored("token").await.unwrap().into_bytes();
    for at in 0..stored.len() {
        for damaged in [
            stored.iter().enumerate().map(|(i, b)| if i == at { b ^ 1 } else { *b }).collect(),
            stored[..at].to_vec(),
        ] {
            bench.plant("token", &damaged).await;
            let (token, page) = bench.get(|s| (s.token().is_some(), s.page().to_owned())).await;
            assert_eq!((token, &*page), (false, "home"), "at {at}");
            bench.set(|s| s.set_page("away")).await;
            bench.set(|s| s.set_page("home")).await;
            assert_eq!(bench.record().await.fields.get("token"), Some(&*damaged), "at {at}");
        }
    }
    let touched = bench
        .tab
        .run(|mut s: VaultSession| async move {
            s.token_mut().get_or_insert_default().push('!');
            s.save().await
        })
        .await
        .ok();
    assert!(matches!(touched, Err(SessionError::Undecodable { field: "token" })));
    bench.set(|s| s.set_token("new")).await;
    assert_eq!(bench.token().await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_value_of_another_session_or_field_is_none() {
    let mut bench = Bench::new();
    bench.set(fill).await;
    let mut other = Tab::new(&bench.layer);
    other.run(|mut s: VaultSession| async move { s.set_token("theirs") }).await.ok();
    let theirs = record(&bench.spy, &other).await.fields.get("token").unwrap().to_vec();
    bench.plant("token", &theirs).await;
    assert_eq!(bench.token().await, None);
    let once = bench.stored("once").await.unwrap();
    bench.plant("token", once.as_bytes()).await;
    assert_eq!(bench.token().await, None);
    // Under an alias it is another name, too.
    let list = bench.stored("list").await.unwrap();
    bench.plant("old_list", list.as_bytes()).await;
    bench.plant("list", b"\"sealed:1:\"").await;
    assert_eq!(bench.get(|s| s.list().len()).await, 0);
    bench.plant("state", once.as_bytes()).await;
    let state =
        bench.tab.run(|mut s: VaultSession| async move { s.consume_state().await.unwrap() });
    assert_eq!(state.await.ok(), None);
}

#[tokio::test]
async fn a_value_in_clear_is_read_only_where_that_is_asked_for() {
    let mut bench = Bench::new();
    bench.set(|s| s.set_page("home")).await;
    bench.plant("token", b"\"planted\"").await;
    bench.plant("state", b"\"planted\"").await;
    assert_eq!(bench.token().await, None);
    bench.restart(bench.layer.clone().accept_plain_secrets(true));
    assert_eq!(bench.token().await.as_deref(), Some("planted"));
    bench.set(|s| s.set_page("next")).await;
    assert_eq!(bench.stored("token").await.as_deref(), Some("\"planted\""));
    bench.set(|s| s.set_token("planted")).await;
    assert!(bench.stored("token").await.unwrap().starts_with("\"sealed:1:"));
    let state =
        bench.tab.run(|mut s: VaultSession| async move { s.consume_state().await.unwrap() });
    assert_eq!(state.await.ok().as_deref(), Some("planted"));
    bench.restart(bench.layer.clone().accept_plain_secrets(false));
    assert_eq!(bench.token().await.as_deref(), Some("planted"));
}

#[tokio::test]
async fn a_strict_field_that_does_not_open_follows_its_policy() {
    mod strict {
        use super::*;

        #[derive(SessionSchema)]
        pub(super) struct Failing {
            #[session(secret, on_invalid = error)]
            token: Option<String>,
        }

        #[derive(SessionSchema)]
        pub(super) struct Dropping {
            page: String,
            #[session(secret, on_invalid = drop_session)]
            token: Option<String>,
        }
    }
    let mut bench = Bench::new();
    bench.set(fill).await;
    bench.plant("token", b"\"sealed:1:AAAAAA:AAAA\"").await;
    let layer = || SessionLayer::new(bench.spy.clone()).keys(ring(1));
    let failing = bench.tab.by(&layer()).run(|_: strict::FailingSession| async {}).await;
    assert_eq!(failing.status, StatusCode::INTERNAL_SERVER_ERROR);
    let mut tab = bench.tab.by(&layer());
    let page = tab.run(|s: strict::DroppingSession| async move { s.page().to_owned() }).await;
    assert_eq!(page.ok(), "");
    assert_eq!(tab.cookie, None);
}
