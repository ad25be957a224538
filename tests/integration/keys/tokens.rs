//! Signed tokens.

use super::*;

fn signed(bench: &Bench) -> SessionLayer {
    SessionLayer::new(bench.spy.clone()).keys(ring(1)).sign_tokens()
}

#[tokio::test]
async fn a_token_that_was_made_up_never_reaches_the_store() {
    let mut bench = Bench::new();
    bench.restart(signed(&bench));
    bench.set(fill).await;
    assert_eq!(bench.token().await.as_deref(), Some(PLAIN));
    let cookie = bench.tab.cookie.clone().unwrap();
    assert_eq!(cookie.len(), 66);
    bench.spy.take_calls();
    let (token, signature) = cookie.split_once('.').unwrap();
    let random = SessionToken::generate().unwrap().expose();
    let other = SessionLayer::new(memory().store).keys(ring(2)).sign_tokens();
    let mut stranger = Tab::new(&other);
    stranger.run(|mut s: VaultSession| async move { s.set_page("x") }).await.ok();
    for forged in [
        random.clone(),
        format!("{random}.{signature}"),
        format!("{random}."),
        token.to_owned(),
        format!("{token}.{}", "A".repeat(22)),
        format!("{cookie}.{signature}"),
        stranger.cookie.unwrap(),
    ] {
        bench.tab.cookie = Some(forged.clone());
        assert_eq!(bench.token().await, None, "{forged}");
    }
    assert_eq!(bench.spy.calls().len(), 0);
    bench.tab.cookie = Some(cookie);
    assert_eq!(bench.token().await.as_deref(), Some(PLAIN));
}

#[tokio::test]
async fn every_key_of_the_ring_verifies_and_unsigned_tokens_only_where_asked_for() {
    let mut bench = Bench::new();
    bench.set(fill).await;
    let unsigned = bench.tab.clone();
    bench.restart(signed(&bench));
    assert_eq!(bench.token().await, None);
    bench.tab.cookie = unsigned.cookie;
    bench.restart(signed(&bench).accept_unsigned_tokens(true));
    assert_eq!(bench.token().await.as_deref(), Some(PLAIN));
    bench.set(|s| s.set_user(1)).await;
    bench.restart(signed(&bench));
    assert_eq!(bench.token().await.as_deref(), Some(PLAIN), "the next one is signed");
    bench.restart(SessionLayer::new(bench.spy.clone()).keys(rotated(2, 1)).sign_tokens());
    assert_eq!(bench.token().await.as_deref(), Some(PLAIN));
    bench.set(|s| s.set_user(1)).await;
    bench.restart(SessionLayer::new(bench.spy.clone()).keys(ring(2)).sign_tokens());
    assert_eq!(bench.get(|s| s.user()).await, Some(1), "the next one is signed with the first");
}

#[tokio::test]
async fn renewal_by_age_goes_on_with_signed_tokens() {
    let mut bench = Bench::new();
    bench.restart(signed(&bench).renew_after(Some(Duration::from_secs(60))));
    bench.set(fill).await;
    let first = bench.tab.cookie.clone();
    bench.clock.advance(Duration::from_secs(61));
    assert_eq!(bench.token().await.as_deref(), Some(PLAIN));
    assert_ne!(bench.tab.cookie, first);
    assert_eq!(bench.tab.cookie.as_deref().map(str::len), Some(66));
    assert_eq!(bench.token().await.as_deref(), Some(PLAIN));
}

#[test]
fn what_needs_a_key_says_so() {
    let entry = |layer: SessionLayer| layer.check().unwrap_err().entry().unwrap();
    let layer = || SessionLayer::new(memory().store);
    assert_eq!(entry(layer().sign_tokens()), "sign_tokens");
    assert_eq!(entry(layer().accept_plain_secrets(true)), "accept_plain_secrets");
    assert_eq!(entry(layer().keys(ring(1)).accept_unsigned_tokens(true)), "accept_unsigned_tokens");
    assert!(layer().keys(ring(1)).sign_tokens().accept_unsigned_tokens(true).check().is_ok());
}
