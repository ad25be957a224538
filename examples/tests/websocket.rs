use session_runtime::testing::TestSession;

use super::*;

#[tokio::test]
async fn two_sockets_count_together_until_either_tab_signs_out() {
    let t = TestSession::<Visitor>::new();
    let _ = sign_in(t.session()).await;
    // Each is held by its socket, hours after its response.
    let (mut one, mut two) = (t.session(), t.session());
    assert_eq!(count(&mut one).await.unwrap(), 1);
    assert_eq!(count(&mut two).await.unwrap(), 2);
    assert_eq!(count(&mut one).await.unwrap(), 3);

    let _ = sign_out(t.session()).await;
    assert_eq!(t.session().messages(), 0);
    for socket in [&mut one, &mut two] {
        assert_eq!(socket.ended().await, session_runtime::EndReason::SignedOut);
        assert!(matches!(count(socket).await, Err(SessionError::Gone)));
    }
}

#[test]
fn a_page_of_another_host_opens_no_socket() {
    let headers = |origin: &'static str| {
        [("host", "shop.example"), ("origin", origin)]
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .into_iter()
            .collect::<HeaderMap>()
    };
    assert!(is_same_origin(&headers("https://shop.example")));
    assert!(!is_same_origin(&headers("https://evil.example")));
    assert!(!is_same_origin(&HeaderMap::new()));
}
