//! Stores around a cache: one that asks it as loosely as anybody may, and one
//! below it whose feed of changes is in the hands of the test.

use std::sync::{Arc, Mutex};

use session_runtime::__private::token::SecretHash;
use session_runtime::store::{
    ChangeFeed, ChangeSink, SessionStore, StoreError, StoreFuture,
    contract::{Lookup, Visit},
};
use session_runtime::{SessionId, forward_store};

/// Every load may be answered by what was true lately, and the answer does not
/// say whether it was.
#[derive(Clone, Debug)]
pub struct Lately<S>(pub S);

#[deny(clippy::missing_trait_methods)]
impl<S: SessionStore> SessionStore for Lately<S> {
    forward_store! { this => this.0;
        clock capabilities reload create apply delete list revoke count sweep scan cache watchers
    }

    fn load<'a>(
        &'a self,
        id: SessionId,
        secrets: &'a [SecretHash],
        visit: Visit,
    ) -> StoreFuture<'a, Result<Lookup, StoreError>> {
        let asked = self.0.load(id, secrets, Visit { stale_ok: true, ..visit });
        StoreFuture::new(async move {
            Ok(match asked.await? {
                Lookup::Cached(record) => Lookup::Found(record),
                answer => answer,
            })
        })
    }
}

/// A store whose feed says what [`sink`](Self::sink) is told. Clones share it.
#[derive(Clone, Debug)]
pub struct Fed<S>(pub S, Arc<Mutex<Option<ChangeSink>>>);

impl<S> Fed<S> {
    pub fn new(store: S) -> Self {
        Self(store, Arc::default())
    }

    /// What the cache above listens to.
    pub fn sink(&self) -> ChangeSink {
        self.1.lock().unwrap().clone().expect("the first load follows the feed")
    }
}

impl<S: SessionStore> ChangeFeed for Fed<S> {
    fn follow(&self, sink: ChangeSink) -> StoreFuture<'static, ()> {
        *self.1.lock().unwrap() = Some(sink);
        StoreFuture::new(std::future::pending())
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: SessionStore> SessionStore for Fed<S> {
    forward_store! { this => this.0;
        clock capabilities load reload create apply delete list revoke count sweep scan cache watchers
    }
}
