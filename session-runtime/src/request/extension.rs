//! How extractors find the session of their request.

use std::sync::Arc;

use super::RequestSession;

/// What the layer leaves in the request's extensions. As long as one of these
/// is there, somebody may still ask for the session.
#[derive(Debug)]
pub(crate) struct RequestExtension(Arc<RequestSession>);

impl RequestExtension {
    pub(crate) fn new(session: Arc<RequestSession>) -> Self {
        session.scope.gained_viewer();
        Self(session)
    }

    pub(crate) const fn session(&self) -> &Arc<RequestSession> {
        &self.0
    }
}

impl Clone for RequestExtension {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.0))
    }
}

impl Drop for RequestExtension {
    fn drop(&mut self) {
        self.0.scope.lost_viewer();
    }
}
