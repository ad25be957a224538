//! One tab of a browser, whose requests are closures: a test reads from top to
//! bottom, through the real layer.

use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, header};
use session_runtime::schema::{HasPrincipal, SessionHandle};
use session_runtime::{Authenticated, SessionLayer, session_of};
use tower::{Layer, ServiceExt, service_fn};

type Opening<H> = Pin<Box<dyn Future<Output = Result<H, StatusCode>> + Send>>;

fn session<H: SessionHandle>(parts: Parts) -> Opening<H> {
    Box::pin(async move {
        let session = session_of::<H::Schema>(&parts.extensions, &parts.headers).await;
        session.map_err(|rejection| rejection.status_and_text().0)
    })
}

fn user<S: HasPrincipal>(parts: Parts) -> Opening<Authenticated<S>> {
    Box::pin(async move {
        let user = Authenticated::of(&parts.extensions, &parts.headers).await;
        user.map_err(|_| StatusCode::UNAUTHORIZED)
    })
}

#[derive(Clone)]
pub struct Tab {
    layer: SessionLayer,
    name: &'static str,
    /// Whether it sends its token as a bearer token.
    bearer: bool,
    /// The value of the session cookie, or the bearer token.
    pub cookie: Option<String>,
    /// What else it sends with every request.
    headers: Vec<(HeaderName, String)>,
    method: Method,
}

/// What came of a request.
#[derive(Debug)]
pub struct Answer<R> {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// What the handler returned; none if it got no session.
    pub value: Option<R>,
}

impl<R> Answer<R> {
    /// What the handler returned, to a request that succeeded.
    #[track_caller]
    pub fn ok(self) -> R {
        assert_eq!(self.status, StatusCode::OK);
        self.value.expect("the handler ran")
    }
}

impl Tab {
    pub fn new(layer: &SessionLayer) -> Self {
        Self::named(layer, "__Host-session")
    }

    /// The same, where the layer's cookie has another name.
    pub fn named(layer: &SessionLayer, name: &'static str) -> Self {
        let (cookie, headers, method) = (None, Vec::new(), Method::POST);
        Self { layer: layer.clone(), name, bearer: false, cookie, headers, method }
    }

    /// A client that is no browser.
    pub fn bearing(layer: &SessionLayer) -> Self {
        Self { bearer: true, ..Self::named(layer, "session-token") }
    }

    /// The same browser, before another program on the same store.
    pub fn by(&self, layer: &SessionLayer) -> Self {
        Self { layer: layer.clone(), ..self.clone() }
    }

    /// The same browser with another value of the cookie.
    pub fn holding(&self, cookie: Option<String>) -> Self {
        Self { cookie, ..self.clone() }
    }

    /// The same browser, which sends this, too.
    pub fn with(&self, name: HeaderName, value: &str) -> Self {
        let mut tab = self.clone();
        tab.headers.push((name, value.to_owned()));
        tab
    }

    /// The same browser, which has another cookie of that name, of another path or domain.
    pub fn beside(&self, cookie: &str) -> Self {
        self.with(header::COOKIE, &format!("{}={cookie}", self.name))
    }

    /// The same browser, which opens a link: `GET`.
    pub fn opening(&self) -> Self {
        Self { method: Method::GET, ..self.clone() }
    }

    /// A `POST` whose handler is `handler`; its cookie is kept.
    pub async fn run<H: SessionHandle, R: Send + 'static, F>(
        &mut self,
        handler: impl FnOnce(H) -> F + Send + 'static,
    ) -> Answer<R>
    where
        F: Future<Output = R> + Send + 'static,
    {
        let answer = self.ask(handler).await;
        self.keep(&answer.headers);
        answer
    }

    /// As `run`, and the answer never arrives.
    pub async fn ask<H: SessionHandle, R: Send + 'static, F>(
        &self,
        handler: impl FnOnce(H) -> F + Send + 'static,
    ) -> Answer<R>
    where
        F: Future<Output = R> + Send + 'static,
    {
        self.send(session::<H>, ready(()), handler).await
    }

    /// As `run`, for a handler that asks for a signed-in user.
    pub async fn run_as<S: HasPrincipal, R: Send + 'static, F>(
        &mut self,
        handler: impl FnOnce(Authenticated<S>) -> F + Send + 'static,
    ) -> Answer<R>
    where
        F: Future<Output = R> + Send + 'static,
    {
        let answer = self.send(user::<S>, ready(()), handler).await;
        self.keep(&answer.headers);
        answer
    }

    async fn send<H: Send + 'static, R: Send + 'static, F>(
        &self,
        open: fn(Parts) -> Opening<H>,
        body: impl Future<Output = ()> + Send + 'static,
        handler: impl FnOnce(H) -> F + Send + 'static,
    ) -> Answer<R>
    where
        F: Future<Output = R> + Send + 'static,
    {
        let value = Arc::new(Mutex::new(None));
        let once = Arc::new(Mutex::new(Some((body, handler))));
        let result = Arc::clone(&value);
        let service = service_fn(move |request: Request<()>| {
            let (result, once) = (Arc::clone(&result), Arc::clone(&once));
            async move {
                let (body, handler) = once.lock().unwrap().take().expect("called once");
                body.await;
                let mut response = Response::new(String::new());
                let (parts, ()) = request.into_parts();
                match open(parts).await {
                    Ok(session) => {
                        let value = handler(session).await;
                        *result.lock().unwrap() = Some(value);
                    }
                    Err(status) => *response.status_mut() = status,
                }
                Ok::<_, Infallible>(response)
            }
        });
        let mut request = Request::builder().method(self.method.clone()).uri("/");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(token) = &self.cookie {
            request = match self.bearer {
                true => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
                false => request.header(header::COOKIE, format!("{}={token}", self.name)),
            };
        }
        let response = self.layer.layer(service).oneshot(request.body(()).unwrap()).await.unwrap();
        let value = value.lock().unwrap().take();
        Answer { status: response.status(), headers: response.headers().clone(), value }
    }

    /// As `ask`, with something that happens while the handler waits for the body of the request,
    /// before it asks for the session.
    pub async fn ask_late<H: SessionHandle, R: Send + 'static, F>(
        &self,
        between: impl FnOnce() + Send + 'static,
        handler: impl FnOnce(H) -> F + Send + 'static,
    ) -> Answer<R>
    where
        F: Future<Output = R> + Send + 'static,
    {
        let body = async move {
            tokio::task::yield_now().await;
            between();
        };
        self.send(session::<H>, body, handler).await
    }

    /// Does with an answer's cookie what a browser does, or with a new token what another client
    /// does.
    pub fn keep(&mut self, headers: &HeaderMap) {
        if let (true, Some(token)) = (self.bearer, headers.get(self.name)) {
            self.cookie = Some(token.to_str().unwrap().to_owned());
        }
        for text in headers.get_all(header::SET_COOKIE) {
            let text = text.to_str().unwrap();
            let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
            if name != self.name {
                continue;
            }
            self.cookie = (!text.contains("Max-Age=0")).then(|| value.to_owned());
        }
    }
}
