//! A request that asks only whether it passes a session layer.

use std::sync::{Arc, OnceLock};

use http::Extensions;

/// Marks such a request: the layer notes it and answers in the handler's
/// place. No client can send one, since extensions do not travel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe(Arc<OnceLock<usize>>);

impl Probe {
    pub(super) fn reached(&self, extensions: &Extensions) {
        let _ = self.0.set(extensions.len());
    }

    /// If it reached a layer: how many extensions the request had there. A
    /// router leaves more of them on its way to a route than to its fallback.
    pub(crate) fn seen(&self) -> Option<usize> {
        self.0.get().copied()
    }
}
