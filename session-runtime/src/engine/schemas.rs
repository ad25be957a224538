//! The schemas that a layer has seen, and whether they fit the layer and each other.

use std::any::TypeId;
use std::sync::{OnceLock, PoisonError, RwLock};

use crate::config::{Clash, Fault, SetupError};
use crate::schema::{ConflictPolicy, Field, FieldKind, Schema};
use crate::session::Marked;
use crate::store::Capabilities;

/// Whether a schema was admitted before or just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admitted {
    Before,
    Now,
}

/// The schemas that share this layer's records.
pub(crate) struct Schemas {
    capabilities: Capabilities,
    has_keys: bool,
    /// The only schema of nearly every layer, readable without a lock.
    first: OnceLock<&'static Schema>,
    others: RwLock<Vec<&'static Schema>>,
    /// Schemas named when the layer was built; the others came with a request.
    named: RwLock<Vec<&'static Schema>>,
    /// Whether only named schemas are admitted.
    complete: bool,
}

impl Schemas {
    pub(crate) fn new(capabilities: Capabilities, has_keys: bool) -> Self {
        let (first, others, named) = (OnceLock::new(), RwLock::default(), RwLock::default());
        Self { capabilities, has_keys, first, others, named, complete: false }
    }

    /// Admits a schema that is named when the layer is built.
    pub(crate) fn name(&self, schema: &'static Schema) -> Result<Admitted, SetupError> {
        self.named.write().unwrap_or_else(PoisonError::into_inner).push(schema);
        self.admit(schema)
    }

    /// Whether the schema was named for this layer.
    pub(crate) fn has_named(&self, schema: &'static Schema) -> bool {
        let named = self.named.read().unwrap_or_else(PoisonError::into_inner);
        named.iter().any(|known| known.is(schema))
    }

    /// Admits no further schemas: sessions stored without one of them could not be corrected later.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    pub(crate) fn admit(&self, schema: &'static Schema) -> Result<Admitted, SetupError> {
        match self.first.get() {
            Some(first) if first.is(schema) => Ok(Admitted::Before),
            _ => self.admit_another(schema),
        }
    }

    /// Checks that there is a key: a secret is never stored in plain text for lack of one.
    fn can_encrypt(&self, schema: &'static Schema) -> Result<(), Fault> {
        match schema.fields.iter().find(|field| field.secret) {
            Some(field) if !self.has_keys => {
                Err(Fault::KeysMissing { schema: schema.name, field: field.name })
            }
            _ => Ok(()),
        }
    }

    #[cold]
    fn admit_another(&self, schema: &'static Schema) -> Result<Admitted, SetupError> {
        let known = |known: &[&'static Schema]| known.iter().any(|known| known.is(schema));
        if known(&self.others.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(Admitted::Before);
        }
        if self.complete {
            return Err(Fault::SchemaNotNamed { schema: schema.name }.into());
        }
        supports(self.capabilities, schema)?;
        self.can_encrypt(schema)?;
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        let mut admitted = Admitted::Before;
        let first = *self.first.get_or_init(|| {
            admitted = Admitted::Now;
            schema
        });
        if first.is(schema) || known(&others) {
            return Ok(admitted);
        }
        self.can_stand_beside(&others, schema)?;
        for other in std::iter::once(first).chain(others.iter().copied()) {
            agree(other, schema).map_err(Fault::Clash)?;
        }
        others.push(schema);
        Ok(Admitted::Now)
    }

    /// A sign-in or sign-out removes or carries over the fields of all schemas: a process that does
    /// not know one of them yet would leave its fields in place. So all schemas must be named.
    fn can_stand_beside(
        &self,
        others: &[&'static Schema],
        schema: &'static Schema,
    ) -> Result<(), SetupError> {
        let known = self.first.get().into_iter().chain(others).copied().chain([schema]);
        let mut came_later = known.filter(|schema| !self.has_named(schema));
        match came_later.find(|schema| schema.fields.iter().any(Field::is_about_users)) {
            Some(schema) => Err(Fault::SchemaNotNamed { schema: schema.name }.into()),
            None => Ok(()),
        }
    }

    pub(crate) fn all(&self) -> Vec<&'static Schema> {
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        self.first.get().into_iter().chain(others.iter()).copied().collect()
    }

    /// Returns the fields that a change of the principal affects.
    pub(crate) fn marked(&self) -> Marked {
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        Marked::of(self.first.get().into_iter().chain(others.iter()).copied())
    }

    /// Returns the fields shown in listings.
    pub(crate) fn listed(&self) -> Vec<&'static Field> {
        let fields = self.all().into_iter().flat_map(|schema| schema.fields);
        fields.filter(|field| field.listed).collect()
    }

    /// Returns the namespaces whose principal field has the type `principal`, an `Option`, and that
    /// field in each.
    pub(crate) fn with_principal(&self, principal: TypeId) -> Vec<(&'static str, &'static Field)> {
        let fields = self.all().into_iter().filter_map(|it| Some((it.namespace, it.principal()?)));
        let of_type = |(_, field): &(_, &Field)| (*field.default_value()).type_id() == principal;
        let mut fields: Vec<_> = fields.filter(of_type).collect();
        fields.sort_unstable_by_key(|(namespace, _)| *namespace);
        fields.dedup_by_key(|(namespace, _)| *namespace);
        fields
    }
}

/// Checks that a store with these capabilities supports the schema.
fn supports(capabilities: Capabilities, schema: &'static Schema) -> Result<(), Fault> {
    if capabilities.atomic_patches {
        return Ok(());
    }
    let asks = schema.fields.iter().find_map(|field| {
        let option = match (field.kind, field.conflict) {
            (FieldKind::Counter { .. }, _) => "counter",
            (FieldKind::Nonce { .. }, _) => "nonce",
            (_, ConflictPolicy::Merge(_)) => "merge",
            (_, ConflictPolicy::Compare) => "compare",
            (_, ConflictPolicy::WriteOnce) => "write_once",
            (FieldKind::Value | FieldKind::Flash, ConflictPolicy::LastWins) => return None,
        };
        Some(Fault::StoreCannot { schema: schema.name, field: field.name, option })
    });
    asks.map_or(Ok(()), Err)
}

fn agree(first: &'static Schema, second: &'static Schema) -> Result<(), Clash> {
    let clash = |ours: &Field, theirs: &Field| Clash::Field {
        field: theirs.name,
        first: (first.name, ours.type_name),
        second: (second.name, theirs.type_name),
    };
    for theirs in second.fields {
        for ours in first.fields.iter().filter(|ours| ours.shares_a_name_with(theirs)) {
            let same_type =
                (*ours.default_value()).type_id() == (*theirs.default_value()).type_id();
            if !same_type || ours.policies() != theirs.policies() {
                return Err(clash(ours, theirs));
            }
        }
    }
    // Only one version is stored per namespace, so a second schema would have none.
    if first.namespace == second.namespace && (first.version, second.version) != (1, 1) {
        let (namespace, first, second) = (first.namespace, first.name, second.name);
        return Err(Clash::Versions { namespace, first, second });
    }
    // A record belongs to one principal.
    match (first.principal(), second.principal()) {
        (Some(ours), Some(theirs)) if ours.name != theirs.name => Err(Clash::Principals {
            first: (first.name, ours.name),
            second: (second.name, theirs.name),
        }),
        _ => Ok(()),
    }
}
