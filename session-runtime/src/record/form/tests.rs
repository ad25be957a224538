//! The bytes of the form, and that folding a tail gives the same result as applying the patches.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::write::tombstone;
use super::*;
use crate::clock::{Millis, Timestamp};
use crate::id::SessionId;
use crate::realm::Realm;
use crate::record::patch::{Add, Expect, FieldOp, Lifetime, Op, Patch};
use crate::record::{
    Applying, EndReason, Ended, Fields, Meta, Principal, Record, Renewal, RetiredSecret, Rotation,
    Tombstone,
};
use crate::token::{PatchId, RotationNonce, SecretHash};

const ID: SessionId = SessionId::from_bytes([9; 16]);
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const LIFETIME: Lifetime = Lifetime {
    idle: Some(Duration::from_secs(30 * 60)),
    absolute: Some(Duration::from_secs(12 * 60 * 60)),
    remember: false,
};

fn hash(byte: u8) -> SecretHash {
    SecretHash::from_bytes([byte; 32])
}

fn at(offset: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis().checked_add_signed(offset).unwrap())
}

fn small() -> Record {
    let meta = Meta::new(hash(1), NOW, LIFETIME);
    Record::new(ID, meta, [("lang", "\"en\""), ("user", "7")].into_iter().collect())
}

/// A record with every optional part.
fn full() -> Record {
    let mut record = small();
    let meta = &mut record.meta;
    meta.realm = Realm::new("admin").unwrap();
    meta.epoch = 2;
    meta.rev = 77;
    meta.last_seen = at(-5);
    meta.secret_since = at(1_500);
    meta.authenticated = Some(NOW);
    meta.remember = Some(Millis::new(90_000));
    meta.principal = Some(Principal::of(&meta.realm, "shop", "\"Zoë: 1\""));
    meta.last_principal = Some(Arc::new(Principal::new("", "1").hash()));
    meta.patches = [7, 0xffff_ffff_ffff].map(PatchId::from_u64).into_iter().collect();
    let pending = Rotation { nonce: RotationNonce([3; 16]), next: hash(2) };
    let old = |byte, offset| RetiredSecret { secret: hash(byte), at: at(offset) };
    meta.renewal = Renewal::new(Some(pending), Some(old(4, 15)))
        .with_converging(hash(6))
        .with_converging(hash(8))
        .with_replaced(old(9, 15));
    meta.retired = [old(5, -9), old(7, 20)].into_iter().collect();
    meta.retired.by_sign_in();
    meta.versions = [("", 3), ("admin", 2)].into_iter().collect();
    record.fields = [
        ("", &b" {\"b\":1, \"a\":\"\\u0000\"}"[..]),
        ("12:x=-?+", b"1e3"),
        ("ü", b""),
        ("x", b"\xff"),
    ]
    .into_iter()
    .collect();
    record
}

fn read(form: &Form, kept: Option<&[u8]>) -> Result<Arc<Record>, InvalidForm> {
    let base = match &form.base {
        Base::Inside => None,
        Base::Kept => kept,
        Base::New(base) => Some(&base[..]),
    };
    match decode(ID, &form.value, base)? {
        Entry::Record(record) => Ok(record),
        Entry::Tombstone(_) => panic!("a tombstone"),
    }
}

#[test]
fn the_form_is_what_its_description_says() {
    let head = "1w0000190001690000000001000000000100000000051700001800000....................................";
    let meta = "sAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEc1700000000000i1800000x43200000";
    let golden = format!("{head}.{meta}4:lang4:\"en\"4:user1:7");
    let form = whole(&small(), 5).unwrap();
    assert_eq!(String::from_utf8(form.value).unwrap(), golden);
}

#[test]
fn the_head_of_what_was_read_is_known_again() {
    for form in [whole(&full(), 5).unwrap(), apart(&full(), 6).unwrap()] {
        let record = read(&form, None).unwrap();
        let head = as_read(&record).unwrap();
        assert_eq!(form.value[..head.len()], head);
    }
    assert_eq!(as_read(&full()), None, "not read from a form");
}

