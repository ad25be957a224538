//! The schemas that a layer has seen, and whether they fit the layer and each other.

use std::any::TypeId;
use std::iter::successors;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

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
    /// The first schema that was admitted; most layers have no other.
    first: OnceLock<Box<Known>>,
    /// Held while another one is admitted.
    admitting: Mutex<()>,
    /// Schemas named when the layer was built; the others came with a request.
    named: RwLock<Vec<&'static Schema>>,
    /// Whether only named schemas are admitted.
    complete: bool,
}

/// A schema that was admitted, and the one that was admitted after it: readable without a lock.
struct Known {
    schema: &'static Schema,
    /// The marked fields of this schema and of those admitted before it.
    marked: Marked,
    next: OnceLock<Box<Self>>,
}

impl Schemas {
    pub(crate) fn new(capabilities: Capabilities, has_keys: bool) -> Self {
        let (first, admitting, named) = (OnceLock::new(), Mutex::default(), RwLock::default());
        Self { capabilities, has_keys, first, admitting, named, complete: false }
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
            Some(first) if first.schema.is(schema) => Ok(Admitted::Before),
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
        if self.all().any(|known| known.is(schema)) {
            return Ok(Admitted::Before);
        }
        if self.complete {
            return Err(Fault::SchemaNotNamed { schema: schema.name }.into());
        }
        supports(self.capabilities, schema)?;
        self.can_encrypt(schema)?;
        let _one_at_a_time = self.admitting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.all().any(|known| known.is(schema)) {
            return Ok(Admitted::Before);
        }
        let last = self.known().last();
        if last.is_some() {
            self.can_stand_beside(schema)?;
        }
        for other in self.all() {
            agree(other, schema).map_err(Fault::Clash)?;
        }
        let marked = Marked::of(self.all().chain([schema]));
        let place = last.map_or(&self.first, |last| &last.next);
        // The place is still empty, because `admitting` is held.
        let _ = place.set(Box::new(Known { schema, marked, next: OnceLock::new() }));
        Ok(Admitted::Now)
    }

    /// A sign-in or sign-out removes or carries over the fields of all schemas: a process that does
    /// not know one of them yet would leave its fields in place. So all schemas must be named.
    fn can_stand_beside(&self, schema: &'static Schema) -> Result<(), SetupError> {
        let mut came_later = self.all().chain([schema]).filter(|schema| !self.has_named(schema));
        match came_later.find(|schema| schema.fields.iter().any(Field::is_about_users)) {
            Some(schema) => Err(Fault::SchemaNotNamed { schema: schema.name }.into()),
            None => Ok(()),
        }
    }

    fn known(&self) -> impl Iterator<Item = &Known> {
        successors(self.first.get(), |known| known.next.get()).map(Box::as_ref)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &'static Schema> {
        self.known().map(|known| known.schema)
    }

    /// Returns the fields that a change of the principal affects.
    pub(crate) fn marked(&self) -> &Marked {
        self.known().last().map_or(Marked::NONE, |last| &last.marked)
    }

    /// Returns the fields shown in listings.
    pub(crate) fn listed(&self) -> Vec<&'static Field> {
        let fields = self.all().flat_map(|schema| schema.fields);
        fields.filter(|field| field.listed).collect()
    }

    /// Returns the namespaces whose principal field has the type `principal`, an `Option`, and that
    /// field in each.
    pub(crate) fn with_principal(&self, principal: TypeId) -> Vec<(&'static str, &'static Field)> {
        let fields = self.all().filter_map(|it| Some((it.namespace, it.principal()?)));
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
