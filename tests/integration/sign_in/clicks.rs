//! What a visitor sends twice, or too late.

use std::collections::BTreeSet;
use std::time::Duration;

use session_runtime::{SessionSchema, testing::TestSession};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(SessionSchema)]
struct Visitor {
    #[session(principal)]
    user: Option<u64>,
    #[session(flash)]
    notices: Vec<String>,
    #[session(clear_on_login)]
    wishes: Vec<String>,
    #[session(clear_on_login, counter)]
    guesses: i64,
    #[session(clear_on_login, merge = session_runtime::merge::set)]
    tags: BTreeSet<String>,
}

#[test]
fn a_late_second_sign_out_leaves_the_next_sign_in_alone() {
    let t = TestSession::<Visitor>::new().signed_in_as(1);
    let (mut first, mut second) = (t.session(), t.session());
    first.destroy();
    first.push_notices("Goodbye.");
    drop(first);
    t.last_commit().unwrap();
    t.session().set_user(1);
    t.last_commit().unwrap();
    let signed_in = t.cookie();
    second.destroy();
    second.push_notices("Goodbye.");
    second.set_wishes(vec!["to come back".to_owned()]);
    drop(second);
    t.last_commit().unwrap(); // and no 409 where the first click has done it
    assert_eq!(t.cookie(), signed_in, "no cookie in the late response");
    assert_eq!(t.session().user(), Some(1));
    assert_eq!(t.manager().metrics().destroyed, 1);
}

#[test]
fn whoever_signs_in_again_without_asking_is_remembered_no_longer() {
    let t = TestSession::<Visitor>::new();
    let mut session = t.session();
    session.set_user(1);
    session.remember(30 * DAY);
    drop(session);
    t.advance(2 * DAY);
    t.session().reauthenticated();
    assert_eq!(t.session().expires_in(), Some(30 * DAY), "that is no new sign-in");
    t.session().set_user(1);
    assert_eq!(t.session().expires_in(), Some(Duration::from_secs(30 * 60)));
}

#[test]
fn what_was_planted_is_not_kept_by_a_change_in_place() {
    let t = TestSession::<Visitor>::new().with(|s| {
        s.wishes_mut().push("planted".to_owned());
        s.add_guesses(7);
        s.tags_mut().insert("planted".to_owned());
    });
    let mut session = t.session();
    session.wishes_mut().push("mine".to_owned());
    session.add_guesses(1);
    session.tags_mut().insert("mine".to_owned());
    session.set_user(1);
    drop(session);
    assert_eq!((t.session().wishes(), t.session().guesses()), (&[][..], 1));
    assert_eq!(t.session().tags(), &["mine".to_owned()].into(), "a merge tells them apart");
    let mut session = t.session();
    session.set_wishes(vec!["mine".to_owned()]);
    session.set_user(1);
    drop(session);
    assert_eq!(t.session().wishes(), ["mine"], "what is set stays");
}
