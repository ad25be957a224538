//! Options that decide how values are stored, and migrations.

use super::compare::compare;
use super::file::LockFile;
use super::model::{Locked, LockedSchema};
use super::report::{Finding, Severity};
use crate::clock::Timestamp;
use crate::codec::{Codec, Json, expiring};
use crate::schema::{Field, FieldKind, MigrateError, Migration, Schema, default};

const TEXT: &Codec = Json::<String>::CODEC;
const NUMBER: &Codec = Json::<u32>::CODEC;

const fn text(name: &'static str) -> Field {
    Field::new(name, "String", TEXT, default::<String>)
}

const fn number(name: &'static str) -> Field {
    Field::new(name, "u32", NUMBER, default::<u32>)
}

fn locked(schema: &'static Schema) -> Locked {
    Locked { schema, shape: LockedSchema::of(schema) }
}

fn findings(old: &'static Schema, now: &'static Schema) -> Vec<Finding> {
    let (old, now) = (locked(old).shape, locked(now));
    compare(&old, &now, &LockFile::new(), &[])
}

fn worst(old: &'static Schema, now: &'static Schema) -> Severity {
    let severities = findings(old, now).into_iter().map(|finding| finding.severity);
    severities.max().unwrap_or(Severity::Harmless)
}

static PLAIN: Schema = Schema::new(&0, "Visitor", "", &[text("page")]);
static WITH_TTL: Schema = Schema::new(&0, "Visitor", "", &[text("page").ttl(600_000)]);
static LONGER: Schema = Schema::new(&0, "Visitor", "", &[text("page").ttl(900_000)]);

#[test]
fn a_ttl_that_comes_leaves_values_without_an_end_and_one_that_goes_loses_them() {
    assert_eq!(worst(&PLAIN, &WITH_TTL), Severity::Note);
    let now = Timestamp::from_millis(u64::MAX);
    assert_eq!(expiring::live(b"\"home\"", now), Some(&b"\"home\""[..]), "no end");
    assert_eq!(worst(&WITH_TTL, &PLAIN), Severity::LosesData);
    let stored = expiring::wrap(b"\"home\"", now);
    assert!((TEXT.decode)(&stored).is_err());
    assert_eq!(worst(&WITH_TTL, &LONGER), Severity::Harmless);
    assert_eq!(worst(&LONGER, &LONGER), Severity::Harmless);
}

static NAMED: Schema = Schema::new(&0, "Visitor", "shop", &[text("shop:page")]);
static WHO: Schema = Schema::new(&0, "Visitor", "", &[number("who").principal()]);
static NAMED_WHO: Schema = Schema::new(&0, "Visitor", "shop", &[number("shop:who").principal()]);

#[test]
fn another_namespace_loses_everything_and_everybody() {
    assert_eq!(worst(&PLAIN, &NAMED), Severity::LosesData);
    assert_eq!(worst(&WHO, &NAMED_WHO), Severity::SignsOut);
    let said = findings(&NAMED, &PLAIN);
    assert_eq!(said[0].cure.as_deref(), Some("`#[session(namespace = \"shop\")]`, as before"));
    assert_eq!(findings(&NAMED, &NAMED), []);
    let names: Vec<_> = locked(&NAMED).shape.fields.into_keys().collect();
    assert_eq!(names, ["page"], "the file has the namespace once");
}

static NONCE: Schema =
    Schema::new(&0, "Visitor", "", &[text("page").kind(FieldKind::Nonce { keyed: false })]);
static KEYED: Schema =
    Schema::new(&0, "Visitor", "", &[text("page").kind(FieldKind::Nonce { keyed: true })]);
static SECRET: Schema = Schema::new(&0, "Visitor", "", &[text("page").secret()]);
static ONCE: Schema = Schema::new(&0, "Visitor", "", &[text("page").write_once()]);

