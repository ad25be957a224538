//! The service, which makes the request's session available to extractors.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::body::StaticBody;
use super::future::ResponseFuture;
use super::plain_http::PlainHttp;
use super::probe::Probe;
use crate::engine::Engine;
use crate::login::Asked;
use crate::request::{Passed, RequestExtension, RequestSession};

/// The service made by [`SessionLayer`](super::SessionLayer).
#[derive(Clone)]
pub struct SessionService<I> {
    inner: I,
    engine: Arc<Engine>,
}

impl<I> SessionService<I> {
    pub(super) fn new(inner: I, engine: Arc<Engine>) -> Self {
        Self { inner, engine }
    }
}

impl<I: std::fmt::Debug> std::fmt::Debug for SessionService<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<I, ReqBody, ResBody> Service<Request<ReqBody>> for SessionService<I>
where
    I: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: StaticBody,
{
    type Response = Response<ResBody>;
    type Error = I::Error;
    type Future = ResponseFuture<I::Future, ResBody>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), I::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> ResponseFuture<I::Future, ResBody> {
        let outer = request.extensions().get::<RequestExtension>();
        let is_within = outer.is_some();
        if outer.is_some_and(|outer| outer.passed(&self.engine)) {
            // The same layer was applied twice: the outer one does the work.
            return ResponseFuture::unchanged(self.inner.call(request));
        }
        if !self.engine.config.excluded.is_empty()
            && self.engine.config.excludes(request.uri().path())
        {
            let excluded = Passed::Excluded(Arc::clone(&self.engine));
            RequestExtension::put(excluded, request.extensions_mut());
            return ResponseFuture::unchanged(self.inner.call(request));
        }
        if let Some(probe) = request.extensions().get::<Probe>() {
            probe.reached(request.extensions());
            return ResponseFuture::answered(Response::new(ResBody::from("")));
        }
        // An outer layer saw the complete address.
        if !self.engine.config.login.is_empty() && request.extensions().get::<Asked>().is_none() {
            let asked = Asked::of(&request);
            request.extensions_mut().insert(asked);
        }
        let mut session = RequestSession::new(Arc::clone(&self.engine), request.method());
        session.is_within = is_within;
        if self.engine.config.is_passive(request.uri().path(), request.headers()) {
            session.is_no_activity();
        }
        let session = Arc::new(session);
        RequestExtension::put(Passed::With(Arc::clone(&session)), request.extensions_mut());
        let plain_http = PlainHttp::of(&self.engine, request.headers());
        ResponseFuture::new(self.inner.call(request), session).seen_by(plain_http)
    }
}