#[test]
fn every_part_of_a_record_comes_back_in_every_kind_of_form() {
    for record in [small(), full()] {
        for form in [whole(&record, 5).unwrap(), apart(&record, 6).unwrap()] {
            let read = read(&form, None).unwrap();
            assert_eq!(*read, record);
            assert_eq!(read.note.length as usize, form.value.len());
        }
        let changed = Record { fields: over(&record, "lang", "\"de\""), ..record.clone() };
        assert!(
            over_kept_base(&changed, &record, 7).unwrap().is_none(),
            "there is no base to keep"
        );
        let before = apart(&record, 6).unwrap();
        let Base::New(base) = &before.base else { panic!() };
        let stored = read(&before, None).unwrap();
        let changed = Record { fields: over(&stored, "lang", "\"de\""), ..record.clone() };
        let kept = over_kept_base(&changed, &stored, 7).unwrap().unwrap();
        assert_eq!(kept.base, Base::Kept);
        assert_eq!(*read(&kept, Some(base)).unwrap(), changed);
    }
}

/// Returns the fields of `record` with one changed, over the same base.
fn over(record: &Record, name: &'static str, value: &'static str) -> Fields {
    record.fields.clone().changed_by(vec![(name, Some(value.as_bytes().into()))])
}

#[test]
fn a_tombstone_comes_back_with_why_it_ended_and_when() {
    use EndReason::{Administrator, AnotherUser, Limit, OtherDevice, Replayed, SignedOut, Unknown};

    for by in [SignedOut, AnotherUser, OtherDevice, Administrator, Limit, Replayed, Unknown] {
        let stone = Tombstone { meta: full().meta, ended: Ended::new(by, at(77)) };
        let value = tombstone(&stone, 9).unwrap();
        assert_eq!(decode(ID, &value, None), Ok(Entry::Tombstone(stone)));
    }
}

#[test]
fn numbers_that_do_not_fit_are_refused_and_times_come_back_exactly() {
    let mut record = small();
    record.meta.created = Timestamp::from_millis(u64::MAX);
    record.meta.last_seen = Timestamp::from_millis(0);
    record.meta.idle = Some(Millis::new(u64::MAX));
    let back = read(&whole(&record, 1).unwrap(), None).unwrap();
    assert_eq!(*back, record);
    record.meta.rev = 9_999_999_999;
    let form = whole(&record, 9_999_999_998).unwrap();
    assert_eq!(read(&form, None).unwrap().meta.rev, record.meta.rev);
    let patch = Patch::new();
    assert!(appended(&form.value, patch.id, b"").is_err(), "a counter never wraps");
    assert_eq!(whole(&record, 10_000_000_000), Err(DoesNotFit));
    record.meta.rev += 1;
    assert_eq!(whole(&record, 1), Err(DoesNotFit));
    let large = Record { fields: [("a", "x".repeat(10_000_000))].into_iter().collect(), ..small() };
    assert_eq!(whole(&large, 1), Err(DoesNotFit));
}

#[test]
fn other_versions_and_other_bytes_are_told_apart() {
    let form = whole(&full(), 5).unwrap().value;
    let with_first = |byte| [&[byte], &form[1..]].concat();
    assert_eq!(decode(ID, &with_first(b'2'), None), Err(InvalidForm::Newer('2')));
    for other in [&b""[..], b"{", b"x", b"1", &with_first(b'0'), &with_first(b'a')] {
        assert!(matches!(decode(ID, other, None), Err(InvalidForm::Malformed(_))), "{other:?}");
    }
}

#[test]
fn a_base_that_is_missing_cut_or_of_another_write_is_an_error() {
    let form = apart(&full(), 5).unwrap();
    let Base::New(base) = &form.base else { panic!() };
    let other = [b"0000000006", &base[MARK..]].concat();
    assert_eq!(decode(ID, &form.value, None), Err(InvalidForm::NoBase));
    for wrong in [Some(&base[..base.len() - 1]), Some(&other[..]), Some(&b""[..])] {
        let read = decode(ID, &form.value, wrong);
        assert_eq!(read, Err(InvalidForm::Malformed("base")));
    }
}

