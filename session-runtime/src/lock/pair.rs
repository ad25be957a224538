//! Compares a field's old declaration with its new one.

use serde_json::Value as Json;

use super::file::differing_flags;
use super::fit::{Fit, fit};
use super::migrated::{Brought, Migrated};
use super::model::LockedField;
use super::names::Type;
use super::report::{Finding, Severity};
use super::tried::Tried;
use crate::schema::{Field, OnInvalid};

/// A stored field and the field that now reads it, often the same.
pub(super) struct Pair<'l> {
    pub(super) namespace: &'l str,
    /// The name it was stored under.
    pub(super) was: &'l str,
    pub(super) old: &'l LockedField,
    /// The name it is stored under now.
    pub(super) name: &'l str,
    pub(super) new: &'l LockedField,
    pub(super) field: &'static Field,
    pub(super) migrated: &'l Migrated,
    /// The version that the next migration would have.
    pub(super) next_version: u32,
}

impl Pair<'_> {
    /// Returns every change that matters.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.values());
        findings.extend(self.kind());
        findings.extend(self.ttl());
        findings.extend(self.secrecy());
        findings.extend(self.principal());
        findings.extend(self.policies());
        findings
    }

    fn finding(&self, severity: Severity, change: String, effect: String) -> Finding {
        let field = Some(self.name.to_owned());
        Finding { field, severity, change, effect, cure: None }
    }

    /// Reports stored bytes that the field does not decode, unless a migration converts them.
    fn lost(&self, change: String, what: &str, cure: String) -> Finding {
        // The principal is also recorded outside the fields, where a migration cannot change it.
        if !self.old.principal {
            match self.migrated.brings(self.namespace, self.was, self.field) {
                Brought::All => {
                    let effect = "`migrate` brings the recorded values over".to_owned();
                    return self.finding(Severity::Note, change, effect);
                }
                Brought::Untried => {
                    let effect = "left to `migrate`, which could not be tried: no value of this field is recorded (see `Locked::sample`)";
                    return self.finding(Severity::Note, change, effect.to_owned());
                }
                Brought::NotAll => {
                    let effect = format!(
                        "`migrate` does not bring the recorded values over; {}",
                        self.unread()
                    );
                    let severity = self.severity_of_loss();
                    return Finding { cure: Some(cure), ..self.finding(severity, change, effect) };
                }
                Brought::No => {}
            }
        }
        let effect = format!("{what}; {}", self.unread());
        Finding { cure: Some(cure), ..self.finding(self.severity_of_loss(), change, effect) }
    }

    fn severity_of_loss(&self) -> Severity {
        match self.field.on_invalid {
            OnInvalid::Error => Severity::Fails,
            OnInvalid::DropSession => Severity::SignsOut,
            OnInvalid::Default if self.field.principal => Severity::SignsOut,
            OnInvalid::Default => Severity::LosesData,
        }
    }

    /// Describes the effect of a value that does not decode.
    fn unread(&self) -> &'static str {
        match self.field.on_invalid {
            OnInvalid::Error => {
                "a request that asks for such a session is answered with 500 (`on_invalid = error`)"
            }
            OnInvalid::DropSession => {
                "such a session is ended when it is next used (`on_invalid = drop_session`)"
            }
            OnInvalid::Default if self.field.principal => {
                "the session is treated as signed out, and its user has to sign in again (nothing is deleted)"
            }
            OnInvalid::Default => {
                "the field reads as its default until it is set, and the stored bytes stay until then"
            }
        }
    }

    fn migration(&self) -> String {
        format!("`#[session(version = {}, migrate = …)]` above the struct", self.next_version)
    }

    fn another_name(&self) -> String {
        if self.field.principal {
            return "the principal's type as it was: a principal cannot be migrated".to_owned();
        }
        format!("another name for the new field, or {}", self.migration())
    }

    /// Reports whether values of the old type decode as the new one.
    fn values(&self) -> Option<Finding> {
        let (old, new) = (Type::parse(&self.old.type_name), Type::parse(&self.new.type_name));
        let change =
            || format!("its type was `{}` and is `{}`", self.old.type_name, self.new.type_name);
        let lost = |what: &str| Some(self.lost(change(), what, self.another_name()));
        let read = match fit(&old, &new) {
            // `None` was stored by removing the field, so there is no `null` to decode.
            Fit::Some(_)
                if self.old.null_is_absent && old.head == "Option" && new.head != "Option" =>
            {
                match fit(&old.args[0], &new) {
                    Fit::Same | Fit::All => {
                        Fit::Changed("where it was `None` it reads as the default")
                    }
                    other => other,
                }
            }
            other => other,
        };
        match (read, self.try_values()) {
            (Fit::Some(which), _) => {
                return lost(&format!("these are not read: {which}"));
            }
            (Fit::None, _) => return lost("no value of that type is read"),
            (read, Some((value, Tried::Fails))) => {
                let change = match read {
                    Fit::Same => format!("`{}` reads other values than before", self.new.type_name),
                    _ => change(),
                };
                let what = format!("{} was stored and does not decode", shown(value));
                let cure = format!(
                    "`#[serde(default)]` on what was added inside, or {}",
                    self.another_name()
                );
                return Some(self.lost(change, &what, cure));
            }
            (_, Some((value, Tried::Drops(part)))) => {
                let change = format!("`{}` lost a part", self.old.type_name);
                let effect = format!(
                    "`{part}` of {} is not read, and gone when the field is next written",
                    shown(value)
                );
                let cure =
                    format!("`#[serde(alias = …)]` if it was renamed, or {}", self.migration());
                let severity = Severity::LosesData;
                return Some(Finding {
                    cure: Some(cure),
                    ..self.finding(severity, change, effect)
                });
            }
            (Fit::Unknown, None) => {
                let what = "the names do not tell whether it is read";
                let cure = format!(
                    "with the type as it was, a sample of it (`Locked::sample`), which the new type must read; or {}",
                    self.another_name()
                );
                return Some(self.lost(change(), what, cure));
            }
            (Fit::Same, Some((value, Tried::Differs(again)))) => {
                let change = format!("`{}` stores values in another way", self.new.type_name);
                let effect =
                    format!("{} is read, and would be stored as {}", shown(value), shown(&again));
                return Some(self.finding(Severity::Note, change, effect));
            }
            (Fit::Same, _) if self.old.type_name == self.new.type_name => return None,
            (Fit::Changed(how), _) => {
                return Some(self.finding(
                    Severity::Note,
                    change(),
                    format!("they are read, but {how}"),
                ));
            }
            (Fit::Unknown, Some(_)) => {
                let effect = "the recorded values are read; the names alone do not tell".to_owned();
                return Some(self.finding(Severity::Note, change(), effect));
            }
            (Fit::Same | Fit::All, _) => {}
        }
        Some(self.finding(Severity::Harmless, change(), "every value is read".to_owned()))
    }

    /// Returns the recorded value with the worst result. A default counts only if it fails: an
    /// empty list decodes as any list.
    fn try_values(&self) -> Option<(&Json, Tried)> {
        let grave = |tried: &Tried| match tried {
            Tried::Same => 0,
            Tried::Differs(_) => 1,
            Tried::Drops(_) => 2,
            Tried::Fails => 3,
        };
        let tried = self.old.known_values().map(|value| (value, Tried::of(value, self.field)));
        let worst = tried.max_by_key(|(_, tried)| grave(tried))?;
        let proves =
            !self.old.samples.is_empty() || matches!(worst.1, Tried::Fails | Tried::Drops(_));
        proves.then_some(worst)
    }

    fn kind(&self) -> Option<Finding> {
        let (old, new) = (self.old.kind.as_str(), self.new.kind.as_str());
        if old == new {
            return None;
        }
        let change = format!("it was a {old} and is a {new}");
        if old == "keyed nonce" || new == "keyed nonce" {
            let effect = "pending values are not found: each value of a keyed nonce is stored under its own name".to_owned();
            let cure = Some("another name for the new field".to_owned());
            let severity = Severity::LosesData;
            return Some(Finding { cure, ..self.finding(severity, change, effect) });
        }
        let (severity, effect) = match (old, new) {
            ("value" | "counter", "value" | "counter") => (Severity::Harmless, "they are read"),
            (_, "flash" | "nonce") => (Severity::Note, "what they hold is handed out once more"),
            _ => (
                Severity::Note,
                "a value that was to be handed out once stays readable until it is set again",
            ),
        };
        Some(self.finding(severity, change, effect.to_owned()))
    }

    fn ttl(&self) -> Option<Finding> {
        let change = match (self.old.ttl, self.new.ttl) {
            (old, new) if old == new => return None,
            (None, _) => "it has a time to live",
            (_, None) => {
                let what = "a value that was stored with its time to live does not decode";
                let cure = format!("`ttl` again, however long, or {}", self.migration());
                return Some(self.lost("it has no time to live any more".to_owned(), what, cure));
            }
            _ => {
                let change = "it has another time to live".to_owned();
                let effect = "stored values keep their expiry time".to_owned();
                return Some(self.finding(Severity::Harmless, change, effect));
            }
        };
        let effect = "stored values do not expire until they are set again".to_owned();
        Some(self.finding(Severity::Note, change.to_owned(), effect))
    }

    fn secrecy(&self) -> Option<Finding> {
        let (change, what) = match (self.old.secret, self.new.secret) {
            (false, true) => {
                ("it is secret", "values that are stored in plain text may not be readable")
            }
            (true, false) => {
                ("it is secret no more", "values that are stored encrypted are not read")
            }
            _ => return None,
        };
        Some(self.lost(change.to_owned(), what, self.another_name()))
    }

    fn principal(&self) -> Option<Finding> {
        let (change, effect, cure) = match (self.old.principal, self.new.principal) {
            (true, false) => (
                "it is no longer the principal",
                "it is read as before, but no longer identifies the signed-in user",
                "`principal` on it again",
            ),
            (false, true) => (
                "it is the principal now",
                "no sign-in has set it: a session that holds it is treated as signed out (nothing is deleted)",
                "another name for the principal, to be set when somebody signs in",
            ),
            _ => return None,
        };
        let finding = self.finding(Severity::SignsOut, change.to_owned(), effect.to_owned());
        Some(Finding { cure: Some(cure.to_owned()), ..finding })
    }

    /// Reports options that affect later changes but not what is stored.
    fn policies(&self) -> Option<Finding> {
        let mut changes = Vec::new();
        if self.old.conflict != self.new.conflict {
            changes.push(format!("concurrent changes: {}", self.new.conflict));
        }
        if self.old.on_invalid != self.new.on_invalid {
            changes.push(format!("on_invalid = {}", self.new.on_invalid));
        }
        let flags = differing_flags(self.old, self.new);
        for name in ["renew", "clear_on_login", "carry_over", "listed"] {
            if flags.contains(&name) {
                changes.push(format!("another `{name}`"));
            }
        }
        let effect = "they are read as before".to_owned();
        let finding = || self.finding(Severity::Harmless, changes.join(", "), effect);
        (!changes.is_empty()).then(finding)
    }
}

/// Formats a recorded value, truncated to fit on a line.
fn shown(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}
