//! Checks at compile time whether schemas on one record agree.

use std::time::Duration;

use super::{ConflictPolicy, Field, FieldKind, OnInvalid, Schema};

/// Checks at compile time that schemas can share one record.
///
/// Several schemas may be extracted under one layer; all their fields are stored in one record. If
/// two of them store a field under the same name (or one reads the other's under an `alias`), both
/// must declare it alike: its type as written, its kind, and every option that affects what is
/// stored. Only one field can be the principal, because a record belongs to one user, and only one
/// schema per namespace can be versioned. Any difference is a compile error that names the field
/// and the schemas.
///
/// Without it, [`SessionLayer::schema`](crate::SessionLayer::schema) finds such differences at
/// start-up, or else the first extraction does. Those compare the types themselves; here `String`
/// and `std::string::String` differ. Whether two `merge` functions do the same cannot be checked.
///
/// ```
/// use session_runtime::{SessionSchema, same_record};
///
/// #[derive(SessionSchema)]
/// struct Visitor {
///     #[session(default = "en")]
///     locale: String,
///     cart: Vec<String>,
/// }
///
/// #[derive(SessionSchema)]
/// struct Tracking {
///     locale: String,
///     #[session(counter)]
///     visits: u64,
/// }
///
/// same_record!(Visitor, Tracking);
/// ```
#[macro_export]
macro_rules! same_record {
    ($($schema:ty),+ $(,)?) => {
        const _: () = $crate::__private::agree(&[
            $(<$schema as $crate::SessionSchema>::SCHEMA),+
        ]);
    };
}

/// Panics at compile time if two of the schemas disagree.
#[track_caller]
pub const fn agree(schemas: &[&'static Schema]) {
    let mut second = 1;
    while second < schemas.len() {
        let mut first = 0;
        while first < second {
            if let Some(fault) = disagreement(schemas[first], schemas[second]) {
                panic!("{}", fault.as_str());
            }
            first += 1;
        }
        second += 1;
    }
}

const fn disagreement(first: &'static Schema, second: &'static Schema) -> Option<Text> {
    let mut i = 0;
    while i < first.fields.len() {
        let mut j = 0;
        while j < second.fields.len() {
            let (ours, theirs) = (&first.fields[i], &second.fields[j]);
            if let Some(name) = shared_name(ours, theirs)
                && let Some((what, in_first, in_second)) = difference(ours, theirs)
            {
                let fault = on_one_record(first, second)
                    .and(&["disagree on the field `", name, "`: ", what, " is "])
                    .and(&[in_first.as_str(), " in `", first.name, "` and "])
                    .and(&[in_second.as_str(), " in `", second.name, "`"])
                    .and(&["; declare it alike in both, or store one of them elsewhere, with "])
                    .and(&["`rename` on the field or `namespace` on the struct"]);
                return Some(fault);
            }
            j += 1;
        }
        i += 1;
    }
    let versioned = first.version != 1 || second.version != 1;
    if versioned && same(first.namespace, second.namespace) {
        let fault = on_one_record(first, second)
            .and(&["have versions in one namespace, which stores one: give one of them a "])
            .and(&["`namespace` of its own"]);
        return Some(fault);
    }
    match (first.principal(), second.principal()) {
        (Some(ours), Some(theirs)) if !same(ours.name, theirs.name) => {
            let fault = on_one_record(first, second)
                .and(&["have two principals: `", ours.name, "` in `", first.name, "` and `"])
                .and(&[theirs.name, "` in `", second.name, "`"])
                .and(&["; a record belongs to one: mark the same field in both, or give "])
                .and(&["one of them a layer and a cookie of its own"]);
            Some(fault)
        }
        _ => None,
    }
}

const fn on_one_record(first: &Schema, second: &Schema) -> Text {
    Text::of(&["on one record, `", first.name, "` and `", second.name, "` "])
}

/// Returns the first difference between two declarations of one stored field.
const fn difference(ours: &Field, theirs: &Field) -> Option<(&'static str, Text, Text)> {
    if !same(ours.type_name, theirs.type_name) {
        return Some(("its type", quoted(ours.type_name), quoted(theirs.type_name)));
    }
    let (a, b) = (kind(ours.kind), kind(theirs.kind));
    if !same(a, b) {
        return Some(("it", Text::of(&[a]), Text::of(&[b])));
    }
    let (a, b) = (conflict(ours.conflict), conflict(theirs.conflict));
    if !same(a, b) {
        return Some(("its policy for concurrent changes", Text::of(&[a]), Text::of(&[b])));
    }
    let (a, b) = (on_invalid(ours.on_invalid), on_invalid(theirs.on_invalid));
    if !same(a, b) {
        return Some(("its `on_invalid`", Text::of(&[a]), Text::of(&[b])));
    }
    let (a, b) = (ttl(ours.ttl), ttl(theirs.ttl));
    if !same(a.as_str(), b.as_str()) {
        return Some(("its `ttl`", a, b));
    }
    let flags = [
        ("`principal`", ours.principal, theirs.principal),
        ("`renew`", ours.renew, theirs.renew),
        ("`clear_on_login`", ours.clear_on_login, theirs.clear_on_login),
        ("`carry_over`", ours.carry_over, theirs.carry_over),
        ("`secret`", ours.secret, theirs.secret),
    ];
    let mut index = 0;
    while index < flags.len() {
        let (name, ours, theirs) = flags[index];
        if ours != theirs {
            return Some((name, given(ours), given(theirs)));
        }
        index += 1;
    }
    None
}

const fn quoted(text: &str) -> Text {
    Text::of(&["`", text, "`"])
}

const fn given(flag: bool) -> Text {
    Text::of(&[if flag { "given" } else { "not given" }])
}

const fn kind(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Value => "a plain field",
        FieldKind::Counter { signed: true } => "a `counter` of `i64`",
        FieldKind::Counter { signed: false } => "a `counter` of `u64`",
        FieldKind::Flash => "a `flash`",
        FieldKind::Nonce { keyed: false } => "a `nonce`",
        FieldKind::Nonce { keyed: true } => "a `nonce = keyed`",
    }
}

