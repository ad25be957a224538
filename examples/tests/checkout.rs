use std::time::Duration;

use session_runtime::testing::TestSession;

use super::*;

fn home() -> Form<Address> {
    Form(Address { address: "Long Lane 1".to_owned() })
}

#[tokio::test]
async fn two_tabs_spend_the_last_voucher_once() {
    let t = TestSession::<Visitor>::new();
    let _ = address(t.session(), home()).await;
    let (one, two) = (t.session(), t.session());
    let (one, two) = tokio::join!(voucher(one), voucher(two));
    assert!(one.is_ok() && two.is_ok());
    assert_eq!((t.session().vouchers(), t.session().discount()), (0, 5));
}

#[tokio::test]
async fn a_double_click_is_one_order() {
    let t = TestSession::<Visitor>::new();
    let _ = address(t.session(), home()).await;
    let (one, two) = (t.session(), t.session());
    let _ = order(one).await.unwrap();
    let first = t.session().order();
    assert!(first.is_some());
    let _ = order(two).await.unwrap();
    let _ = order(t.session()).await.unwrap();
    assert_eq!(t.session().order(), first);
    assert!(t.last_commit().is_ok());
}

#[tokio::test]
async fn the_address_is_forgotten_in_time_and_when_somebody_signs_in() {
    let t = TestSession::<Visitor>::new();
    let _ = address(t.session(), home()).await;
    t.advance(Duration::from_secs(599));
    assert_eq!(t.session().address(), Some("Long Lane 1"));
    t.advance(Duration::from_secs(1));
    let _ = order(t.session()).await.unwrap();
    assert_eq!((t.session().address(), t.session().order()), (None, None));

    let _ = address(t.session(), home()).await;
    let _ = sign_in(t.session()).await;
    assert_eq!((t.session().user(), t.session().address()), (Some("ann"), None));
}
