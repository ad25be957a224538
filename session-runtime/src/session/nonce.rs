//! Values that are handed out once, among all requests.

use super::handle::Handle;
use crate::error::SessionError;
use crate::schema::{Key, SessionSchema, kind};

impl<S: SessionSchema> Handle<S> {
    /// Takes a nonce out of the store, now: of any number of concurrent
    /// requests at most one gets it. `None` if there is none, or its time is
    /// over.
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
        let _ = key;
        todo!()
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
        let _ = (key, name);
        todo!()
    }

    /// Sets a nonce under `name`, beside those under other names.
    pub fn set_keyed<T: Send + Sync + 'static>(
        &mut self,
        key: Key<S, T, kind::KeyedNonce>,
        name: impl Into<String>,
        value: T,
    ) {
        let _ = (key, name.into(), value);
        todo!()
    }
}
