//! The effects of schema changes on stored sessions.

use super::file::LockFile;
use super::fit::{Fit, fit};
use super::migrated::{Brought, Migrated};
use super::model::{Locked, LockedField, LockedSchema};
use super::names::Type;
use super::pair::Pair;
use super::report::{Finding, Severity};

/// Returns all changes between `old` and `now`.
///
/// A field may have moved between schemas of one namespace: `released` and `present` are all of
/// them.
pub(super) fn compare(
    old: &LockedSchema,
    now: &Locked,
    released: &LockFile,
    present: &[Locked],
) -> Vec<Finding> {
    if let Some(all_lost) = namespace(old, now) {
        return vec![all_lost];
    }
    let migrated = Migrated::of(old, now);
    let mut findings = Vec::new();
    findings.extend(version(old, now, &migrated));
    let fields = Fields { old, now, released, present, migrated: &migrated };
    for (name, new) in &now.shape.fields {
        findings.extend(fields.present(name, new));
    }
    for (name, field) in &old.fields {
        findings.extend(fields.gone(name, field));
    }
    findings
}

fn namespace(old: &LockedSchema, now: &Locked) -> Option<Finding> {
    if old.namespace == now.schema.namespace {
        return None;
    }
    let signed_in = old.fields.values().any(|field| field.principal);
    let (severity, also) = match signed_in {
        true => (
            Severity::SignsOut,
            ", nobody is signed in, and listings of a principal's sessions start empty",
        ),
        false => (Severity::LosesData, ""),
    };
    Some(Finding {
        field: None,
        severity,
        change: format!("its namespace was {:?} and is {:?}", old.namespace, now.schema.namespace),
        effect: format!("every field is stored under another name, so none is read{also}"),
        cure: Some(match old.namespace.as_str() {
            "" => "no `namespace`, as before".to_owned(),
            namespace => format!("`#[session(namespace = {namespace:?})]`, as before"),
        }),
    })
}

fn version(old: &LockedSchema, now: &Locked, migrated: &Migrated) -> Option<Finding> {
    let (was, is) = (old.version, now.schema.version);
    let change = format!("its version was {was} and is {is}");
    let (severity, effect, cure) = match migrated {
        Migrated::Refuses(error) => (
            Severity::LosesData,
            format!("`migrate` refuses the recorded values ({error}), so nothing is migrated"),
            Some(
                "a `migrate` that takes what the lock file has as defaults and samples".to_owned(),
            ),
        ),
        _ if is < was => (
            Severity::Note,
            "those of the later version are not migrated: they are read as they are stored"
                .to_owned(),
            Some(format!("`version = {was}`, or more")),
        ),
        Migrated::Done(_) => (Severity::Harmless, "`migrate` is called for them".to_owned(), None),
        Migrated::No if is > was => (Severity::Harmless, "they are read".to_owned(), None),
        Migrated::No => return None,
    };
    Some(Finding { field: None, severity, change, effect, cure })
}

struct Fields<'l> {
    old: &'l LockedSchema,
    now: &'l Locked,
    released: &'l LockFile,
    present: &'l [Locked],
    migrated: &'l Migrated,
}

impl<'l> Fields<'l> {
    /// Compares a field of the current struct.
    fn present(&self, name: &'l str, new: &'l LockedField) -> Vec<Finding> {
        let Some(field) = self.now.field(name) else { return Vec::new() };
        let pair = |was: &'l str, old: &'l LockedField| Pair {
            namespace: &self.old.namespace,
            was,
            old,
            name,
            new,
            field,
            migrated: self.migrated,
            next_version: self.old.version.max(self.now.schema.version - 1) + 1,
        };
        let mut findings = Vec::new();
        let aliases = new.aliases.iter().map(String::as_str);
        let known: Vec<_> = [name]
            .into_iter()
            .chain(aliases.clone())
            .filter_map(|was| Some((was, self.old.fields.get(was)?)))
            .collect();
        for (was, old) in &known {
            if *was != name && !self.now.shape.fields.contains_key(*was) {
                findings.push(fine(name, format!("it was stored as `{was}`, and is read as such")));
            }
            findings.extend(pair(was, old).findings());
            findings.extend(self.lost_aliases(name, new, old));
        }
        if !known.is_empty() {
            return findings;
        }
        let mut before = [name].into_iter().chain(aliases).filter_map(|was| {
            let removed =
                self.old.removed.get(was).map(|old| (was, old, "it was removed, and is back"));
            removed.or_else(|| Some((was, self.elsewhere(was)?, "another schema had it")))
        });
        if let Some((was, old, change)) = before.next() {
            let finding = fine(name, change.to_owned());
            let effect = "what is stored since then is read again".to_owned();
            findings.push(Finding { effect, severity: Severity::Note, ..finding });
            findings.extend(pair(was, old).findings());
            return findings;
        }
        let former = self.formers(new);
        if former.is_empty() {
            let effect = "it reads as its default".to_owned();
            return vec![Finding { effect, ..fine(name, "it is new".to_owned()) }];
        }
        vec![self.renamed(name, new, &former)]
    }

