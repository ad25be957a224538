//! What all requests of one layer share: the store, the settings, and the
//! schemas that were seen.

use std::any::TypeId;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use crate::clock::Timestamp;
use crate::config::{Config, SchemaClash};
use crate::error::SessionError;
use crate::schema::{Field, Schema};
use crate::store::{SessionStore, StoreError, StoreErrorKind, StoreFuture};

pub(crate) struct Engine {
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) config: Config,
    schemas: Schemas,
}

impl Engine {
    pub(crate) fn new(store: Arc<dyn SessionStore>, config: Config, schemas: Schemas) -> Self {
        Self { store, config, schemas }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.store.clock().now()
    }

    /// Checks the settings and the schema; cheap once both are known good.
    pub(crate) fn admit(&self, schema: &'static Schema) -> Result<(), SessionError> {
        if let Some(error) = &self.config.error {
            return Err(SessionError::Config(error.clone()));
        }
        self.schemas.admit(schema).map_err(|clash| SessionError::SchemaClash(clash.into()))
    }

    pub(crate) fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// Waits for the store, but not for ever.
    pub(crate) async fn within<T: Unpin>(
        &self,
        answer: StoreFuture<'_, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.in_time(answer).await.unwrap_or(Err(StoreError::new(StoreErrorKind::Timeout)))
    }

    /// The store's answer, or `None` when it does not come in time: then nobody
    /// knows what it did.
    pub(crate) async fn in_time<T: Unpin>(
        &self,
        answer: StoreFuture<'_, Result<T, StoreError>>,
    ) -> Option<Result<T, StoreError>> {
        match answer.take_ready() {
            Ok(answer) => Some(answer),
            // Boxed, so that the futures of handlers stay small: stores that
            // answer at once never come here.
            Err(waiting) => {
                Box::pin(tokio::time::timeout(self.config.store_timeout, waiting)).await.ok()
            }
        }
    }
}

/// The schemas that share this layer's records.
#[derive(Default)]
pub(crate) struct Schemas {
    /// Nearly every layer has one; it is found without a lock.
    first: OnceLock<&'static Schema>,
    others: RwLock<Vec<&'static Schema>>,
}

impl Schemas {
    pub(crate) fn admit(&self, schema: &'static Schema) -> Result<(), SchemaClash> {
        let first = *self.first.get_or_init(|| schema);
        if std::ptr::eq(first, schema) {
            return Ok(());
        }
        let known =
            |known: &[&'static Schema]| known.iter().any(|known| std::ptr::eq(*known, schema));
        if known(&self.others.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        for other in std::iter::once(first).chain(others.iter().copied()) {
            agree(other, schema)?;
        }
        if !known(&others) {
            others.push(schema);
        }
        Ok(())
    }

    /// The namespaces whose principal is of the type `principal`, which is an
    /// `Option` of what identifies somebody.
    pub(crate) fn with_principal(&self, principal: TypeId) -> Vec<&'static str> {
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        let mut namespaces: Vec<_> = self
            .first
            .get()
            .into_iter()
            .chain(others.iter())
            .filter(|schema| {
                schema
                    .principal()
                    .is_some_and(|field| (*field.default_value()).type_id() == principal)
            })
            .map(|schema| schema.namespace)
            .collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        namespaces
    }
}

fn agree(first: &'static Schema, second: &'static Schema) -> Result<(), SchemaClash> {
    let clash = |ours: &Field, theirs: &Field| SchemaClash {
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
    // Customer 42 and administrator 42 would be one and the same.
    match (first.principal(), second.principal()) {
        (Some(ours), Some(theirs))
            if first.namespace == second.namespace && ours.name != theirs.name =>
        {
            Err(clash(ours, theirs))
        }
        _ => Ok(()),
    }
}
