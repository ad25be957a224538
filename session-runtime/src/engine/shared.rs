//! The store, the settings, and calls of the store under a time limit.

use std::sync::{Arc, Once, OnceLock};

use tokio::time::{Instant, timeout};

use super::schemas::{Admitted, Schemas};
use crate::clock::Timestamp;
use crate::config::{Config, SetCookie, SetupError};
use crate::event::{Events, Happening, SecurityEventKind};
use crate::id::SessionId;
use crate::metrics::Counters;
use crate::record::{EndReason, Principal, Record};
use crate::retry::Queues;
use crate::schema::Schema;
use crate::session::Audit;
use crate::store::{Revoke, SessionStore, StoreError, StoreErrorKind, StoreFuture, Watchers};

pub(crate) struct Engine {
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) config: Config,
    pub(crate) cookie: SetCookie,
    pub(crate) queues: Queues,
    /// The tasks that wait for a session to change or end; woken by this layer, and by the store if
    /// it follows a feed.
    pub(crate) watchers: Watchers,
    pub(crate) metrics: Counters,
    /// The test kit's audit of values, if one is installed.
    pub(crate) audit: OnceLock<Audit>,
    events: Events,
    /// Reports once that an enclosing layer has a cookie of the same name.
    pub(crate) same_cookie: Once,
    /// Reports once that an enclosing layer sends its tokens in the same header.
    pub(crate) same_header: Once,
    /// Reports once that a handler inside another layer asked for a schema that neither layer
    /// names.
    pub(crate) unnamed: Once,
    /// Reports once that the cookie was sent to a browser on plain HTTP.
    pub(crate) plain_http: Once,
    schemas: Schemas,
}

impl Engine {
    pub(crate) fn new(store: Arc<dyn SessionStore>, config: Config, schemas: Schemas) -> Self {
        let cookie = SetCookie::of(&config.cookie);
        let (queues, metrics) = (Queues::default(), Counters::default());
        let watchers = store.watchers();
        let (audit, events) = (OnceLock::new(), Events::default());
        let (same_cookie, same_header) = (Once::new(), Once::new());
        let (unnamed, plain_http) = (Once::new(), Once::new());
        Self {
            store,
            config,
            cookie,
            queues,
            watchers,
            metrics,
            audit,
            events,
            same_cookie,
            same_header,
            unnamed,
            plain_http,
            schemas,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.store.clock().now()
    }

    /// Counts an event, logs it and passes it to the listener.
    pub(crate) fn happened(&self, happening: &Happening<'_>) {
        let listener = self.config.listener.as_ref();
        self.events.happened(happening, listener, &self.metrics, || self.now());
    }

    /// Checks the settings and the schema; cheap once both are known to be valid.
    pub(crate) fn admit(&self, schema: &'static Schema) -> Result<(), SetupError> {
        self.admit_by(Schemas::admit, schema)
    }

    /// Like [`admit`](Self::admit), for a schema that is named when the layer is built.
    pub(crate) fn name(&self, schema: &'static Schema) -> Result<(), SetupError> {
        self.admit_by(Schemas::name, schema)
    }

    fn admit_by(
        &self,
        admit: fn(&Schemas, &'static Schema) -> Result<Admitted, SetupError>,
        schema: &'static Schema,
    ) -> Result<(), SetupError> {
        if let Some(error) = &self.config.error {
            return Err(error.clone());
        }
        if admit(&self.schemas, schema)? == Admitted::Now {
            self.look_around(schema);
        }
        Ok(())
    }

    pub(crate) fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// Rejects a record from another realm: the store has lost the record's realm, or mixed up the
    /// secrets of two realms.
    pub(crate) fn vouch_for_realm(&self, record: &Record) -> Result<(), StoreError> {
        if self.config.realms.accepts(&record.meta.realm) {
            return Ok(());
        }
        let problem = "the store answered with a session of a realm that was not asked for";
        Err(StoreError::because(StoreErrorKind::Corrupt, problem))
    }

    /// Ends a session; returns whether it was live.
    pub(crate) async fn end(&self, id: SessionId, because: EndReason) -> Result<bool, StoreError> {
        let ended = self.within(self.store.delete(id, because)).await;
        // Even without an answer, because it may have ended.
        self.watchers.tell_ended(id);
        ended
    }

    /// Ends sessions of these principals and returns how many were live.
    pub(crate) async fn revoke(
        &self,
        principals: &[Principal],
        which: Revoke,
        because: EndReason,
    ) -> Result<u64, StoreError> {
        let mut ended = 0;
        for principal in principals {
            let mut from = None;
            loop {
                let step = self.store.revoke(principal, which, because, from.as_ref());
                let step = self.within(step).await;
                // Even without an answer, because some may have ended.
                self.watchers.tell_ended_of(principal);
                let step = step?;
                ended += step.ended;
                // Reported for each step, because a later one may fail.
                if step.ended > 0 {
                    let mut event = Happening::new(SecurityEventKind::Revoked)
                        .by(Some(principal))
                        .because(because);
                    event.sessions = step.ended;
                    if let Revoke::One(id) = which {
                        event = event.of(id);
                    }
                    self.happened(&event);
                }
                from = step.next;
                if from.is_none() {
                    break;
                }
            }
        }
        Ok(ended)
    }

    /// Waits for the store, up to `store_timeout`.
    pub(crate) fn within<'a, T: Unpin + Send + 'a>(
        &'a self,
        answer: StoreFuture<'a, Result<T, StoreError>>,
    ) -> StoreFuture<'a, Result<T, StoreError>> {
        let too_late = || Err(StoreError::new(StoreErrorKind::Timeout));
        self.ask(answer, move |answer| answer.unwrap_or_else(too_late))
    }

    /// Returns the store's answer, or `None` if it does not come in time and the outcome is
    /// unknown.
    pub(crate) fn in_time<'a, T: Unpin + Send + 'a>(
        &'a self,
        answer: StoreFuture<'a, Result<T, StoreError>>,
    ) -> StoreFuture<'a, Option<Result<T, StoreError>>> {
        self.ask(answer, |answer| answer)
    }

    /// Boxes only an answer that is not ready, so that handlers' futures stay small.
    fn ask<'a, T: Unpin + Send + 'a, R>(
        &'a self,
        answer: StoreFuture<'a, Result<T, StoreError>>,
        then: impl FnOnce(Option<Result<T, StoreError>>) -> R + Send + 'a,
    ) -> StoreFuture<'a, R> {
        let counted = |answer: Option<Result<T, StoreError>>| {
            if !matches!(answer, Some(Ok(_))) {
                self.metrics.errors.one();
            }
            then(answer)
        };
        match answer.take_ready() {
            Ok(answer) => StoreFuture::ready(counted(Some(answer))),
            Err(waiting) => StoreFuture::new(async move {
                let begun = Instant::now();
                let answer = timeout(self.config.store_timeout, waiting).await.ok();
                let waited = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                self.metrics.waits.one();
                self.metrics.waited_micros.more(waited);
                counted(answer)
            }),
        }
    }
}
