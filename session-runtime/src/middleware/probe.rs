//! A test request that only determines whether it passes a session layer.

use std::sync::{Arc, OnceLock};

use http::Extensions;

/// Marks a probe: the layer records it and answers instead of the handler. Clients cannot
/// send one, because extensions are local.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe(Arc<OnceLock<usize>>);

impl Probe {
    pub(super) fn reached(&self, extensions: &Extensions) {
        let _ = self.0.set(extensions.len());
    }

    /// Returns the number of extensions that the request had at the layer, if it reached
    /// one. A router adds more of them on the way to a route than to its fallback.
    pub(crate) fn seen(&self) -> Option<usize> {
        self.0.get().copied()
    }
}
