//! Detects layers with one realm on one store but different kinds of users. This is only warned
//! about, because in two processes it could not be detected.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::Engine;
use crate::schema::Schema;
use crate::transport::Transports;

/// The layers of this process.
static LAYERS: Mutex<Vec<Weak<Engine>>> = Mutex::new(Vec::new());

impl Engine {
    /// Registers this layer with the others of this process.
    pub(crate) fn register(self: &Arc<Self>) {
        let mut layers = LAYERS.lock().unwrap_or_else(PoisonError::into_inner);
        layers.retain(|layer| layer.strong_count() > 0);
        layers.push(Arc::downgrade(self));
        drop(layers);
        self.schemas().all().for_each(|schema| self.look_around(schema));
    }

    /// Warns if another layer would open the sessions of `schema` as those of another kind of user.
    #[cold]
    pub(super) fn look_around(&self, schema: &'static Schema) {
        if schema.principal().is_none() {
            return;
        }
        let (realm, ours) = (self.config.realms.own(), self.of_users());
        for other in self.beside() {
            let theirs = other.of_users();
            let shared = |it: &&Schema| ours.iter().any(|ours| ours.is(it));
            if let Some(first) = theirs.first()
                && !theirs.iter().any(shared)
                && other.config.realms.accepts(realm)
            {
                tracing::warn!(
                    %realm,
                    schemas = ?[first.name, schema.name],
                    "two session layers share a store and a realm, and their users are of different schemas: a session of one opens the other; give one of them a cookie name of its own, or a `.realm(\"…\")`"
                );
            }
        }
    }

    /// Warns if an enclosing layer sends its tokens under the same name.
    pub(crate) fn is_within(&self, outer: &Self) {
        let (ours, theirs) = (&self.config, &outer.config);
        let both = |accepts: fn(Transports) -> bool| {
            accepts(ours.transports) && accepts(theirs.transports)
        };
        let name = ours.cookie.name();
        if both(Transports::accepts_bearer) && ours.token_header == theirs.token_header {
            self.same_header.call_once(|| {
                tracing::warn!(
                    header = %ours.token_header,
                    "two session layers around one handler send their tokens in one header, and a client gets only that of the outer one: give one of them another `.token_header(…)`"
                );
            });
        }
        if both(Transports::accepts_cookie) && name == theirs.cookie.name() {
            self.same_cookie.call_once(|| {
                tracing::warn!(
                    cookie = name,
                    "two session layers around one handler have cookies of one name, and a browser may keep only one of them: give one of them another `.cookie(…)`"
                );
            });
        }
    }

    /// Warns about a schema that a handler inside several layers extracts but no layer names.
    #[cold]
    pub(crate) fn asked_for_unnamed(&self, schema: &'static Schema) {
        self.unnamed.call_once(|| {
            tracing::warn!(
                schema = schema.name,
                "a handler within two session layers asks for a schema that neither names, and gets the session of the inner one: call `.schema::<…>()` on the layer that it belongs to"
            );
        });
    }

    /// Returns the schemas with a principal.
    fn of_users(&self) -> Vec<&'static Schema> {
        let all = self.schemas().all();
        all.filter(|schema| schema.principal().is_some()).collect()
    }

    /// Returns the other layers on the same store. A store has no name, but its clones, and stores
    /// that wrap it, share its clock.
    fn beside(&self) -> Vec<Arc<Self>> {
        let clock = |engine: &Self| std::ptr::from_ref(engine.store.clock());
        let layers = LAYERS.lock().unwrap_or_else(PoisonError::into_inner);
        let layers: Vec<_> = layers.iter().filter_map(Weak::upgrade).collect();
        let others = layers.into_iter().filter(|other| !std::ptr::eq(Arc::as_ptr(other), self));
        others.filter(|other| clock(other) == clock(self)).collect()
    }
}
