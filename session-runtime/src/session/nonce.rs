//! Values that are handed out once, among all requests.

use std::borrow::Cow;
use std::sync::Arc;

use super::core::{Core, KeyedChange, Publish};
use super::handle::{Handle, owned};
use super::value;
use crate::clock::Timestamp;
use crate::codec::{Value, expiring};
use crate::error::SessionError;
use crate::record::KEYED;
use crate::record::patch::Op;
use crate::schema::{Key, SessionSchema, kind};

/// How many values of one keyed nonce are kept: whoever begins flows and never
/// ends them fills no store. The ones that end first make room.
const MAX_KEYED: usize = 16;

impl<S: SessionSchema> Handle<S> {
    /// Takes a nonce out of the store, now: of any number of concurrent
    /// requests at most one gets it. `None` if there is none, or its time is
    /// over.
    ///
    /// It is gone also if this request fails afterwards, or its future is
    /// dropped.
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] if the session ended or somebody signed in or out
    /// meanwhile; [`SessionError::Uncertain`] if the store's answer was lost:
    /// the value may be gone; otherwise what the store reports.
    pub async fn consume<T: Send + Sync + 'static>(
        &mut self,
        key: Key<S, T, kind::Nonce>,
    ) -> Result<Option<T>, SessionError> {
        let names = self.core.field(key.index()).names().map(Cow::Borrowed).collect();
        Ok(self.core.consume(key.index(), names).await?.map(owned))
    }

    /// As [`consume`](Self::consume), of the value that was set under `name`.
    ///
    /// # Errors
    ///
    /// As [`consume`](Self::consume).
    pub async fn consume_keyed<T: Send + Sync + 'static>(
        &mut self,
        key: Key<S, T, kind::KeyedNonce>,
        name: &str,
    ) -> Result<Option<T>, SessionError> {
        // It comes from a URL: the store is not asked for what nobody can set.
        if value::is_too_long(name).is_some() {
            return Ok(None);
        }
        let field = self.core.field(key.index());
        let names = field.names().map(|of| Cow::Owned(format!("{of}{}{name}", KEYED)));
        let names = names.collect();
        Ok(self.core.consume(key.index(), names).await?.map(owned))
    }

    /// Sets a nonce under `name` (at most 128 bytes), beside those under other
    /// names, of which the sixteen that live longest are kept.
    ///
    /// A longer name fails when the change is stored.
    pub fn set_keyed<T: Send + Sync + 'static>(
        &mut self,
        key: Key<S, T, kind::KeyedNonce>,
        name: impl Into<String>,
        value: T,
    ) {
        self.core.set_keyed(key.index(), name.into(), Box::new(value));
    }
}

impl Core {
    fn set_keyed(&mut self, index: usize, name: String, value: Value) {
        self.mark_dirty();
        let seq = self.backend.scope().next_seq();
        self.keyed.retain(|other| usize::from(other.index) != index || other.name != name);
        self.keyed.push(KeyedChange { index: index as u16, seq, name, value });
    }

    async fn consume(
        &mut self,
        index: usize,
        names: Vec<Cow<'static, str>>,
    ) -> Result<Option<Value>, SessionError> {
        if self.dirty {
            self.publish(Publish::Everything);
            // Who signs in takes nothing that was another user's.
            self.refresh();
        }
        let backend = Arc::clone(&self.backend);
        let bytes = match self.take_pending(&names) {
            Some(pending) => pending,
            None if self.record.is_none() => None,
            None => Arc::clone(&backend).take(self.field(index), names).await?,
        };
        self.refresh();
        let field = self.field(index);
        let Some(bytes) = bytes else { return Ok(None) };
        match value::decode(field, &bytes, backend.now()) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(error)) => {
                tracing::warn!(
                    schema = self.schema.name,
                    field = field.name,
                    category = ?error.classify(),
                    "a nonce does not decode as `{}`; it counts as none",
                    field.type_name,
                );
                Ok(None)
            }
        }
    }

    /// What this request has set and not stored is nobody else's to take.
    /// `None` if the store is to be asked.
    fn take_pending(&self, names: &[Cow<'static, str>]) -> Option<Option<Vec<u8>>> {
        let mut state = self.backend.scope().state();
        if state.generation != self.generation {
            return Some(None);
        }
        let mut ops = state.pending.ops.iter_mut();
        let pending = ops.find(|op| names.iter().any(|name| op.name() == name))?;
        match std::mem::replace(&mut pending.op, Op::Remove) {
            Op::Set(bytes) => Some(Some(bytes)),
            Op::Remove => Some(None),
            other => {
                pending.op = other;
                None
            }
        }
    }

    /// Which values of a keyed nonce make room for `adding` more: those whose
    /// time is over, then those that end first.
    pub(super) fn crowded_out(
        &self,
        index: usize,
        adding: usize,
        now: Timestamp,
    ) -> Vec<(String, Vec<u8>)> {
        let field = self.field(index);
        let keyed = self.fields.iter().filter(|(name, _)| value::is_keyed(field, name));
        let end = |bytes: &[u8]| expiring::unwrap(bytes).map_or(now, |(until, _)| until);
        let mut all: Vec<_> = keyed.map(|(name, bytes)| (end(bytes), name, bytes)).collect();
        all.sort_unstable_by_key(|(until, ..)| *until);
        let over = all.partition_point(|(until, ..)| *until <= now);
        let surplus = (all.len() + adding).saturating_sub(MAX_KEYED);
        all.truncate(over.max(surplus));
        all.into_iter().map(|(_, name, bytes)| (name.to_owned(), bytes.to_vec())).collect()
    }
}
