//! Patches whose answers are lost, and that are sent again.

use super::*;

#[tokio::test]
async fn a_patch_whose_answer_is_lost_is_sent_again_and_counts_once() {
    for under in all().await {
        let slow = Slow::on(under.store);
        let handler = |mut s: Session<Visitor>| async move { s.add_visits(1) };
        let layer = SessionLayer::new(slow.clone()).store_timeout(Duration::from_millis(200));
        let (app, _) = app(layer, post(handler));
        let mut client = been_to(&app, "/sign-in/1").await;
        slow.next(Call::Apply, Fault::AnswerLost);
        assert_eq!(client.post("/run").await.status, 200, "{}", under.name);
        assert_eq!(client.post("/read").await.body, "1 en 1 []", "{}", under.name);
    }
}

/// Its answer is lost, and by the time that it is sent again the store has forgotten it:
/// whether it counts is not known, and it must not count twice.
#[tokio::test]
async fn a_patch_that_is_sent_again_after_the_store_forgot_it_is_uncertain() {
    for under in all().await {
        let slow = Slow::on(under.store);
        let handler = |mut s: Session<Visitor>| async move { s.add_visits(1) };
        let layer = SessionLayer::new(slow.clone()).store_timeout(Duration::from_millis(500));
        let (app, manager) = app(layer, post(handler));
        let mut client = been_to(&app, "/sign-in/1").await;
        slow.next(Call::Apply, Fault::AnswerLost);
        let again = slow.next(Call::Apply, Fault::AskedLate);
        let (mut first, mut other) = (client.tab(), client.tab());
        let meanwhile = async {
            again.reached().await;
            for _ in 0..4 {
                assert_eq!(other.post("/run").await.status, 200, "{}", under.name);
            }
            again.open();
        };
        let (reply, ()) = tokio::join!(first.post("/run"), meanwhile);
        assert_eq!(
            (reply.status.as_u16(), manager.metrics().uncertain),
            (503, 1),
            "{}",
            under.name
        );
        assert_eq!(client.post("/read").await.body, "1 en 5 []", "{}", under.name);
    }
}

/// Its answer is lost, and the second try fails: that says nothing of the first one, whose
/// changes must not be stored once more by the end of the request.
#[tokio::test]
async fn a_patch_whose_answer_is_lost_is_not_made_anew_because_the_second_try_fails() {
    for under in all().await {
        let slow = Slow::on(under.store);
        let handler = |mut s: Session<Visitor>| async move {
            s.add_visits(1);
            matches!(s.save().await, Err(SessionError::Uncertain)).to_string()
        };
        let layer = SessionLayer::new(slow.clone()).store_timeout(Duration::from_millis(200));
        let (app, _) = app(layer, post(handler));
        let mut client = been_to(&app, "/sign-in/1").await;
        slow.next(Call::Apply, Fault::AnswerLost);
        slow.next(Call::Apply, Fault::Fails).open();
        assert_eq!(client.post("/run").await.body, "true", "{}", under.name);
        assert_eq!(client.post("/read").await.body, "1 en 1 []", "{}", under.name);
    }
}
