//! How extractors find the session of their request.

use std::iter::successors;
use std::sync::Arc;

use http::Extensions;

use super::RequestSession;
use crate::engine::Engine;
use crate::schema::Schema;

/// The layers that a request has passed, stored in its extensions. As long as one of these exists,
/// a handle can still be opened.
pub(crate) struct RequestExtension {
    passed: Passed,
    /// The enclosing layer.
    outer: Option<Box<Self>>,
}

/// What a layer did with a request.
#[derive(Clone)]
pub(crate) enum Passed {
    With(Arc<RequestSession>),
    /// The layer excludes the path.
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
    /// Adds a layer inside those that the request has already passed.
    pub(crate) fn put(passed: Passed, extensions: &mut Extensions) {
        let outer = extensions.insert(Self::new(passed, None));
        if outer.is_some()
            && let Some(inner) = extensions.get_mut::<Self>()
        {
            inner.outer = outer.map(Box::new);
        }
    }

    fn new(passed: Passed, outer: Option<Box<Self>>) -> Self {
        if let Passed::With(session) = &passed {
            session.scope.gained_viewer();
        }
        Self { passed, outer }
    }

    /// Whether the layer of this engine has already given the request a session. A layer that
    /// excluded the path is asked again, because a handler may call its router with another path.
    /// Otherwise compares the engine with the layers passed, to warn about equal cookie names.
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

    /// Iterates over the layers, innermost first.
    fn layers(&self) -> impl Iterator<Item = &Passed> {
        successors(Some(self), |it| it.outer.as_deref()).map(|it| &it.passed)
    }

    #[cfg(feature = "axum")]
    pub(crate) const fn innermost(&self) -> &Passed {
        &self.passed
    }

    /// Returns the innermost layer that names the schema, or else the innermost layer.
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
