//! A different user gets a different session; a sign-out removes privileges and secrets.

use std::any::Any;

use super::*;
use crate::clock::Millis;
use crate::codec::Value;
use crate::record::PrincipalHash;
use crate::schema::merge_with;

const fn text(name: &'static str) -> Field {
    Field::new(name, "String", Json::<String>::CODEC, default::<String>)
}

const fn list(name: &'static str) -> Field {
    Field::new(name, "Vec<u8>", Json::<Vec<u8>>::CODEC, default::<Vec<u8>>)
}

fn both(base: &(dyn Any + Send + Sync), stored: &(dyn Any + Send + Sync), mine: Value) -> Value {
    merge_with::<Vec<u8>, _>(
        base,
        stored,
        mine,
        |base: &Vec<u8>, stored: &Vec<u8>, mine: Vec<u8>| {
            let added = mine.into_iter().filter(|item| !base.contains(item));
            stored.iter().copied().chain(added).collect()
        },
    )
}

static LOCALE: Field = text("locale").carry_over().aliases(&["language"]);
static DRAFT: Field = text("draft").carry_over().ttl(1_000);
static TAGS: Field = list("tags").merge(both);
static ONCE: Field = text("once").write_once();
static EXACT: Field = text("exact").compare();
static TOKEN: Field = text("token").secret().aliases(&["old_token"]);

static FIELDS: [Field; 5] = [
    text("locale").carry_over().aliases(&["language"]),
    text("draft").carry_over().ttl(1_000),
    text("role").renew(),
    text("token").secret().aliases(&["old_token"]),
    text("name"),
];
static MARKED: LazyLock<Marked> = LazyLock::new(|| {
    static KNOWN: Schema = Schema::new(&1, "Visitor", "", &FIELDS);
    Marked::of(std::iter::once(&KNOWN))
});