const fn conflict(policy: ConflictPolicy) -> &'static str {
    match policy {
        ConflictPolicy::LastWins => "the default",
        ConflictPolicy::Merge(_) => "`merge`",
        ConflictPolicy::Compare => "`compare`",
        ConflictPolicy::WriteOnce => "`write_once`",
    }
}

const fn on_invalid(on_invalid: OnInvalid) -> &'static str {
    match on_invalid {
        OnInvalid::Default => "`default`",
        OnInvalid::Error => "`error`",
        OnInvalid::DropSession => "`drop_session`",
    }
}

/// Formats the `ttl` as it is written in the option.
const fn ttl(ttl: Option<Duration>) -> Text {
    const UNITS: [(u128, &str); 4] =
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let Some(ttl) = ttl else {
        return given(false);
    };
    let (mut number, mut unit, mut index) = (ttl.as_millis(), "ms", 0);
    while index < UNITS.len() {
        if number % UNITS[index].0 == 0 {
            (number, unit) = (number / UNITS[index].0, UNITS[index].1);
            break;
        }
        index += 1;
    }
    Text::of(&["`\""]).and_number(number).and(&[unit, "\"`"])
}

/// Returns a stored name that refers to both fields.
const fn shared_name(ours: &Field, theirs: &Field) -> Option<&'static str> {
    let mut i = 0;
    while i <= ours.aliases.len() {
        let mut j = 0;
        while j <= theirs.aliases.len() {
            if same(name(ours, i), name(theirs, j)) {
                return Some(name(ours, i));
            }
            j += 1;
        }
        i += 1;
    }
    None
}

