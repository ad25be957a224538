//! What a broken store makes of the data it is given.

use std::time::Duration;

use session_runtime::__private::patch::{Expect, FieldOp, Integer, Lifetime, Op, Patch};
use session_runtime::__private::record::{Principal, Record, Versions};
use session_runtime::Realm;

use super::Mutant;
use crate::defect::Defect;

/// One set per field of `record`.
pub(super) fn every_field(record: &Record) -> Vec<FieldOp> {
    let all = record.fields.iter();
    all.map(|(name, value)| FieldOp::new(name.to_owned(), Op::set(value))).collect()
}

impl Mutant {
    pub(super) fn rewritten_record(&self, mut record: Record) -> Record {
        let meta = &mut record.meta;
        match self.defect {
            Defect::CreateForgetsMeta => meta.authenticated = None,
            Defect::CreateForgetsRealm => meta.realm = Realm::default(),
            Defect::CreateForgetsVersions => meta.versions = Versions::default(),
            Defect::NeverMeansNow if meta.idle.is_none() => meta.absolute = Some(meta.created),
            Defect::HugeLimitsWrap if meta.idle.is_some_and(|idle| idle.get() > 1 << 34) => {
                meta.absolute = Some(meta.created);
            }
            Defect::FoldsPrincipals => {
                meta.principal = meta.principal.as_ref().map(|p| self.rewritten_principal(p));
            }
            Defect::IgnoresPrincipals => meta.principal = None,
            _ => {}
        }
        let fields = record.fields.iter();
        record.fields = fields.map(|(n, v)| (self.name(n), self.value(v.to_vec()))).collect();
        record
    }

    pub(super) fn rewritten_principal(&self, principal: &Principal) -> Principal {
        match self.defect {
            Defect::FoldsPrincipals => Principal::from_stored(&principal.as_str().to_lowercase()),
            _ => principal.clone(),
        }
    }

    fn name(&self, name: &str) -> String {
        if self.has(Defect::FoldsNames) { name.to_lowercase() } else { name.to_owned() }
    }

    fn value(&self, mut value: Vec<u8>) -> Vec<u8> {
        match self.defect {
            Defect::NormalisesJson => {
                let json: serde_json::Value = serde_json::from_slice(&value).unwrap();
                json.to_string().into()
            }
            Defect::TruncatesLarge => {
                value.truncate(65_535);
                value
            }
            _ => value,
        }
    }

    pub(super) fn rewritten_patch(&self, patch: &Patch) -> Patch {
        let mut patch = patch.clone();
        for FieldOp { name, op } in &mut patch.ops {
            *name = self.name(name).into();
            match op {
                Op::Set(value) => *value = self.value(value.to_vec()).into(),
                Op::Remove if self.has(Defect::RemovesAsNull) => *op = Op::set("null"),
                Op::RemoveIf(_) if self.has(Defect::RemovesIfAnything) => *op = Op::Remove,
                Op::Add(add) if self.has(Defect::AddsFromZero) => add.absent = Integer::Unsigned(0),
                _ => {}
            }
        }
        patch.expect.retain(|expect| match expect {
            Expect::Rev(_) => !self.has(Defect::IgnoresExpectedRev),
            Expect::Field { .. } => !self.has(Defect::IgnoresExpectedField),
            Expect::Version { .. } => !self.has(Defect::IgnoresExpectedVersion),
        });
        let meta = &mut patch.meta;
        match self.defect {
            Defect::IgnoresRaise => meta.raise = false,
            Defect::IgnoresRenewal => meta.renew = None,
            Defect::RotationIsRenewal => {
                meta.renew = meta.renew.or(meta.rotate.take().map(|rotate| rotate.rotation.next));
            }
            Defect::ForgetsVersions => meta.versions.clear(),
            Defect::MixesVersions => {
                meta.versions.iter_mut().for_each(|(namespace, _)| *namespace = "".into());
            }
            Defect::IgnoresLifetimes => meta.lifetime = None,
            Defect::IgnoresPrincipals => meta.principal = None,
            Defect::HugeLimitsWrap => {
                let huge = |lifetime: &Lifetime| lifetime.idle > Some(Duration::from_secs(1 << 40));
                meta.lifetime = meta.lifetime.filter(|lifetime| !huge(lifetime));
            }
            Defect::FoldsPrincipals => {
                if let Some(Some(principal)) = &mut meta.principal {
                    *principal = self.rewritten_principal(principal);
                }
            }
            _ => {}
        }
        patch
    }
}
