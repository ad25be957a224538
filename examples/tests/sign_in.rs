use std::pin::pin;
use std::time::Duration;

use session_runtime::testing::TestSession;

use super::*;

fn login() -> Form<Login> {
    Form(Login { user: "ann".to_owned(), password: "correct horse".to_owned() })
}

#[tokio::test]
async fn a_wrong_password_signs_nobody_in() {
    let t = TestSession::<Visitor>::new();
    let Form(mut wrong) = login();
    wrong.password.push('!');
    let _ = sign_in(t.session(), t.typed_manager(), Form(wrong)).await.unwrap();
    assert_eq!(t.session().take_notice().as_deref(), Some("Wrong name or password."));
    assert!(t.try_authenticated().is_err());
}

#[tokio::test]
async fn a_sensitive_step_wants_the_password_again_after_five_minutes() {
    let t = TestSession::<Visitor>::new();
    let _ = sign_in(t.session(), t.typed_manager(), login()).await.unwrap();
    t.advance(Duration::from_secs(5 * 60 + 1));
    assert!(t.authenticated().at_level::<Fresh<300>>().is_err());
    let why = Query(Why { proof: Some("fresh".to_owned()) });
    assert!(home(t.session(), why).await.0.contains("First sign in once more."));
    let _ = sign_in(t.session(), t.typed_manager(), login()).await.unwrap();
    let _ = close(t.authenticated().at_level().unwrap()).await;
    assert!(t.session().take_notice().unwrap().contains("closed"));
}

#[tokio::test]
async fn signing_out_everywhere_stops_a_sign_in_that_is_under_way() {
    let ann = TestSession::<Visitor>::new().signed_in_as("ann".to_owned());
    let thief = ann.another_visitor();
    let mut begun = pin!(sign_in(thief.session(), thief.typed_manager(), login()));
    tokio::select! {
        biased;
        _ = &mut begun => panic!("the password is still being checked"),
        () = async {} => {}
    }
    ann.advance(Duration::from_secs(1));
    let _ = sign_out_everywhere(ann.authenticated(), ann.typed_manager()).await.unwrap();
    let _ = begun.await.unwrap();
    let refused = thief.last_commit().unwrap_err();
    assert!(matches!(*refused, SessionError::SignInDenied(_)), "{refused}");
    assert!(ann.try_authenticated().is_err() && thief.try_authenticated().is_err());
}