/// The session of user 7, with something in every field.
fn of_seven() -> Origin {
    stored(&[
        ("user", "7"),
        ("name", "\"bo\""),
        ("role", "\"admin\""),
        ("token", "\"gho\""),
        ("language", "\"de\""),
        ("draft", r#"{"until":999999,"value":"over"}"#),
        ("hits", "3"),
        ("tags", "[1,2]"),
        ("once", "\"a\""),
        ("exact", "\"a\""),
    ])
}

/// The same session after user 7 has signed out.
fn was_sevens() -> Origin {
    let Origin::Stored(record) = of_seven() else { panic!() };
    let mut record = (*record).clone();
    record.fields = [("name", "\"bo\"")].into_iter().collect();
    let seven: PrincipalHash = record.meta.principal.take().unwrap().hash();
    record.meta.last_principal = Some(Arc::new(seven));
    Origin::Stored(Arc::new(record))
}

fn id(origin: &Origin) -> SessionId {
    let Origin::Stored(record) = origin else { panic!() };
    record.id
}

fn planned(origin: &Origin, pending: &Pending) -> Plan {
    plan(&Situation { marked: &MARKED, ..situation(origin, pending) }, &mint).unwrap()
}

fn fields(record: &Record) -> Vec<(&str, &str)> {
    let text = |(name, json)| (name, std::str::from_utf8(json).unwrap());
    record.fields.iter().map(text).collect()
}

fn succession(plan: Plan) -> (Record, Option<SessionId>) {
    let Plan::Create(Create { record, ends, from, .. }) = plan else { panic!("{plan:?}") };
    assert!(from.is_none(), "no sealed value goes along");
    (Arc::unwrap_or_clone(record), ends)
}

#[test]
fn another_user_gets_a_session_of_their_own_with_what_is_marked_and_what_is_set() {
    let ops = || vec![set(&USER, "8"), set(&ROLE, "\"user\"")];
    for origin in [of_seven(), was_sevens()] {
        let (new, ends) = succession(planned(&origin, &pending(ops())));
        assert_eq!(ends, Some(id(&origin)));
        assert_ne!(Some(new.id), ends);
        assert_eq!(new.meta.principal, Some(Principal::new("", "8")));
        assert_eq!((new.meta.authenticated, new.meta.epoch), (Some(now()), 1));
    }
    let (new, _) = succession(planned(&of_seven(), &pending(ops())));
    // Under the name it was stored under; the expired value is left behind.
    let expected = [("language", "\"de\""), ("role", "\"user\""), ("user", "8")];
    assert_eq!(fields(&new), expected);
}

#[test]
fn nothing_of_the_former_user_binds_the_next_or_hides_in_what_is_set() {
    let in_place = |field, json| PendingOp { made: Made::InPlace, ..set(field, json) };
    let on = |field, base: &str, json| PendingOp {
        base: Some(base.as_bytes().to_vec()),
        ..in_place(field, json)
    };
    // As if it had been counted under a former name.
    let add = op(&HITS, Op::Add(Add::unsigned(2, 3)));
    let ops = vec![
        set(&USER, "8"),
        add,
        in_place(&NAME, "\"bo!\""),
        on(&TAGS, "[1,2]", "[1,2,9]"),
        on(&EXACT, "\"b\"", "\"mine\""),
        set(&ONCE, "\"b\""),
        in_place(&LOCALE, "\"de-AT\""),
    ];
    let (new, _) = succession(planned(&of_seven(), &pending(ops)));
    let expected = [
        ("hits", "2"),
        ("language", "\"de\""),
        ("locale", "\"de-AT\""),
        ("once", "\"b\""),
        ("tags", "[9]"),
        ("user", "8"),
    ];
    assert_eq!(fields(&new), expected);
}

#[test]
fn a_principal_that_is_replaced_in_place_counts_as_any_other() {
    let op = PendingOp { made: Made::InPlace, ..set(&USER, "8") };
    let (new, ends) = succession(planned(&of_seven(), &pending(vec![op])));
    assert_eq!(new.meta.principal, Some(Principal::new("", "8")));
    assert!(ends.is_some());
}

#[test]
fn what_is_marked_keeps_its_end_and_its_policy() {
    let Origin::Stored(record) = of_seven() else { panic!() };
    let live = r#"{"until":1000001,"value":"live"}"#;
    let fields_of = [("user", "7"), ("draft", live)].into_iter().collect();
    let origin = Origin::Stored(Arc::new(Record { fields: fields_of, ..(*record).clone() }));
    let (new, _) = succession(planned(&origin, &pending(vec![set(&USER, "8")])));
    assert_eq!(fields(&new), [("draft", live), ("user", "8")]);
    let taken = op(&DRAFT, Op::remove_if(live));
    let (new, _) = succession(planned(&origin, &pending(vec![set(&USER, "8"), taken])));
    assert_eq!(fields(&new), [("user", "8")]);
}

#[test]
fn the_first_user_and_the_same_one_keep_the_session() {
    let visitor = stored(&[("name", "\"bo\""), ("token", "\"gho\"")]);
    for origin in [visitor, of_seven(), was_sevens()] {
        let (patch, _) = patch(planned(&origin, &pending(vec![set(&USER, "7")])));
        let removed: Vec<_> = patch.ops.iter().filter(|op| op.op == Op::Remove).collect();
        assert_eq!(removed, Vec::<&FieldOp>::new(), "{origin:?}");
        assert!(patch.meta.authenticated && patch.meta.renew.is_some());
    }
}

#[test]
fn a_sign_out_removes_privileges_and_secrets_that_it_does_not_set() {
    let out = |ops| patch(planned(&of_seven(), &pending(ops))).0;
    let names = |patch: &Patch, which: fn(&Op) -> bool| -> Vec<String> {
        let ops = patch.ops.iter().filter(|op| which(&op.op));
        let mut names: Vec<_> = ops.map(|op| op.name.clone().into_owned()).collect();
        names.sort();
        names
    };
    let removes: fn(&Op) -> bool = |op| matches!(op, Op::Remove);
    let patch = out(vec![op(&USER, Op::Remove)]);
    // Removes names that are not stored, too: a concurrent request may store them.
    assert_eq!(names(&patch, removes), ["old_token", "role", "token", "user"]);
    let kept = out(vec![op(&USER, Op::Remove), set(&ROLE, "\"admin\""), set(&TOKEN, "\"new\"")]);
    assert_eq!(names(&kept, removes), ["old_token", "user"], "the same value, too");
    assert_eq!(names(&kept, |op| matches!(op, Op::Set(_))), ["token"]);
    let of_nobody = stored(&[("role", "\"admin\"")]);
    let none = planned(&of_nobody, &pending(vec![op(&USER, Op::Remove)]));
    assert!(matches!(none, Plan::Nothing), "nobody signs out: {none:?}");
}

#[test]
fn a_failed_response_signs_nobody_in_and_nothing_ends() {
    let (origin, pending) = (of_seven(), pending(vec![set(&USER, "8")]));
    let situation =
        Situation { keep: Keep::SignOutOnly, marked: &MARKED, ..situation(&origin, &pending) };
    assert!(matches!(plan(&situation, &mint).unwrap(), Plan::Nothing));
}

#[test]
fn the_next_user_inherits_no_lifetime() {
    let Origin::Stored(record) = of_seven() else { panic!() };
    let mut record = (*record).clone();
    record.meta.remember = Some(Millis::new(3_600_000));
    let origin = Origin::Stored(Arc::new(record));
    let (new, _) = succession(planned(&origin, &pending(vec![set(&USER, "8")])));
    assert_eq!((new.meta.remember, new.meta.idle), (None, Some(Millis::new(3_600_000))));
    assert_eq!(new.meta.created, now());
}

#[test]
fn the_fork_of_a_sign_in_takes_nothing_of_another_user_along() {
    let (origin, pending) = (Origin::Nobody, pending(vec![set(&USER, "8")]));
    let situation = Situation { marked: &MARKED, ..situation(&origin, &pending) };
    for seen in [of_seven(), was_sevens()] {
        let Origin::Stored(seen) = seen else { panic!() };
        let (new, ends) = succession(fork(&situation, Some(&seen), &mint).unwrap());
        assert!(fields(&new).iter().all(|(name, _)| ["language", "user"].contains(name)));
        assert_eq!(ends, None, "it is another request's by now");
    }
}

#[test]
fn a_user_whom_a_migration_gave_another_name_is_the_same() {
    fn rename(
        migration: &mut crate::schema::Migration<'_>,
    ) -> Result<(), crate::schema::MigrateError> {
        migration.set("user", &Some(107))
    }
    static MIGRATED: [Field; 1] =
        [Field::new("user", "Option<u64>", Json::<Option<u64>>::CODEC, default::<Option<u64>>)
            .principal()
            .null_is_absent()];
    static NEW: Schema = Schema::new(&2, "Visitor", "", &MIGRATED).version(2).migrate(rename);
    let origin = of_seven();
    let planned = |user: &str| {
        let pending = pending(vec![set(&USER, user)]);
        plan(&Situation { schemas: &[&NEW], ..situation(&origin, &pending) }, &mint).unwrap()
    };
    let (patch, _) = patch(planned("107"));
    assert_eq!(patch.meta.principal, Some(Some(Principal::new("", "107"))));
    assert!(succession(planned("7")).1.is_some(), "user 7 is another one by now");
}
