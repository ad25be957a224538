//! Fields: their bytes, their names, and the operations on them.

use super::fixture::{Fixture, set, text};
use super::running::{rounds, together};
use crate::record::patch::{Applied, FieldOp, Op, Patch};
use crate::store::SessionStore;

/// JSON that databases tend to rewrite.
const JSON: &[&str] = &[
    "1e3",
    "1.0",
    "-0",
    "0.1000",
    "100000000000000000000000000000001",
    "18446744073709551615",
    "  [ 1 ,\t2 ]\n",
    r#"{"b":1,"a":2,"b":3}"#,
    r#""\u0000""#,
    r#""\ud83d\ude00""#,
    "\"😀 é e\u{301} \u{202e}\u{7f}\"",
    r#""it's 100% \"quoted\" \\ ; -- DROP TABLE""#,
    r#""""#,
    "\" \"",
    "null",
    "true",
    "[]",
    "{}",
];

/// Field values come back byte for byte, whether created or patched.
///
/// `jsonb` reorders keys, turns `1e3` into `1000` and refuses `\u0000`; comparisons of bytes then
/// report changes and conflicts that do not exist.
pub async fn field_bytes_come_back_exactly<S: SessionStore>(fixture: Fixture<S>) {
    let mut record = fixture.record();
    let names: Vec<String> = (0..JSON.len()).map(|index| format!("field{index}")).collect();
    record.fields = names.iter().zip(JSON).collect();
    let created = fixture.insert(record).await;
    let patched = fixture.insert(fixture.record()).await;
    let ops = names.iter().zip(JSON);
    let ops = ops.map(|(name, json)| FieldOp::new(name.clone(), Op::set(*json))).collect();
    fixture.applied(patched.id, &Patch::of(ops)).await;
    for (how, record) in [("created", &created), ("patched", &patched)] {
        let found = fixture.found(record).await;
        for (name, json) in names.iter().zip(JSON) {
            assert_eq!(text(&found, name), Some(*json), "bytes of a {how} field");
        }
        assert_eq!(found.fields.len(), JSON.len(), "number of {how} fields");
    }
}

/// Any text is a field name: names that differ in case or in Unicode normalisation are different
/// fields, and a name that the store uses internally is an ordinary name.
///
/// If a record is one hash, a field called `secret` or `rev` overwrites the record's own.
pub async fn a_field_may_have_any_name<S: SessionStore>(fixture: Fixture<S>) {
    let names = [
        "",
        " ",
        "a",
        "A",
        "a ",
        "é",
        "e\u{301}",
        "a.b",
        "a:b",
        "a/b",
        "a'b\"c",
        "a%_*?[b]",
        "$.a",
        "#",
        "@",
        "\n",
        "😀",
        "id",
        "meta",
        "secret",
        "epoch",
        "rev",
        "created",
        "idle",
        "last_seen",
        "absolute",
        "expires",
        "expires_at",
        "principal",
        "fields",
        "data",
        "patches",
        "retired",
        "__proto__",
        "rowid",
        "ttl",
    ];
    let record = fixture.insert(fixture.record()).await;
    let ops = names.iter().enumerate();
    let ops = ops.map(|(n, name)| FieldOp::new(*name, Op::set(n.to_string()))).collect();
    fixture.applied(record.id, &Patch::of(ops)).await;
    let found = fixture.found(&record).await;
    for (n, name) in names.iter().enumerate() {
        assert_eq!(text(&found, name), Some(&*n.to_string()), "the field named {name:?}");
    }
    assert_eq!(found.fields.len(), names.len(), "number of fields");
    let without = |record: &crate::record::Record| {
        let mut meta = record.meta.clone();
        (meta.rev, meta.patches) = Default::default();
        meta
    };
    assert_eq!(without(&found), without(&record), "a field's name reached the record's own data");
    let removals = names.iter().map(|name| FieldOp::new(*name, Op::Remove)).collect();
    fixture.applied(record.id, &Patch::of(removals)).await;
    let rest = fixture.found(&record).await;
    assert!(rest.fields.is_empty(), "fields that cannot be removed: {:?}", rest.fields);
}

/// Values of 100 KB and records of 500 fields come back whole, and changing one of their fields
/// does not affect the others.
pub async fn large_records_come_back_whole<S: SessionStore>(fixture: Fixture<S>) {
    let letter = |n: usize| char::from(b'a' + (n % 26) as u8).to_string();
    let large = |n: usize| format!("\"{}\"", letter(n).repeat(100_000));
    let mut record = fixture.record();
    record.fields = (0..3).map(|n| (format!("large{n}"), large(n))).collect();
    let record = fixture.insert(record).await;
    fixture.applied(record.id, &Patch::of(vec![set("large1", &large(9)), set("x", "1")])).await;
    let found = fixture.found(&record).await;
    let same = |name, n| found.fields.get(name) == Some(large(n).as_bytes());
    assert!(same("large0", 0) && same("large2", 2), "a large field that no patch named changed");
    assert!(same("large1", 9), "a large value was not stored whole");

    let mut record = fixture.record();
    record.fields = (0..500).map(|n| (format!("f{n:03}"), n.to_string())).collect();
    let record = fixture.insert(record).await;
    fixture.applied(record.id, &Patch::of(vec![set("f250", "\"new\"")])).await;
    let found = fixture.found(&record).await;
    for n in (0..500).filter(|n| *n != 250) {
        assert_eq!(text(&found, &format!("f{n:03}")), Some(&*n.to_string()), "field {n} of 500");
    }
    assert_eq!(text(&found, "f250"), Some("\"new\""), "the changed field of 500");
}

