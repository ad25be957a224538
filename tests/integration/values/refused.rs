//! Values whose JSON is that of another value.

use session_runtime::testing::TestSession;
use session_runtime::{SessionError, SessionSchema};
use session_tests::stores::memory;

#[derive(SessionSchema)]
struct Measured {
    weight: f64,
    limit: Option<f64>,
    agreed: Option<()>,
    choice: Option<Option<u32>>,
    #[session(flash)]
    notice: Option<f64>,
    tree: Vec<serde_json::Value>,
    locale: String,
}

type Change = fn(&mut MeasuredSession);

fn deep() -> serde_json::Value {
    (0..126).fold(serde_json::Value::Null, |inner, _| [inner].into_iter().collect())
}

#[test]
fn what_could_not_be_read_back_is_an_error_and_nothing_is_stored() {
    let all: [(&str, Change); 8] = [
        ("weight", |s| s.set_weight(f64::NAN)),
        ("weight", |s| s.update(Measured::WEIGHT, |it| *it = f64::INFINITY)),
        ("limit", |s| s.set_limit(f64::NAN)),
        ("agreed", |s| s.set_agreed(())),
        ("choice", |s| s.set_choice(None)),
        ("choice", |s| *s.choice_mut() = Some(None)),
        ("notice", |s| s.set_notice(f64::NEG_INFINITY)),
        ("tree", |s| s.tree_mut().push(vec![deep()].into())),
    ];
    for (name, change) in all {
        let t = TestSession::<Measured>::with_store(memory().store);
        let mut session = t.session();
        session.set_locale("de");
        change(&mut session);
        drop(session);
        let error = t.last_commit().unwrap_err();
        let refused = matches!(&*error, SessionError::Unencodable { field, .. } if *field == name);
        assert!(refused, "{name}: {error}");
        assert_eq!(error.status_and_text().0, 500);
        assert!(t.stored().is_none(), "{name}: half of a handler's changes");
    }
}

#[test]
fn what_is_read_back_is_stored() {
    let t = TestSession::<Measured>::with_store(memory().store).with(|s| {
        s.set_weight(-0.0);
        s.set_limit(f64::MAX);
        s.set_choice(Some(7));
        s.tree_mut().push(deep());
    });
    let session = t.session();
    assert_eq!(session.weight().to_bits(), (-0.0_f64).to_bits());
    assert_eq!((session.limit(), session.choice()), (Some(f64::MAX), Some(&Some(7))));
    assert_eq!(*session.tree(), [deep()]);
}
