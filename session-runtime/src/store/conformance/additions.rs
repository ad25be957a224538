//! Bounded additions that merge with concurrent ones.

use super::fixture::{Fixture, set, text};
use super::running::{rounds, together};
use crate::record::patch::{Add, FieldOp, Op, Outcome, Patch, Refused};
use crate::store::SessionStore;

const I64: i64 = i64::MAX;
const U64: u64 = u64::MAX;

fn add(add: Add) -> Patch {
    Patch::of(vec![FieldOp::new("n", Op::Add(add))])
}

/// Returns what `stored` becomes by an addition.
async fn sum<S: SessionStore>(fixture: &Fixture<S>, stored: Option<&str>, by: Add) -> String {
    let mut record = fixture.record();
    record.fields = stored.map(|json| ("n", json)).into_iter().collect();
    let record = fixture.insert(record).await;
    fixture.applied(record.id, &add(by)).await;
    text(&*fixture.found(&record).await, "n").unwrap_or("(nothing)").to_owned()
}

/// A field that is not stored counts as the addition's `absent`.
///
/// `HINCRBY` starts at zero, whatever the schema's default is.
pub async fn an_addition_starts_from_its_default<S: SessionStore>(fixture: Fixture<S>) {
    for (by, expected) in [
        (Add::unsigned(1, 0), "1"),
        (Add::unsigned(2, 40), "42"),
        (Add::unsigned(-3, 1), "0"),
        (Add::signed(-3, 1), "-2"),
        (Add::signed(0, -7), "-7"),
        (Add::unsigned(1, U64), "18446744073709551615"),
    ] {
        assert_eq!(sum(&fixture, None, by).await, expected, "nothing stored, {by:?}");
    }
    let stored = sum(&fixture, Some("1"), Add::unsigned(1, 40)).await;
    assert_eq!(stored, "2", "the default counts only where nothing is stored");
}

/// A sum saturates at the bounds of the field's type.
///
/// A `u64` that wraps to −1 can never be read again.
pub async fn an_addition_saturates_at_its_bounds<S: SessionStore>(fixture: Fixture<S>) {
    for (stored, by, expected) in [
        ("3", Add::unsigned(-5, 0), "0"),
        ("18446744073709551615", Add::unsigned(9, 0), "18446744073709551615"),
        ("18446744073709551610", Add::unsigned(I64, 0), "18446744073709551615"),
        ("9223372036854775807", Add::signed(1, 0), "9223372036854775807"),
        ("-9223372036854775808", Add::signed(i64::MIN, 0), "-9223372036854775808"),
        ("0", Add::signed(i64::MIN, 0), "-9223372036854775808"),
    ] {
        assert_eq!(sum(&fixture, Some(stored), by).await, expected, "{stored} with {by:?}");
    }
}

/// Sums are exact over the whole range of `i64` and `u64`.
///
/// Lua and JavaScript count in doubles: beyond 2⁵³ they are off by one, and return `1e+15` where an
/// integer is expected.
pub async fn an_addition_is_exact_for_large_numbers<S: SessionStore>(fixture: Fixture<S>) {
    for (stored, by, expected) in [
        ("99999999999999", Add::signed(1, 0), "100000000000000"),
        ("9007199254740992", Add::signed(1, 0), "9007199254740993"),
        ("9223372036854775805", Add::signed(1, 0), "9223372036854775806"),
        ("-9223372036854775806", Add::signed(-1, 0), "-9223372036854775807"),
        ("9223372036854775807", Add::unsigned(1, 0), "9223372036854775808"),
        ("18446744073709551613", Add::unsigned(1, 0), "18446744073709551614"),
        ("18446744073709551615", Add::unsigned(-1, 0), "18446744073709551614"),
        ("-0", Add::signed(3, 0), "3"),
    ] {
        assert_eq!(sum(&fixture, Some(stored), by).await, expected, "{stored} with {by:?}");
    }
}

/// An addition to anything but a plain integer within the bounds is refused with the field's name,
/// and the stored bytes do not change.
pub async fn an_addition_refuses_what_is_not_an_integer<S: SessionStore>(fixture: Fixture<S>) {
    let refused = [
        "1.0",
        "1e3",
        "1E3",
        "null",
        "true",
        "\"1\"",
        "[1]",
        "{}",
        "\"\"",
        " 1",
        "1 ",
        "-1",
        "18446744073709551616",
        "99999999999999999999999999999999999999999999",
    ];
    for stored in refused {
        let record = fixture.insert(fixture.with(&[("n", stored)])).await;
        let outcome = fixture.apply(record.id, 1, &add(Add::unsigned(1, 0))).await;
        let Outcome::Refused(why) = &outcome else {
            panic!("adding to {stored:?} must be refused, but: {outcome:?}")
        };
        assert_eq!(*why, Refused::NotAnInteger { field: "n".into() }, "adding to {stored:?}");
        assert_eq!(*fixture.found(&record).await, record, "a refused addition to {stored:?} wrote");
    }
}

/// 64 concurrent additions, alongside writers of other fields, add up exactly.
///
/// Separate reads and writes lose all but one of the additions that read the same number.
pub async fn concurrent_additions_are_all_counted<S: SessionStore>(fixture: Fixture<S>) {
    rounds(10, async |_| {
        let record = fixture.insert(fixture.with(&[("n", "1000")])).await;
        together(64, |task| {
            let (fixture, id) = (fixture.clone(), record.id);
            async move {
                let delta = if task % 4 == 0 { -1 } else { 2 };
                let mut patch = add(Add::unsigned(delta, 0));
                if task % 8 == 1 {
                    patch.ops.push(set("other", &task.to_string()));
                }
                fixture.applied(id, &patch).await;
            }
        })
        .await;
        let found = fixture.found(&record).await;
        assert_eq!(text(&found, "n"), Some("1080"), "1000 + 48 × 2 − 16 × 1, added concurrently");
        assert_eq!(found.meta.rev, 65, "the revision after 64 patches");
    })
    .await;
}