#[test]
fn what_is_stored_in_another_form_is_lost_and_what_is_not_is_not() {
    for (old, now, severity) in [
        (&PLAIN, &NONCE, Severity::Note),
        (&NONCE, &KEYED, Severity::LosesData),
        (&KEYED, &PLAIN, Severity::LosesData),
        (&PLAIN, &SECRET, Severity::LosesData),
        (&SECRET, &PLAIN, Severity::LosesData),
        (&PLAIN, &ONCE, Severity::Harmless),
    ] {
        assert_eq!(worst(old, now), severity, "{:?}", findings(old, now));
    }
}

fn to_number(m: &mut Migration<'_>) -> Result<(), MigrateError> {
    if let Some(page) = m.get::<String>("page")? {
        m.set("page", &page.parse::<u32>().unwrap_or(1))?;
    }
    Ok(())
}

fn refuses(m: &mut Migration<'_>) -> Result<(), MigrateError> {
    m.get::<u32>("page").map(drop)
}

fn forgets(_: &mut Migration<'_>) -> Result<(), MigrateError> {
    Ok(())
}

fn renames(m: &mut Migration<'_>) -> Result<(), MigrateError> {
    m.rename("page", "place");
    Ok(())
}

static NUMBERED: &[Field] = &[number("page")];
static UNMIGRATED: Schema = Schema::new(&0, "Visitor", "", NUMBERED).version(2);
static MIGRATED: Schema = Schema::new(&0, "Visitor", "", NUMBERED).version(2).migrate(to_number);
static REFUSED: Schema = Schema::new(&0, "Visitor", "", NUMBERED).version(2).migrate(refuses);
static FORGOTTEN: Schema = Schema::new(&0, "Visitor", "", NUMBERED).version(2).migrate(forgets);
static SAME_VERSION: Schema = Schema::new(&0, "Visitor", "", NUMBERED).migrate(to_number);
static RENAMED: Schema =
    Schema::new(&0, "Visitor", "", &[text("place")]).version(2).migrate(renames);
static UNWRAPPED: Schema =
    Schema::new(&0, "Visitor", "", &[text("page")]).version(2).migrate(unwraps);

fn unwraps(m: &mut Migration<'_>) -> Result<(), MigrateError> {
    match m.get::<String>("page")? {
        Some(page) => m.set("page", &page),
        None => Ok(()),
    }
}

#[test]
fn a_migration_counts_if_it_brings_the_recorded_values_over() {
    for (old, now, severity) in [
        (&PLAIN, &UNMIGRATED, Severity::LosesData),
        (&PLAIN, &SAME_VERSION, Severity::LosesData),
        (&PLAIN, &REFUSED, Severity::LosesData),
        (&PLAIN, &FORGOTTEN, Severity::LosesData),
        (&PLAIN, &MIGRATED, Severity::Note),
        (&PLAIN, &RENAMED, Severity::Note),
        (&WITH_TTL, &UNWRAPPED, Severity::Note),
    ] {
        assert_eq!(worst(old, now), severity, "{:?}", findings(old, now));
    }
    let said = findings(&PLAIN, &UNMIGRATED);
    let cure = said.iter().find_map(|finding| finding.cure.as_deref());
    assert!(cure.is_some_and(|cure| cure.contains("version = 2")), "{said:?}");
}

static LATER: Schema = Schema::new(&0, "Visitor", "", &[text("page")]).version(3);

#[test]
fn a_version_that_falls_is_noted() {
    let said = findings(&LATER, &PLAIN);
    assert_eq!((said.len(), said[0].severity), (1, Severity::Note));
    assert_eq!(worst(&PLAIN, &LATER), Severity::Harmless);
}

static OTHER: Schema = Schema::new(&0, "Shop", "", &[text("page")]);
static EMPTY: Schema = Schema::new(&0, "Visitor", "", &[text("beside")]);

#[test]
fn a_field_may_move_between_schemas_of_one_namespace() {
    let released: LockFile = [("Visitor".to_owned(), locked(&PLAIN).shape)].into();
    let present = [locked(&EMPTY), locked(&OTHER)];
    let from = compare(&released["Visitor"], &present[0], &released, &present);
    let gone = from.iter().find(|finding| finding.field.as_deref() == Some("page"));
    let said = gone.map(|finding| (finding.severity, finding.change.as_str()));
    assert_eq!(said, Some((Severity::Harmless, "it is a field of another schema")));
}