/// A patch changes the fields it names; all others keep their bytes, and the other data of the
/// record does not change.
///
/// When whole records are written, two tabs lose each other's changes.
pub async fn a_patch_touches_only_what_it_names<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.with(&[("a", "1e3"), ("b", "{ }"), ("c", "3"), ("unknown", "[ 1]")]);
    let record = fixture.insert(record).await;
    let patch = Patch::of(vec![set("b", "2"), FieldOp::new("c", Op::Remove), set("d", "4")]);
    fixture.applied(record.id, &patch).await;
    let found = fixture.found(&record).await;
    let all: Vec<_> = found.fields.iter().map(|(name, _)| (name, text(&found, name))).collect();
    let expected =
        [("a", Some("1e3")), ("b", Some("2")), ("d", Some("4")), ("unknown", Some("[ 1]"))];
    assert_eq!(all, expected, "fields after a patch");
    let mut expected = record.meta.clone();
    expected.rev += 1;
    expected.patches.push(patch.id);
    assert_eq!(found.meta, expected, "meta after a patch that names only fields");
}

/// A removed field is absent, and can be set again.
///
/// Stores that merge JSON keep it as `null`, and its default is never used again.
pub async fn a_removed_field_is_absent_not_null<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.with(&[("gone", "1"), ("null", "null")])).await;
    let remove = |name: &'static str| Patch::of(vec![FieldOp::new(name, Op::Remove)]);
    fixture.applied(record.id, &remove("gone")).await;
    fixture.applied(record.id, &remove("never stored")).await;
    let found = fixture.found(&record).await;
    assert_eq!(text(&found, "gone"), None, "a removed field");
    assert_eq!(text(&found, "null"), Some("null"), "a field that holds `null`");
    assert_eq!(found.fields.len(), 1, "number of fields after a removal");
    fixture.applied(record.id, &Patch::of(vec![set("gone", "2")])).await;
    assert_eq!(text(&*fixture.found(&record).await, "gone"), Some("2"), "a field set again");
}

/// A record without fields is still a session.
///
/// `HDEL` of the last field removes a Redis hash: the user is logged out because their last flash
/// message was read.
pub async fn removing_the_last_field_keeps_the_record<S: SessionStore>(fixture: Fixture<S>) {
    for op in [Op::Remove, Op::remove_if("1"), Op::Take] {
        let record = fixture.insert(fixture.with(&[("only", "1")])).await;
        fixture.applied(record.id, &Patch::of(vec![FieldOp::new("only", op.clone())])).await;
        let found = fixture.found(&record).await;
        assert!(found.fields.is_empty(), "after {op:?} of the only field: {:?}", found.fields);
        fixture.applied(record.id, &Patch::of(vec![set("next", "2")])).await;
        assert_eq!(text(&*fixture.found(&record).await, "next"), Some("2"), "set after {op:?}");
    }
}

/// `RemoveIf` removes a field that holds exactly the bytes that were read; it leaves any other
/// value alone, without failing the patch.
///
/// A flash message that another request has set meanwhile must be shown.
pub async fn a_conditional_removal_spares_a_changed_value<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.with(&[("read", "\"old\""), ("newer", "1.0")])).await;
    let remove_if = |name: &'static str, bytes: &str| FieldOp::new(name, Op::remove_if(bytes));
    let ops = vec![
        remove_if("read", "\"old\""),
        remove_if("newer", "1"),
        remove_if("missing", "null"),
        set("seen", "true"),
    ];
    fixture.applied(record.id, &Patch::of(ops)).await;
    let found = fixture.found(&record).await;
    assert_eq!(text(&found, "read"), None, "a field that holds what was read");
    assert_eq!(text(&found, "newer"), Some("1.0"), "a field that holds something else");
    assert_eq!(text(&found, "missing"), None, "a field that is not stored");
    assert_eq!(text(&found, "seen"), Some("true"), "the rest of the patch");
}

/// `Take` removes the field and returns its exact bytes; for a field that is not stored it returns
/// nothing.
pub async fn a_take_hands_out_the_bytes_and_removes_the_field<S: SessionStore>(
    fixture: Fixture<S>,
) {
    let record = fixture.insert(fixture.with(&[("nonce", " \"é\" "), ("other", "2")])).await;
    let take = |name: &'static str| FieldOp::new(name, Op::Take);
    let patch = Patch::of(vec![take("nonce"), take("missing")]);
    let applied = fixture.applied(record.id, &patch).await;
    assert_eq!(value_of(&applied, "nonce"), Some(" \"é\" ".as_bytes()), "the taken bytes");
    assert_eq!(value_of(&applied, "missing"), None, "taken though it is not stored");
    assert_eq!(applied.taken.len(), 2, "one answer per take");
    let found = fixture.found(&record).await;
    assert_eq!(text(&found, "nonce"), None, "a taken field");
    assert_eq!(text(&found, "other"), Some("2"), "a field beside a taken one");
}

/// Of 32 concurrent takers of a field, exactly one gets it.
///
/// An OAuth state or one-time token that two requests can use does not protect against replay.
pub async fn a_field_is_taken_at_most_once<S: SessionStore>(fixture: Fixture<S>) {
    rounds(50, async |_| {
        let record = fixture.insert(fixture.with(&[("nonce", "\"x\"")])).await;
        let applied = together(32, |_| {
            let (fixture, id) = (fixture.clone(), record.id);
            let patch = Patch::of(vec![FieldOp::new("nonce", Op::Take)]);
            async move { fixture.applied(id, &patch).await }
        })
        .await;
        let got = applied.iter().filter(|applied| value_of(applied, "nonce").is_some()).count();
        assert_eq!(got, 1, "this many of 32 concurrent takers got the value");
    })
    .await;
}

fn value_of<'a>(applied: &'a Applied, name: &str) -> Option<&'a [u8]> {
    applied.taken.iter().find(|taken| taken.name == name)?.value.as_deref()
}