    /// Whether the lock has no field under any of its names.
    fn never_stored(&self, name: &str, new: &LockedField) -> bool {
        let mut names = std::iter::once(name).chain(new.aliases.iter().map(String::as_str));
        names.all(|name| {
            !self.old.fields.contains_key(name)
                && !self.old.removed.contains_key(name)
                && self.elsewhere(name).is_none()
        })
    }

    /// Returns the field of this name in another schema of the same namespace.
    fn elsewhere(&self, name: &str) -> Option<&'l LockedField> {
        let same = |schema: &&LockedSchema| schema.namespace == self.old.namespace;
        self.released.values().filter(same).find_map(|schema| schema.fields.get(name))
    }

    /// Returns the removed fields that `new` may have been renamed from.
    fn formers(&self, new: &LockedField) -> Vec<&'l str> {
        let fits = |old: &LockedField| {
            let fit = fit(&Type::parse(&old.type_name), &Type::parse(&new.type_name));
            old.principal == new.principal && old.kind == new.kind && fit <= Fit::All
        };
        let gone = self.old.fields.iter().filter(|(name, _)| !self.is_read(name));
        let mut gone: Vec<_> = gone.filter(|(_, old)| fits(old)).collect();
        if gone.iter().any(|(_, old)| old.type_name == new.type_name) {
            gone.retain(|(_, old)| old.type_name == new.type_name);
        }
        gone.into_iter().map(|(name, _)| name.as_str()).collect()
    }

    fn renamed(&self, name: &str, new: &LockedField, former: &[&str]) -> Finding {
        let names = former.join("` or `");
        let change = format!(
            "it is new, and `{names}` is gone, also of type `{}`: it looks renamed",
            new.type_name
        );
        let cured = self.now.field(name).is_some_and(|field| {
            former.iter().any(|was| {
                matches!(
                    self.migrated.brings(&self.old.namespace, was, field),
                    Brought::All | Brought::Untried
                )
            })
        });
        let finding = Finding { field: Some(name.to_owned()), ..fine(name, change) };
        if cured && !new.principal {
            let effect = "left to `migrate`".to_owned();
            return Finding { effect, severity: Severity::Note, ..finding };
        }
        let (severity, also) = match new.principal {
            true => (Severity::SignsOut, ", so nobody is signed in"),
            false => (Severity::LosesData, ""),
        };
        let effect = format!(
            "what they hold as `{names}` is kept but not read: `{name}` reads as its default{also}"
        );
        let cure = former.iter().map(|was| format!("`#[session(alias = {was:?})]`"));
        let cure =
            cure.collect::<Vec<_>>().join(" or ") + &format!(" above `{name}`, if it was renamed");
        Finding { severity, effect, cure: Some(cure), ..finding }
    }

    /// Reports former names that are no longer read.
    fn lost_aliases(&self, name: &str, new: &LockedField, old: &LockedField) -> Option<Finding> {
        let read = |alias: &&String| **alias == name || new.aliases.contains(*alias);
        let lost: Vec<_> = old.aliases.iter().filter(|alias| !read(alias)).cloned().collect();
        let change = format!("its alias `{}` is gone", lost.join("`, `"));
        let effect = "those that hold it under that name, and did not write it since, are read as if it was not set";
        let list = lost.iter().map(|alias| format!("{alias:?}")).collect::<Vec<_>>().join(", ");
        let finding = Finding {
            severity: Severity::LosesData,
            effect: effect.to_owned(),
            cure: Some(format!(
                "`alias({list})` again, until the last session that may hold it has ended"
            )),
            ..fine(name, change)
        };
        (!lost.is_empty()).then_some(finding)
    }

    /// Reports a field that the struct no longer has.
    fn gone(&self, name: &'l str, field: &'l LockedField) -> Option<Finding> {
        if self.is_read(name) {
            return None;
        }
        let finding = fine(name, "it is gone".to_owned());
        let mut others = self.present.iter();
        if others.any(|other| {
            other.schema.namespace == self.old.namespace && other.shape.fields.contains_key(name)
        }) {
            let change = "it is a field of another schema".to_owned();
            return Some(Finding { change, ..finding });
        }
        let mut new_fields = self.now.shape.fields.iter();
        if new_fields.any(|(new, field)| {
            self.never_stored(new, field) && self.formers(field).contains(&name)
        }) {
            // Reported with the new field.
            return None;
        }
        let effect = "the stored value is kept, but no longer read; the lock remembers its type, in case the name comes back";
        let finding = Finding { severity: Severity::Note, effect: effect.to_owned(), ..finding };
        if !field.principal {
            return Some(finding);
        }
        let effect = "nobody is signed in".to_owned();
        let cure = Some("the field that says who is signed in again".to_owned());
        Some(Finding { severity: Severity::SignsOut, effect, cure, ..finding })
    }

    fn is_read(&self, stored: &str) -> bool {
        let mut fields = self.now.shape.fields.iter();
        fields.any(|(name, field)| name == stored || field.aliases.iter().any(|a| a == stored))
    }
}

fn fine(name: &str, change: String) -> Finding {
    Finding {
        field: Some(name.to_owned()),
        severity: Severity::Harmless,
        change,
        effect: "they are read".to_owned(),
        cure: None,
    }
}