/// Damage never causes a panic, and truncation is always detected.
#[test]
fn damage_at_every_position_is_an_error_or_a_record_and_never_a_panic() {
    let patch = Patch::of(vec![
        FieldOp::new("n", Op::Add(Add::unsigned(1, 0))),
        FieldOp::new("lang", Op::remove_if("1")),
        FieldOp::new("x", Op::Remove),
    ]);
    let whole = appended(&whole(&full(), 5).unwrap().value, patch.id, &operations(&patch)).unwrap();
    let apart = apart(&full(), 5).unwrap();
    let Base::New(base) = &apart.base else { panic!() };
    for (value, base) in [(&whole, None), (&apart.value, Some(base))] {
        let base = base.map(|base| &base[..]);
        for at in 0..value.len() {
            assert!(decode(ID, &value[..at], base).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut damaged = value.clone();
                damaged[at] ^= 1 << bit;
                let _ = decode(ID, &damaged, base);
            }
        }
        for at in 0..base.map_or(0, <[u8]>::len) {
            let mut damaged = base.unwrap().to_vec();
            damaged[at] ^= 0x15;
            let _ = decode(ID, value, Some(&damaged));
        }
    }
    let stone = Tombstone { meta: full().meta, ended: Ended::new(EndReason::SignedOut, NOW) };
    let value = tombstone(&stone, 5).unwrap();
    for at in 0..value.len() {
        assert!(decode(ID, &value[..at], None).is_err(), "cut at {at}");
        let mut damaged = value.clone();
        damaged[at] ^= 0x15;
        let _ = decode(ID, &damaged, None);
    }
}

#[test]
fn an_addition_that_no_longer_fits_is_left_out_alone() {
    let form = whole(&small(), 1).unwrap().value;
    let patch = |ops| Patch::of(ops);
    let set = patch(vec![FieldOp::new("n", Op::set("\"text\""))]);
    let add = patch(vec![
        FieldOp::new("n", Op::Add(Add::unsigned(1, 0))),
        FieldOp::new("m", Op::Add(Add::signed(-1, 5))),
    ]);
    let mut value = form;
    for patch in [&set, &add] {
        value = appended(&value, patch.id, &operations(patch)).unwrap();
    }
    let Ok(Entry::Record(record)) = decode(ID, &value, None) else { panic!() };
    assert_eq!(record.fields.get("n"), Some(&b"\"text\""[..]));
    assert_eq!(record.fields.get("m"), Some(&b"4"[..]));
}

#[test]
fn what_depends_on_what_is_stored_is_never_appended() {
    let of = |op| Patch::of(vec![FieldOp::new("n", op)]);
    assert!(is_appendable(&of(Op::set("1"))));
    assert!(is_appendable(&of(Op::remove_if("1"))));
    assert!(!is_appendable(&of(Op::Take)));
    let mut patch = of(Op::Remove);
    patch.expect = vec![Expect::Version { namespace: "".into(), version: 1 }];
    assert!(is_appendable(&patch), "that is in the guard");
    for expect in [Expect::Rev(1), Expect::Field { name: "n".into(), value: None }] {
        assert!(!is_appendable(&Patch { expect: vec![expect], ..patch.clone() }));
    }
    patch.meta.authenticated = true;
    assert!(!is_appendable(&patch));
}

#[test]
fn the_stamp_of_the_schema_versions_is_that_of_their_numbers() {
    let stamp = |all: &[(&str, u32)]| schemas_of(&all.iter().copied().collect());
    assert_eq!(stamp(&[]), *b".....");
    assert_eq!(stamp(&[("a", 1)]), stamp(&[]));
    assert_eq!(stamp(&[("a", 2), ("b", 1)]), stamp(&[("a", 2)]));
    let all = [stamp(&[]), stamp(&[("a", 2)]), stamp(&[("a", 3)]), stamp(&[("b", 2)])];
    for (at, one) in all.iter().enumerate() {
        assert!(all[..at].iter().all(|other| other != one));
    }
}

