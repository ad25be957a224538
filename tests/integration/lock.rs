//! The schema lock says what becomes of stored sessions, and that is what
//! becomes of them.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use session_runtime::__private::lock::{
    Finding, LockError, Locked, Mode, Report, Severity, Verified, verify,
};
use session_runtime::{SessionSchema, assert_schema_lock};
use session_tests::stores::all;
use tempfile::TempDir;

use crate::evolution::Browser;

/// A lock file, and the directory that it goes with.
fn file() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.lock");
    (dir, path)
}

/// All that is said of a change from the one to the other.
fn findings(released: Locked, now: Locked) -> Vec<Finding> {
    let (_dir, path) = file();
    verify(&path, &[released], Mode::Check).unwrap();
    match verify(&path, &[now], Mode::AcceptLosses).unwrap() {
        Verified::Updated(reports) => reports.into_iter().flat_map(|r| r.findings).collect(),
        other => panic!("{other:?}"),
    }
}

/// A struct of one release and of the next, with one field each: what the lock
/// says of the field, what a reader sees, and that the bytes stay.
macro_rules! change {
    ($test:ident:
        { $(#[$before:meta])* $was:ident: $old:ty = $value:expr }
        { $(#[$after:meta])* $is:ident: $new:ty }
        $severity:ident, $shown:literal) => {
        #[tokio::test]
        async fn $test() {
            mod old {
                #[derive(session_runtime::SessionSchema)]
                pub(super) struct Visitor {
                    $(#[$before])* pub(super) $was: $old,
                    pub(super) beside: bool,
                }
            }
            mod new {
                #[derive(session_runtime::SessionSchema)]
                pub(super) struct Visitor {
                    pub(super) beside: bool,
                    $(#[$after])* pub(super) $is: $new,
                }
            }
            let said = findings(Locked::of::<old::Visitor>(), Locked::of::<new::Visitor>());
            let worst = said.iter().map(|finding| finding.severity).max();
            assert_eq!(worst.unwrap_or(Severity::Harmless), Severity::$severity, "{said:#?}");
            for under in all().await {
                let mut browser = Browser::at(&under);
                browser
                    .does::<old::Visitor>(|s| {
                        s.replace(old::Visitor { $was: $value, beside: true });
                    })
                    .await;
                let before = browser.stored().await;
                let read = browser.says::<new::Visitor>(|s| format!("{:?}", s.snapshot().$is));
                assert_eq!(read.await, $shown, "{said:#?}");
                assert_eq!(browser.stored().await, before, "reading destroys nothing");
                let again = browser.says::<old::Visitor>(|s| format!("{:?}", s.snapshot().$was));
                let expected: $old = $value;
                assert_eq!(again.await, format!("{expected:?}"), "a rolled-back release reads it");
            }
        }
    };
}

change!(an_unchanged_field_survives: { it: u32 = 5 } { it: u32 } Harmless, "5");
change!(a_wider_integer_survives: { it: u32 = 5 } { it: u64 } Harmless, "5");
change!(a_wider_signed_integer_survives: { it: u32 = u32::MAX } { it: i64 } Harmless, "4294967295");
change!(a_narrower_integer_loses: { it: u64 = 300 } { it: u8 } LosesData, "0");
change!(a_sign_is_lost: { it: i32 = -1 } { it: u64 } LosesData, "0");
change!(an_integer_as_a_float_survives: { it: u32 = 5 } { it: f64 } Harmless, "5.0");
change!(a_large_integer_as_a_float_is_rounded:
    { it: u64 = 9_007_199_254_740_993 } { it: f64 } Note, "9007199254740992.0");
change!(a_float_is_no_integer: { it: f64 = 1.5 } { it: u32 } LosesData, "0");
change!(not_even_a_whole_float_is_an_integer: { it: f64 = 2.0 } { it: u32 } LosesData, "0");
change!(a_narrower_float_is_rounded: { it: f64 = 0.123456789 } { it: f32 } Note, "0.12345679");
change!(a_text_is_no_number: { it: String = "5".into() } { it: u32 } LosesData, "0");
change!(a_number_is_no_text: { it: u32 = 5 } { it: String } LosesData, r#""""#);
change!(a_character_is_a_text: { it: char = 'x' } { it: String } Harmless, r#""x""#);
change!(a_text_may_be_no_character: { it: String = "xy".into() } { it: char } LosesData, r"'\0'");
change!(a_value_becomes_optional: { it: String = "x".into() } { it: Option<String> } Harmless, r#"Some("x")"#);
change!(an_option_that_was_set_is_read: { it: Option<u8> = Some(5) } { it: u16 } Note, "5");
change!(an_option_that_was_not_set_reads_as_the_default:
    { it: Option<u8> = None } { #[session(default = 9)] it: u8 } Note, "9");
change!(a_stored_null_is_no_value:
    { #[session(default = 3)] it: Option<u8> = None } { #[session(default = 9)] it: u8 } LosesData, "9");
change!(a_wider_list_survives: { it: Vec<u8> = vec![1, 2] } { it: Vec<u32> } Harmless, "[1, 2]");
change!(a_list_as_a_set_loses_what_is_twice:
    { it: Vec<u8> = vec![1, 1] } { it: std::collections::BTreeSet<u8> } Note, "{1}");
change!(a_set_as_a_list_survives:
    { it: std::collections::BTreeSet<u8> = [2, 1].into() } { it: Vec<u8> } Harmless, "[1, 2]");
change!(an_array_as_a_list_survives: { it: [u8; 2] = [1, 2] } { it: Vec<u8> } Harmless, "[1, 2]");
change!(a_list_as_an_array_may_be_lost: { it: Vec<u8> = vec![1] } { it: [u8; 2] } LosesData, "[0, 0]");
change!(another_map_survives:
    { it: std::collections::HashMap<String, u8> = [("a".into(), 1)].into() }
    { it: std::collections::BTreeMap<String, u16> } Harmless, r#"{"a": 1}"#);
change!(a_wider_pair_survives: { it: (u8, bool) = (1, true) } { it: (u16, bool) } Harmless, "(1, true)");
change!(a_longer_pair_loses: { it: (u8, u8) = (1, 2) } { it: (u8, u8, u8) } LosesData, "(0, 0, 0)");
change!(a_box_is_what_it_holds: { it: Box<str> = "x".into() } { it: String } Harmless, r#""x""#);
change!(anything_is_json:
    { it: Vec<u8> = vec![1] } { it: serde_json::Value } Harmless, "Array [Number(1)]");
change!(a_renamed_field_loses: { basket: Vec<u8> = vec![1] } { cart: Vec<u8> } LosesData, "[]");
change!(a_renamed_field_with_an_alias_survives:
    { basket: Vec<u8> = vec![1] } { #[session(alias = "basket")] cart: Vec<u8> } Harmless, "[1]");
change!(a_renamed_field_with_its_stored_name_survives:
    { basket: Vec<u8> = vec![1] } { #[session(rename = "basket")] cart: Vec<u8> } Harmless, "[1]");
change!(an_alias_does_not_help_against_another_type:
    { basket: Vec<u8> = vec![1] } { #[session(alias = "basket")] cart: String } LosesData, r#""""#);
change!(a_counter_becomes_a_value: { #[session(counter)] it: u64 = 5 } { it: u64 } Harmless, "5");
change!(a_value_becomes_a_counter: { it: u64 = 5 } { #[session(counter)] it: u64 } Harmless, "5");
change!(a_wide_counter_may_lose: { #[session(counter)] it: i64 = -5 } { #[session(counter)] it: u64 } LosesData, "0");
change!(a_value_becomes_a_flash: { it: Option<u8> = Some(5) } { #[session(flash)] it: Option<u8> } Note, "Some(5)");
change!(a_flash_becomes_a_value: { #[session(flash)] it: Option<u8> = Some(5) } { it: Option<u8> } Note, "Some(5)");
change!(policies_change_nothing:
    { it: u32 = 5 } { #[session(renew, on_invalid = error)] it: u32 } Harmless, "5");
change!(a_wider_principal_survives:
    { #[session(principal)] who: Option<u32> = Some(7) } { #[session(principal)] who: Option<u64> } Harmless, "Some(7)");
change!(a_renamed_principal_with_an_alias_survives:
    { #[session(principal)] who: Option<u64> = Some(7) }
    { #[session(principal, alias = "who")] user: Option<u64> } Harmless, "Some(7)");
change!(a_renamed_principal_signs_out:
    { #[session(principal)] who: Option<u64> = Some(7) }
    { #[session(principal)] user: Option<u64> } SignsOut, "None");
change!(a_retyped_principal_signs_out:
    { #[session(principal)] who: Option<u64> = Some(7) }
    { #[session(principal)] who: Option<String> } SignsOut, "None");
change!(a_field_that_becomes_the_principal_signs_nobody_in:
    { who: Option<u64> = Some(7) } { #[session(principal)] who: Option<u64> } SignsOut, "None");
change!(a_principal_no_more_is_a_value:
    { #[session(principal)] who: Option<u64> = Some(7) } { who: Option<u64> } SignsOut, "Some(7)");

/// What the strict policies make of a loss.
mod strict {
    use session_runtime::SessionSchema;

    pub(super) mod old {
        use super::*;
        #[derive(SessionSchema)]
        pub(in super::super) struct Visitor {
            pub(in super::super) page: String,
        }
    }

    pub(super) mod fails {
        use super::*;
        #[derive(SessionSchema)]
        pub(in super::super) struct Visitor {
            #[session(on_invalid = error)]
            pub(in super::super) page: u32,
        }
    }

    pub(super) mod ends {
        use super::*;
        #[derive(SessionSchema)]
        pub(in super::super) struct Visitor {
            #[session(on_invalid = drop_session)]
            pub(in super::super) page: u32,
        }
    }
}

#[tokio::test]
async fn a_strict_field_that_loses_fails_requests_or_ends_sessions_and_the_lock_says_so() {
    use strict::{ends, fails, old};
    let said = findings(Locked::of::<old::Visitor>(), Locked::of::<fails::Visitor>());
    assert_eq!(said[0].severity, Severity::Fails);
    assert!(said[0].effect.contains("answered with 500"), "{said:#?}");
    let said = findings(Locked::of::<old::Visitor>(), Locked::of::<ends::Visitor>());
    assert_eq!(said[0].severity, Severity::SignsOut);
    assert!(said[0].effect.contains("such a session is ended"), "{said:#?}");
    for under in all().await {
        let mut browser = Browser::at(&under);
        browser.does::<old::Visitor>(|s| s.set_page("home")).await;
        let reply = browser.visit::<fails::Visitor>(|s| s.page().to_string()).await;
        assert_eq!(reply.status, 500);
        assert_eq!(browser.says::<old::Visitor>(|s| s.page().to_owned()).await, "home");
        assert_eq!(browser.says::<ends::Visitor>(|s| s.page().to_string()).await, "0");
        assert_eq!(browser.says::<old::Visitor>(|s| s.page().to_owned()).await, "");
    }
}

/// Three releases of one schema; its item grows.
mod v1 {
    use super::*;
    #[derive(Serialize, Deserialize, Default, Debug)]
    pub(super) struct Item {
        pub(super) name: String,
    }
    #[derive(SessionSchema)]
    pub(super) struct Visitor {
        pub(super) cart: Vec<Item>,
        pub(super) page: String,
    }
}

mod v2 {
    use super::*;
    #[derive(Serialize, Deserialize, Default, Debug)]
    pub(super) struct Item {
        pub(super) name: String,
        #[serde(default)]
        pub(super) count: u32,
    }
    #[derive(SessionSchema)]
    pub(super) struct Visitor {
        pub(super) cart: Vec<Item>,
        pub(super) theme: u8,
    }
}

mod v3 {
    use super::*;
    #[derive(Serialize, Deserialize, Default, Debug)]
    pub(super) struct Item {
        pub(super) name: String,
        pub(super) count: u32,
    }
    #[derive(SessionSchema)]
    pub(super) struct Visitor {
        pub(super) cart: Vec<Item>,
        pub(super) theme: u8,
        pub(super) page: u32,
    }
}

mod v4 {
    use super::*;
    #[derive(Serialize, Deserialize, Default, Debug)]
    pub(super) struct Item {
        #[serde(default)]
        pub(super) title: String,
    }
    #[derive(SessionSchema)]
    pub(super) struct Visitor {
        pub(super) cart: Vec<Item>,
        pub(super) page: String,
    }
}

fn first() -> Locked {
    Locked::of::<v1::Visitor>().sample(v1::Visitor::CART, vec![v1::Item { name: "pen".into() }])
}

fn second() -> Locked {
    Locked::of::<v2::Visitor>()
        .sample(v2::Visitor::CART, vec![v2::Item { name: "pen".into(), count: 2 }])
}

fn losses(result: Result<Verified, LockError>) -> Vec<Report> {
    match result {
        Err(LockError::Losses { reports, .. }) => reports,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_sample_shows_what_a_type_became_inside() {
    // Without a sample the names say that nothing changed: an empty list is any list.
    let without = findings(Locked::of::<v1::Visitor>(), Locked::of::<v4::Visitor>());
    assert_eq!(without, []);
    let (_dir, path) = file();
    verify(&path, &[first()], Mode::Check).unwrap();
    let reports = losses(verify(&path, &[Locked::of::<v3::Visitor>()], Mode::Check));
    let said = reports[0].of("cart")[0];
    assert_eq!(said.severity, Severity::LosesData);
    assert!(
        said.effect.contains(r#"`[{"name":"pen"}]` was stored and does not decode"#),
        "{said:?}"
    );
    let reports = losses(verify(&path, &[Locked::of::<v4::Visitor>()], Mode::Check));
    let said = reports[0].of("cart")[0];
    assert!(said.effect.contains("`[0].name` of"), "it decodes, and loses the name: {said:?}");
    for under in all().await {
        let mut browser = Browser::at(&under);
        browser.does::<v1::Visitor>(|s| s.set_cart(vec![v1::Item { name: "pen".into() }])).await;
        let cart = browser.says::<v2::Visitor>(|s| format!("{:?}", s.cart())).await;
        assert_eq!(cart, r#"[Item { name: "pen", count: 0 }]"#);
        assert_eq!(browser.says::<v3::Visitor>(|s| format!("{:?}", s.cart())).await, "[]");
        let cart = browser.says::<v4::Visitor>(|s| format!("{:?}", s.cart())).await;
        assert_eq!(cart, r#"[Item { title: "" }]"#);
    }
}

#[test]
fn samples_of_every_release_are_kept_until_somebody_deletes_them() {
    let (_dir, path) = file();
    verify(&path, &[first()], Mode::Check).unwrap();
    verify(&path, &[second()], Mode::Update).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(r#"[{"count":2,"name":"pen"}],[{"name":"pen"}]"#), "{text}");
    assert_eq!(verify(&path, &[second()], Mode::Ci).unwrap(), Verified::Unchanged);
    let reports = losses(verify(&path, &[Locked::of::<v3::Visitor>()], Mode::Check));
    assert_eq!(reports[0].of("cart")[0].severity, Severity::LosesData, "the first release's");
    fs::write(&path, text.replace(r#",[{"name":"pen"}]"#, "")).unwrap();
    let reports = losses(verify(&path, &[Locked::of::<v3::Visitor>()], Mode::Check));
    assert_eq!(reports[0].of("cart"), [] as [&Finding; 0]);
}

#[test]
fn the_name_of_a_removed_field_is_not_free_for_another_type() {
    let (_dir, path) = file();
    verify(&path, &[first()], Mode::Check).unwrap();
    verify(&path, &[second()], Mode::Update).unwrap();
    let reports = losses(verify(&path, &[Locked::of::<v3::Visitor>()], Mode::Update));
    let said = reports[0].of("page");
    assert_eq!(said[0].change, "its type was `String` and is `u32`");
    assert_eq!(said[1].change, "it was removed, and is back");
}

#[test]
fn nothing_is_written_but_what_was_asked_for() {
    let (_dir, path) = file();
    let missing = verify(&path, &[first()], Mode::Ci).unwrap_err();
    assert!(matches!(missing, LockError::Missing { .. }));
    assert!(missing.to_string().contains("knows nothing of `Visitor`"), "{missing}");
    assert!(!path.exists());
    let added = verify(&path, &[first()], Mode::Check).unwrap();
    assert_eq!(added, Verified::Added(vec!["Visitor".into()]));
    let before = fs::read_to_string(&path).unwrap();
    assert_eq!(verify(&path, &[first()], Mode::Check).unwrap(), Verified::Unchanged);
    for mode in [Mode::Check, Mode::Ci] {
        let outdated = verify(&path, &[second()], mode).unwrap_err();
        assert!(matches!(outdated, LockError::Outdated { .. }), "{outdated}");
        assert!(outdated.to_string().contains("SESSION_LOCK=update cargo test"), "{outdated}");
    }
    for mode in [Mode::Check, Mode::Ci, Mode::Update] {
        losses(verify(&path, &[Locked::of::<v3::Visitor>()], mode));
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    verify(&path, &[Locked::of::<v3::Visitor>()], Mode::AcceptLosses).unwrap();
    let accepted = verify(&path, &[Locked::of::<v3::Visitor>()], Mode::Ci).unwrap();
    assert_eq!(accepted, Verified::Unchanged, "what was accepted is not said again");
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no file is left over");
}

mod aliased {
    use session_runtime::SessionSchema;
    #[derive(SessionSchema)]
    pub(super) struct Visitor {
        #[session(alias = "basket")]
        pub(super) cart: Vec<u8>,
    }
}

mod unaliased {
    use session_runtime::SessionSchema;
    #[derive(SessionSchema)]
    pub(super) struct Visitor {
        pub(super) cart: Vec<u8>,
    }
    #[derive(SessionSchema)]
    pub(super) struct Guest {
        pub(super) cart: Vec<u8>,
    }
    #[derive(SessionSchema)]
    pub(super) struct Admin {
        pub(super) level: u8,
    }
}

#[test]
fn an_alias_that_goes_too_early_is_a_loss() {
    let said = findings(Locked::of::<aliased::Visitor>(), Locked::of::<unaliased::Visitor>());
    assert_eq!(said[0].severity, Severity::LosesData);
    assert_eq!(said[0].change, "its alias `basket` is gone");
    let back = findings(Locked::of::<unaliased::Visitor>(), Locked::of::<aliased::Visitor>());
    assert_eq!(back, [], "an alias more is no loss");
}

#[test]
fn another_name_of_the_struct_is_no_other_schema() {
    let said = findings(Locked::of::<unaliased::Visitor>(), Locked::of::<unaliased::Guest>());
    assert_eq!(said, [], "nothing is stored under it");
    let (_dir, path) = file();
    let both = [Locked::of::<unaliased::Guest>(), Locked::of::<unaliased::Admin>()];
    verify(&path, &both, Mode::Check).unwrap();
    let outdated = verify(&path, &both[..1], Mode::Check).unwrap_err().to_string();
    assert!(outdated.contains("Admin: note"), "{outdated}");
    let twice = [Locked::of::<v1::Visitor>(), Locked::of::<v2::Visitor>()];
    assert!(matches!(verify(&path, &twice, Mode::Check), Err(LockError::SameName(_))));
}

#[test]
fn a_file_that_is_no_lock_is_left_alone() {
    let (_dir, path) = file();
    fs::write(&path, "<<<<<<< HEAD").unwrap();
    for mode in [Mode::Check, Mode::Ci, Mode::Update, Mode::AcceptLosses] {
        let error = verify(&path, &[first()], mode).unwrap_err();
        assert!(matches!(error, LockError::Malformed { .. }), "{error}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "<<<<<<< HEAD");
}

#[test]
fn the_test_line_passes_or_says_struct_field_effect_and_cure() {
    let (_dir, path) = file();
    verify(&path, &[Locked::of::<v1::Visitor>(), Locked::of::<unaliased::Admin>()], Mode::Check)
        .unwrap();
    assert_schema_lock!(&path, v1::Visitor, unaliased::Admin);
    assert_schema_lock!(&path, [Locked::of::<v1::Visitor>(), Locked::of::<unaliased::Admin>()]);
    mod next {
        #[derive(session_runtime::SessionSchema)]
        pub(super) struct Visitor {
            pub(super) basket: Vec<super::v1::Item>,
            pub(super) page: u32,
        }
    }
    let panic = std::panic::catch_unwind(|| {
        assert_schema_lock!(&path, next::Visitor, unaliased::Admin);
    });
    let message = *panic.unwrap_err().downcast::<String>().unwrap();
    println!("{message}");
    let expected = "\
  Visitor.page: LOSES DATA
    Changed: its type was `String` and is `u32`.
    Stored sessions: no value of that type is read; the field reads as its default until it is set, and the stored bytes stay until then.
    Write: another name for the new field, or `#[session(version = 2, migrate = …)]` above the struct.

  If all of that is meant: SESSION_LOCK=accept_losses cargo test
";
    assert!(message.ends_with(expected), "{message}");
}