/// Returns the stored name, then the aliases.
const fn name(field: &Field, index: usize) -> &'static str {
    if index == 0 { field.name } else { field.aliases[index - 1] }
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut index = 0;
    while index < a.len() {
        if a[index] != b[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// A string buffer for constants, which cannot format.
#[derive(Clone, Copy)]
struct Text {
    bytes: [u8; Self::LONGEST],
    length: usize,
}

impl Text {
    const LONGEST: usize = 2048;

    const fn of(parts: &[&str]) -> Self {
        Self { bytes: [0; Self::LONGEST], length: 0 }.and(parts)
    }

    /// Appends `parts`; a part that does not fit is left out.
    const fn and(mut self, parts: &[&str]) -> Self {
        let mut part = 0;
        while part < parts.len() {
            let bytes = parts[part].as_bytes();
            if self.length + bytes.len() <= Self::LONGEST {
                let mut index = 0;
                while index < bytes.len() {
                    self.bytes[self.length] = bytes[index];
                    self.length += 1;
                    index += 1;
                }
            }
            part += 1;
        }
        self
    }

    const fn and_number(self, number: u128) -> Self {
        const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        let before = if number >= 10 { self.and_number(number / 10) } else { self };
        before.and(&[DIGITS[(number % 10) as usize]])
    }

    const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            // Only whole strings were appended.
            Err(_) => unreachable!(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Json;
    use crate::schema::default;

    const fn field(name: &'static str) -> Field {
        Field::new(name, "u64", Json::<u64>::CODEC, default::<u64>)
    }

    fn fault(ours: Field, theirs: Field) -> Option<String> {
        let schema = |name, field: Field| -> &'static Schema {
            let fields: &'static [Field] = Box::leak(Box::new([field]));
            Box::leak(Box::new(Schema::new(&0, name, "", fields)))
        };
        let fault = disagreement(schema("Visitor", ours), schema("Admin", theirs));
        fault.map(|fault| fault.as_str().to_owned())
    }

    #[test]
    fn fields_under_different_names_have_nothing_to_agree_on() {
        assert_eq!(fault(field("a"), field("b").secret()), None);
        assert_eq!(fault(field("a").principal(), field("b")), None);
    }

    #[test]
    fn a_field_declared_alike_agrees() {
        let declared = || field("a").renew().compare().ttl(1_000).aliases(&["b"]).listed();
        assert_eq!(fault(declared(), declared()), None);
        // Options that concern only listings or defaults may differ.
        assert_eq!(fault(declared(), field("b").renew().compare().ttl(1_000)), None);
    }

    #[test]
    fn every_difference_is_named() {
        let text = || Field::new("a", "String", Json::<String>::CODEC, default::<String>);
        for (theirs, expected) in [
            (text(), "its type is `u64` in `Visitor` and `String` in `Admin`"),
            (field("a").kind(FieldKind::Flash), "it is a plain field in `Visitor` and a `flash`"),
            (field("a").write_once(), "is the default in `Visitor` and `write_once` in `Admin`"),
            (field("a").on_invalid(OnInvalid::Error), "`default` in `Visitor` and `error`"),
            (field("a").ttl(5_400_000), "not given in `Visitor` and `\"90m\"` in `Admin`"),
            (field("a").principal(), "`principal` is not given in `Visitor` and given in"),
            (field("a").renew(), "`renew` is not given"),
            (field("a").clear_on_login(), "`clear_on_login` is not given"),
            (field("a").carry_over(), "`carry_over` is not given"),
            (field("a").secret(), "`secret` is not given"),
        ] {
            let fault = fault(field("a"), theirs).unwrap();
            assert!(fault.contains(expected), "{fault}");
            assert!(
                fault.starts_with("on one record, `Visitor` and `Admin` disagree on the field `a`")
            );
        }
    }

    #[test]
    fn an_alias_is_a_name_like_any_other() {
        let fault = fault(field("a").aliases(&["x", "b"]), field("b").secret()).unwrap();
        assert!(fault.contains("disagree on the field `b`"), "{fault}");
    }

    #[test]
    fn a_namespace_has_one_versioned_schema() {
        const fn schema(namespace: &'static str, version: u32) -> Schema {
            Schema::new(&0, "Visitor", namespace, &[]).version(version)
        }
        static ONE: Schema = schema("", 1);
        static TWO: Schema = schema("", 2);
        static APART: Schema = schema("admin", 2);
        assert!(disagreement(&ONE, &TWO).is_some());
        assert!(disagreement(&TWO, &TWO).is_some());
        assert!(disagreement(&ONE, &ONE).is_none());
        assert!(disagreement(&ONE, &APART).is_none());
    }

    #[test]
    fn two_principals_are_one_field() {
        let fault = fault(field("a").principal(), field("b").principal()).unwrap();
        assert!(fault.contains("two principals: `a` in `Visitor` and `b` in `Admin`"), "{fault}");
    }

    #[test]
    fn times_are_written_in_their_largest_unit() {
        let written = |millis| ttl(Some(Duration::from_millis(millis))).as_str().to_owned();
        assert_eq!(written(250), "`\"250ms\"`");
        assert_eq!(written(90_000), "`\"90s\"`");
        assert_eq!(written(34_560_000_000), "`\"400d\"`");
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let long = "ä".repeat(Text::LONGEST);
        assert_eq!(Text::of(&["a", &long, "b"]).as_str(), "ab");
    }
}