/// What an engine stores for a session.
struct Stored {
    value: Vec<u8>,
    base: Option<Vec<u8>>,
}

impl Stored {
    fn record(&self) -> Arc<Record> {
        match decode(ID, &self.value, self.base.as_deref()) {
            Ok(Entry::Record(record)) => record,
            other => panic!("{other:?}"),
        }
    }

    fn put(&mut self, form: Form) {
        self.value = form.value;
        match form.base {
            Base::Inside => self.base = None,
            Base::Kept => {}
            Base::New(base) => self.base = Some(base),
        }
    }
}

/// How the next patch is written to the form.
#[derive(Clone, Copy, Debug)]
enum Way {
    Append,
    Whole,
    Apart,
    OverKeptBase,
    /// Rewritten without a patch first, and then appended.
    MergeFirst,
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        4 => Just(Way::Append),
        1 => Just(Way::Whole),
        1 => Just(Way::Apart),
        2 => Just(Way::OverKeptBase),
        1 => Just(Way::MergeFirst),
    ]
}

fn op() -> impl Strategy<Value = FieldOp> {
    let name = prop_oneof![Just("a"), Just("b"), Just("n"), Just("nonce::=1:x"), Just("")];
    let value = prop_oneof![
        "[0-9]{1,3}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..60),
        "-?[0-9]{1,20}".prop_map(String::into_bytes),
    ];
    let add = |delta, absent| {
        prop_oneof![Just(Add::unsigned(delta, 7)), Just(Add::signed(delta, absent)),]
    };
    let op = prop_oneof![
        4 => value.clone().prop_map(Op::set),
        1 => Just(Op::Remove),
        1 => value.prop_map(Op::remove_if),
        3 => (any::<i64>(), any::<i64>()).prop_flat_map(move |(d, a)| add(d, a)).prop_map(Op::Add),
    ];
    (name, op).prop_map(|(name, op)| FieldOp::new(name, op))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Any sequence of patches, appended or merged in any way and order, folds to the same result
    /// as applying each with [`Record::apply`].
    #[test]
    fn any_split_of_base_and_tail_folds_to_what_the_patches_do(
        steps in proptest::collection::vec((op(), proptest::option::of(op()), way()), 0..40),
    ) {
        let mut expected = Arc::new(small());
        let mut stored = Stored { value: Vec::new(), base: None };
        stored.put(whole(&expected, 1).unwrap());
        let mut stamp = 1;
        for (first, second, way) in steps {
            let second = second.filter(|second| second.name != first.name);
            let patch = Patch::of(std::iter::once(first).chain(second).collect());
            let Applying::Stored(after, _) = expected.apply(1, &patch, NOW) else { continue };
            let before = stored.record();
            let Applying::Stored(ours, _) = before.apply(1, &patch, NOW) else { panic!() };
            stamp += 1;
            match way {
                Way::Append => {
                    let appended = appended(&stored.value, patch.id, &operations(&patch));
                    stored.value = appended.unwrap();
                }
                Way::Whole => stored.put(whole(&ours, stamp).unwrap()),
                Way::Apart => stored.put(apart(&ours, stamp).unwrap()),
                Way::OverKeptBase => {
                    let form = over_kept_base(&ours, &before, stamp).unwrap();
                    stored.put(form.unwrap_or_else(|| whole(&ours, stamp).unwrap()));
                }
                Way::MergeFirst => {
                    stored.put(apart(&before, stamp).unwrap());
                    stamp += 1;
                    let appended = appended(&stored.value, patch.id, &operations(&patch));
                    stored.value = appended.unwrap();
                }
            }
            expected = after;
            let record = stored.record();
            prop_assert_eq!(&record, &expected);
            prop_assert_eq!(record.note.stamp, stamp);
        }
    }

    /// Reading never panics, whatever the bytes.
    #[test]
    fn any_bytes_are_an_error_or_a_record(
        head in "1[wat][0-9]{55}[.A-Za-z0-9_-]{37}[0-9]{17}",
        rest in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let value = [head.as_bytes(), &rest].concat();
        let _ = decode(ID, &value, Some(&rest));
    }
}
