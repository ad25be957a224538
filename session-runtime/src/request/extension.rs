//! How extractors find the session of their request.

use std::iter::successors;
use std::sync::Arc;

use http::Extensions;

use super::RequestSession;
use crate::engine::Engine;
use crate::schema::Schema;

/// What the layers that a request passed leave in its extensions. As long as one of these
/// is there, somebody may still ask for the session.
pub(crate) struct RequestExtension {
    passed: Passed,
    /// The layer around this one.
    outer: Option<Box<Self>>,
}

/// What a layer did with a request.
#[derive(Clone)]
pub(crate) enum Passed {
    With(Arc<RequestSession>),
    /// It leaves the path out.
    Excluded(Arc<Engine>),
}

impl Passed {
    fn engine(&self) -> &Arc<Engine> {
        match self {
            Self::With(session) => &session.engine,
            Self::Excluded(engine) => engine,
        }
    }
}

impl RequestExtension {
    /// Adds a layer within those that the request has passed already.
    pub(crate) fn put(passed: Passed, extensions: &mut Extensions) {
        let outer = extensions.remove::<Self>().map(Box::new);
        extensions.insert(Self::new(passed, outer));
    }

    fn new(passed: Passed, outer: Option<Box<Self>>) -> Self {
        if let Passed::With(session) = &passed {
            session.scope.gained_viewer();
        }
        Self { passed, outer }
    }

    /// Whether the layer of this engine gave the request a session already. One that left
    /// the path out is asked again: a handler may call its router with another path. If not,
    /// it is compared with the layers that did.
    pub(crate) fn passed(&self, engine: &Arc<Engine>) -> bool {
        let passed = self.sessions().any(|it| Arc::ptr_eq(&it.engine, engine));
        if !passed {
            self.sessions().for_each(|it| engine.is_within(&it.engine));
        }
        passed
    }

    fn sessions(&self) -> impl Iterator<Item = &Arc<RequestSession>> {
        self.layers().filter_map(|it| match it {
            Passed::With(session) => Some(session),
            Passed::Excluded(_) => None,
        })
    }

    /// The innermost layer first.
    fn layers(&self) -> impl Iterator<Item = &Passed> {
        successors(Some(self), |it| it.outer.as_deref()).map(|it| &it.passed)
    }

    pub(crate) const fn innermost(&self) -> &Passed {
        &self.passed
    }

    /// The innermost layer that names the schema, or the innermost of all.
    pub(crate) fn of(&self, schema: &'static Schema) -> &Passed {
        if self.outer.is_none() {
            return &self.passed;
        }
        let named = self.layers().find(|it| it.engine().schemas().has_named(schema));
        named.unwrap_or_else(|| {
            if self.sessions().count() > 1 {
                self.passed.engine().asked_for_unnamed(schema);
            }
            &self.passed
        })
    }
}

impl Clone for RequestExtension {
    fn clone(&self) -> Self {
        Self::new(self.passed.clone(), self.outer.clone())
    }
}

impl Drop for RequestExtension {
    fn drop(&mut self) {
        if let Passed::With(session) = &self.passed {
            session.scope.lost_viewer();
        }
    }
}
