use axum::http::header::LOCATION;
use session_runtime::testing::TestSession;

use super::*;

async fn state_of(t: &TestSession<Visitor>, page: Page) -> String {
    let redirect = begin(t.session(), Path(page)).await.unwrap().into_response();
    let to = redirect.headers()[LOCATION].to_str().unwrap();
    to.split_once("state=").unwrap().1.to_owned()
}

async fn come_back(t: &TestSession<Visitor>, state: &str) -> (StatusCode, String) {
    let answer = Answer { state: state.to_owned(), code: "ann".to_owned() };
    let response = callback(t.session(), Query(answer)).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn two_flows_at_once_each_come_back_to_their_own_page() {
    let t = TestSession::new();
    let (news, mail) = (state_of(&t, Page::News).await, state_of(&t, Page::Mail).await);
    assert!(come_back(&t, &mail).await.1.contains("Mail: you are ann"));
    assert!(come_back(&t, &news).await.1.contains("News: you are ann"));
}

#[tokio::test]
async fn a_second_callback_with_the_same_state_is_refused() {
    let t = TestSession::new();
    let state = state_of(&t, Page::News).await;
    assert_eq!(come_back(&t, &state).await.0, StatusCode::OK);
    assert_eq!(come_back(&t, &state).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_state_of_somebody_else_or_of_long_ago_is_refused() {
    let t = TestSession::new();
    let state = state_of(&t, Page::News).await;
    assert_eq!(come_back(&t.another_visitor(), &state).await.0, StatusCode::BAD_REQUEST);
    t.advance(std::time::Duration::from_secs(600));
    assert_eq!(come_back(&t, &state).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(t.session().user(), None);
}

#[tokio::test]
async fn a_logout_at_the_provider_is_one_here_and_the_page_says_so() {
    let t = TestSession::new();
    let state = state_of(&t, Page::News).await;
    assert_eq!(come_back(&t, &state).await.0, StatusCode::OK);
    let other = LogoutToken { sid: "another".to_owned() };
    logout(t.manager(), Form(other)).await.unwrap();
    assert_eq!(t.session().user(), Some("ann"));
    let token = LogoutToken { sid: "session of ann".to_owned() };
    logout(t.manager(), Form(token)).await.unwrap();
    let page = show(t.session(), Path(Page::News)).await.0;
    assert!(page.contains("not signed in (ended: other-device)"), "{page}");
}
