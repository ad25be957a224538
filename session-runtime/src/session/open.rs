//! Opens a handle on the session that a request has loaded.

use std::sync::{Arc, MutexGuard};

use super::core::Core;
use super::handle::Handle;
use super::scope::{Backend, State};
use crate::codec::NULL;
use crate::error::SessionError;
use crate::schema::{Field, OnInvalid, Schema, SessionSchema};

impl<S: SessionSchema> Handle<S> {
    /// Opens a handle on the session that `backend` has loaded into `state`.
    pub(crate) fn open(
        backend: Arc<dyn Backend>,
        state: MutexGuard<'_, State>,
    ) -> Result<Self, SessionError> {
        Core::open(backend, state, S::SCHEMA, true).map(Self::new)
    }

    /// Same, for a look that alone does not make the response depend on the session.
    #[cfg(feature = "axum-login")]
    pub(crate) fn look(
        backend: Arc<dyn Backend>,
        state: MutexGuard<'_, State>,
    ) -> Result<Self, SessionError> {
        Core::open(backend, state, S::SCHEMA, false).map(Self::new)
    }

    /// Opens a handle on the session of another one, to set fields of another schema.
    #[cfg(feature = "axum-login")]
    pub(crate) fn beside<O: SessionSchema>(other: &Handle<O>) -> Self {
        let backend = &other.core.backend;
        let mut core = Core::view(Arc::clone(backend), &backend.scope().state(), S::SCHEMA);
        core.generation = other.core.generation;
        Self::new(core)
    }
}

impl Core {
    /// Opens a handle on this request's session under `schema`.
    ///
    /// The principal and fields with a strict `on_invalid` policy are decoded now, all others when
    /// they are first read.
    fn open(
        backend: Arc<dyn Backend>,
        mut state: MutexGuard<'_, State>,
        schema: &'static Schema,
        reads: bool,
    ) -> Result<Self, SessionError> {
        let unpublished = backend.scope().unpublished() > 0;
        state.read |= reads;
        state.reads_under(schema);
        let mut core = Self::view(backend, &state, schema);
        drop(state);
        if unpublished {
            tracing::warn!(
                schema = schema.name,
                "a session is extracted beside another handle of the same request with unpublished changes, which it does not see: call `publish()` on that handle first"
            );
        }
        loop {
            core = match core.strict_failure() {
                None => return Ok(core),
                Some((field, OnInvalid::Error)) => {
                    return Err(SessionError::Undecodable { field });
                }
                Some((_, OnInvalid::DropSession)) => core.leave(State::destroy),
                // The principal does not decode: treat the visitor as signed out but delete nothing,
                // so that a rolled-back deployment finds the session again.
                Some((_, OnInvalid::Default)) => core.leave(State::abandon),
            };
        }
    }

    /// Leaves a session that cannot be read, unless another handle has left it, and opens a handle
    /// on what there is now.
    fn leave(self, how: fn(&mut State)) -> Self {
        let mut state = self.backend.scope().state();
        if state.generation == self.generation {
            how(&mut state);
        }
        Self::view(Arc::clone(&self.backend), &state, self.schema)
    }

    /// Opens a handle on what `state` holds.
    fn view(backend: Arc<dyn Backend>, state: &State, schema: &'static Schema) -> Self {
        let (record, projected) = match (state.record(), state.pending.is_empty()) {
            (Some(record), true) if state.schemas.is_empty() => (Some(Arc::clone(record)), None),
            _ => {
                let (record, fields) = state.projected(&*backend);
                (record, Some(fields))
            }
        };
        let (generation, seen) = (state.generation, backend.scope().published());
        Self::new(backend, schema, record, projected, generation, seen)
    }

    fn strict_failure(&self) -> Option<(&'static str, OnInvalid)> {
        if self.fields().has_no_block() {
            return None;
        }
        if let Some(field) = self.schema.principal()
            && !self.principal_agrees(field)
        {
            tracing::warn!(
                schema = self.schema.name,
                field = field.name,
                session = self.record.as_ref().map(|record| tracing::field::display(record.id)),
                "the stored principal is not the one that signed in; the session is treated as signed out"
            );
            return Some((field.name, OnInvalid::Default));
        }
        if let Some(failure) = self.schema.principal_index().and_then(|it| self.failure(it)) {
            return Some(failure);
        }
        if !self.schema.is_strict() {
            return None;
        }
        let strict = |index: &usize| self.field(*index).on_invalid != OnInvalid::Default;
        (0..self.schema.fields.len()).filter(strict).find_map(|index| self.failure(index))
    }

    /// Returns why the field must not be read. A value that decodes is kept for later reads.
    fn failure(&self, index: usize) -> Option<(&'static str, OnInvalid)> {
        let field = self.field(index);
        let error = match self.decode(field)? {
            Ok(value) => {
                let _ = self.slots[index].loaded.set(value);
                return None;
            }
            Err(error) => error,
        };
        tracing::warn!(
            schema = self.schema.name,
            field = field.name,
            session = self.record.as_ref().map(|record| tracing::field::display(record.id)),
            category = ?error.classify(),
            opened = self.opens(field),
            policy = ?field.on_invalid,
            "a stored session field does not decode as `{}`",
            field.type_name,
        );
        Some((field.name, field.on_invalid))
    }

    /// Whether the principal field holds the principal that signed in to this record. It may not if
    /// another release stored it under another name, or as an ordinary field: then it proves
    /// nothing.
    fn principal_agrees(&self, field: &'static Field) -> bool {
        let Some(record) = &self.record else { return true };
        // Only stored values are checked, not what this request has published.
        let stored = field.names().find_map(|name| record.fields.get(name));
        let (realm, namespace) = (&record.meta.realm, self.schema.namespace);
        match (stored.filter(|json| *json != NULL), &record.meta.principal) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(json), Some(principal)) => {
                std::str::from_utf8(json).is_ok_and(|json| principal.is(realm, namespace, json))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::SessionLayer;
    use crate::request::RequestSession;
    use crate::store::MemoryStore;

    #[test]
    fn a_session_that_another_handle_has_left_is_not_left_again() {
        static SCHEMA: Schema = Schema::new(&0, "Visitor", "", &[]);
        let engine = SessionLayer::new(MemoryStore::new()).engine();
        let request = Arc::new(RequestSession::new(engine, &Method::GET));
        let view = || {
            let backend = Arc::clone(&request) as Arc<dyn Backend>;
            Core::view(backend, &request.scope.state(), &SCHEMA)
        };
        let (one, other) = (view(), view());
        assert_eq!(one.generation, 0);
        assert_eq!(one.leave(State::abandon).generation, 1);
        assert_eq!(other.leave(State::abandon).generation, 1);
    }
}
