//! Values that are handed out once among all requests.

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

/// How many values of one keyed nonce are kept, so that flows that are begun and never finished do
/// not fill the store. The values that expire first make room.
const MAX_KEYED: usize = 16;

impl<S: SessionSchema> Handle<S> {
    /// Takes a nonce out of the store immediately: of any number of concurrent requests, at most
    /// one gets it. Returns `None` if there is none or it has expired.
    ///
    /// It stays consumed even if this request fails afterwards or its future is dropped.
    ///
    /// ```
    /// # use session_runtime::{SessionError, SessionSchema, testing::TestSession};
    /// # #[derive(SessionSchema)] struct Visitor { #[session(nonce)] code: Option<String> }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// # let t = TestSession::<Visitor>::new();
    /// t.session().set_code("4711".to_owned());
    /// assert_eq!(t.session().consume(Visitor::CODE).await?.as_deref(), Some("4711"));
    /// assert_eq!(t.session().consume(Visitor::CODE).await?, None);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] if the session has ended, or another request has signed in or out,
    /// meanwhile; [`SessionError::Uncertain`] if the store's answer was lost, in which case the
    /// value may be gone; otherwise what the store reports.
    pub async fn consume<T: Send + Sync + 'static>(
        &mut self,
        key: Key<S, T, kind::Nonce>,
    ) -> Result<Option<T>, SessionError> {
        let names = self.core.field(key.index()).names().map(Cow::Borrowed).collect();
        Ok(self.core.consume(key.index(), names).await?.map(owned))
    }

    /// Like [`consume`](Self::consume), for the value that was set under `name`.
    ///
    /// ```
    /// # use session_runtime::{SessionError, SessionSchema, testing::TestSession};
    /// # use std::collections::HashMap;
    /// # #[derive(SessionSchema)]
    /// # struct Visitor { #[session(nonce = keyed, ttl = "10m")] logins: HashMap<String, String> }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// # let t = TestSession::<Visitor>::new();
    /// t.session().set_logins("state", "verifier".to_owned());
    /// let verifier = t.session().consume_keyed(Visitor::LOGINS, "state").await?;
    /// assert_eq!(verifier.as_deref(), Some("verifier"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Same as [`consume`](Self::consume).
    pub async fn consume_keyed<T: Send + Sync + 'static>(
        &mut self,
        key: Key<S, T, kind::KeyedNonce>,
        name: &str,
    ) -> Result<Option<T>, SessionError> {
        // The name comes from a URL: do not ask the store for one that cannot exist.
        if value::is_too_long(name).is_some() {
            return Ok(None);
        }
        let field = self.core.field(key.index());
        let names = field.names().map(|of| Cow::Owned(format!("{of}{}{name}", KEYED)));
        let names = names.collect();
        Ok(self.core.consume(key.index(), names).await?.map(owned))
    }

    /// Sets a nonce under `name` (at most 128 bytes), beside those under other names. The sixteen
    /// that expire last are kept.
    ///
    /// A longer name is an error when the change is stored.
    ///
    /// ```
    /// # use session_runtime::{SessionSchema, testing::TestSession};
    /// # use std::collections::HashMap;
    /// # #[derive(SessionSchema)]
    /// # struct Visitor { #[session(nonce = keyed, ttl = "10m")] logins: HashMap<String, String> }
    /// # let t = TestSession::<Visitor>::new(); let mut session = t.session();
    /// session.set_keyed(Visitor::LOGINS, "state", "verifier".to_owned());
    /// assert_eq!(session.changed_fields(), ["logins"]);
    /// ```
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
            // After a sign-in in this request, the nonces of another user are out of reach.
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
                    "a nonce does not decode as `{}`; it is treated as absent",
                    field.type_name,
                );
                Ok(None)
            }
        }
    }

    /// Takes a value that this request has set but not stored: no other request can take it.
    /// Returns `None` if the store has to be asked.
    fn take_pending(&self, names: &[Cow<'static, str>]) -> Option<Option<Vec<u8>>> {
        let mut state = self.backend.scope().state();
        if state.generation != self.generation {
            return Some(None);
        }
        let mut ops = state.pending.ops.iter_mut();
        let pending = ops.find(|op| names.iter().any(|name| op.name() == name))?;
        match std::mem::replace(&mut pending.op, Op::Remove) {
            Op::Set(bytes) => Some(Some(bytes.to_vec())),
            Op::Remove => Some(None),
            other => {
                pending.op = other;
                None
            }
        }
    }

    /// Returns the values of a keyed nonce to remove before `adding` more: all expired ones, and
    /// the next to expire as long as there are too many.
    pub(super) fn crowded_out(
        &self,
        index: usize,
        adding: usize,
        now: Timestamp,
    ) -> Vec<(String, Vec<u8>)> {
        let field = self.field(index);
        let keyed = self.fields().iter().filter(|(name, _)| value::is_keyed(field, name));
        let end = |bytes: &[u8]| expiring::unwrap(bytes).map_or(now, |(until, _)| until);
        let mut all: Vec<_> = keyed.map(|(name, bytes)| (end(bytes), name, bytes)).collect();
        all.sort_unstable_by_key(|(until, ..)| *until);
        let over = all.partition_point(|(until, ..)| *until <= now);
        let surplus = (all.len() + adding).saturating_sub(MAX_KEYED);
        all.truncate(over.max(surplus));
        all.into_iter().map(|(_, name, bytes)| (name.to_owned(), bytes.to_vec())).collect()
    }
}
