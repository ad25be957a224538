//! Services of tower alone: no axum, no body type but what the user brings.

use std::convert::Infallible;

use http::{HeaderMap, Request, Response, StatusCode, header};
use session_runtime::{
    Authenticated, Session, SessionError, SessionLayer, SessionManager, SessionRejection,
    existing_session_of, session_of,
};
use session_tests::slow::{Fault, Method as Call};
use session_tests::stores::{all, memory};
use session_tests::{Slow, Spy};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::visitor::{Visitor, show};

type Answer = Result<Response<String>, Infallible>;

fn answer((status, text): (StatusCode, impl Into<String>)) -> Response<String> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response
}

/// Does what the path says.
async fn service(request: Request<()>) -> Answer {
    let (extensions, headers) = (request.extensions(), request.headers());
    let session = session_of::<Visitor>(extensions, headers);
    let text = match request.uri().path() {
        "/maybe" => match existing_session_of::<Visitor>(extensions, headers).await {
            Ok(session) => session.is_some().to_string(),
            Err(rejection) => return Ok(answer(rejection.status_and_text())),
        },
        "/account" => match <Authenticated<Visitor>>::of(extensions, headers).await {
            Ok(who) => who.principal().to_string(),
            Err(error) => return Ok(answer((StatusCode::UNAUTHORIZED, error.to_string()))),
        },
        path => match session.await {
            Ok(session) => act(path, session),
            Err(rejection) => return Ok(answer(rejection.status_and_text())),
        },
    };
    Ok(Response::new(text))
}

fn act(path: &str, mut session: Session<Visitor>) -> String {
    match path {
        "/visit" => session.add_visits(1),
        "/sign-in" => session.set_user_id(7),
        "/logout" => session.destroy(),
        _ => {}
    }
    show(&session)
}

/// A browser of one cookie.
async fn ask<S>(service: &S, cookie: &mut HeaderMap, path: &str) -> Response<String>
where
    S: Service<Request<()>, Response = Response<String>> + Clone,
    S::Error: std::fmt::Debug,
{
    let mut request = Request::post(path).body(()).unwrap();
    request.headers_mut().extend(cookie.clone());
    let response = service.clone().oneshot(request).await.unwrap();
    if let Some(set) = response.headers().get(header::SET_COOKIE) {
        let pair = set.to_str().unwrap().split(';').next().unwrap();
        cookie.insert(header::COOKIE, pair.parse().unwrap());
    }
    response
}

#[tokio::test]
async fn a_service_of_tower_alone_lives_from_first_visit_to_logout() {
    for under in all().await {
        let app = SessionLayer::new(under.store).layer(service_fn(service));
        let mut jar = HeaderMap::new();
        assert_eq!(ask(&app, &mut jar, "/maybe").await.body(), "false");
        assert_eq!(ask(&app, &mut jar, "/account").await.status(), 401);
        assert!(jar.is_empty());
        assert_eq!(ask(&app, &mut jar, "/visit").await.body(), "nobody en 1 []");
        ask(&app, &mut jar, "/sign-in").await;
        assert_eq!(ask(&app, &mut jar, "/account").await.body(), "7", "{}", under.name);
        assert_eq!(ask(&app, &mut jar, "/maybe").await.body(), "true");
        let gone = ask(&app, &mut jar, "/logout").await;
        assert!(gone.headers()[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
        assert_eq!(ask(&app, &mut jar, "/account").await.status(), 401, "{}", under.name);
    }
}

#[tokio::test]
async fn a_service_without_the_layer_gets_a_typed_rejection() {
    let request = Request::post("/visit").body(()).unwrap();
    let rejection = session_of::<Visitor>(request.extensions(), request.headers()).await;
    let Err(SessionRejection::MissingLayer { wanted }) = rejection.map(drop) else { panic!() };
    assert!(wanted.contains("Visitor"), "{wanted}");
    let response = service_fn(service).oneshot(request).await.unwrap();
    assert_eq!((response.status().as_u16(), &**response.body()), (500, "session layer missing"));
}

#[tokio::test]
async fn a_failed_commit_answers_with_the_users_own_body_type() {
    let slow = Slow::new();
    let app = SessionLayer::new(slow.clone()).layer(service_fn(service));
    let mut jar = HeaderMap::new();
    ask(&app, &mut jar, "/visit").await;
    slow.next(Call::Apply, Fault::Fails).open();
    let response = ask(&app, &mut jar, "/visit").await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.body(), "session unavailable, try again");
    assert!(matches!(
        response.extensions().get::<std::sync::Arc<SessionError>>().map(|error| &**error),
        Some(SessionError::Store(_))
    ));
    assert_eq!(ask(&app, &mut jar, "/read").await.body(), "nobody en 1 []");
}

#[tokio::test]
async fn a_service_that_fails_altogether_still_logs_out_and_stores_nothing_else() {
    for under in all().await {
        let layer = SessionLayer::new(under.store);
        let manager: SessionManager = layer.manager();
        let fails = service_fn(|request: Request<()>| async move {
            let session = session_of::<Visitor>(request.extensions(), request.headers()).await;
            let mut session = session.unwrap();
            match request.uri().path() {
                "/logout" => session.destroy(),
                _ => session.add_visits(10),
            }
            Err::<Response<String>, _>("the service is broken")
        });
        let works = layer.layer(service_fn(service));
        let fails = layer.layer(fails);
        let mut jar = HeaderMap::new();
        ask(&works, &mut jar, "/sign-in").await;
        for path in ["/visit", "/logout"] {
            let mut request = Request::post(path).body(()).unwrap();
            request.headers_mut().extend(jar.clone());
            assert_eq!(fails.clone().oneshot(request).await.unwrap_err(), "the service is broken");
            if path == "/visit" {
                tokio::task::yield_now().await;
                assert_eq!(ask(&works, &mut jar, "/read").await.body(), "7 en 0 []");
            }
        }
        for _ in 0..500 {
            if manager.count().await.unwrap() == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(manager.count().await.unwrap(), 0, "{}", under.name);
    }
}

#[tokio::test]
async fn the_layer_passes_readiness_and_clones_through() {
    #[derive(Clone, Debug)]
    struct Busy(std::sync::Arc<std::sync::atomic::AtomicBool>);
    impl Service<Request<()>> for Busy {
        type Response = Response<String>;
        type Error = Infallible;
        type Future = std::future::Ready<Answer>;

        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), Infallible>> {
            if self.0.load(std::sync::atomic::Ordering::SeqCst) {
                std::task::Poll::Pending
            } else {
                std::task::Poll::Ready(Ok(()))
            }
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            std::future::ready(Ok(Response::new("done".to_owned())))
        }
    }
    let busy = Busy(std::sync::Arc::new(true.into()));
    let spy = Spy::on(memory().store);
    let mut app = SessionLayer::new(spy.clone()).layer(busy.clone());
    assert!(format!("{app:?}").starts_with("SessionService { inner: Busy("));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(app.poll_ready(&mut context).is_pending(), "load shedding is not hidden");
    busy.0.store(false, std::sync::atomic::Ordering::SeqCst);
    assert!(app.poll_ready(&mut context).is_ready());
    assert_eq!(app.call(Request::new(())).await.unwrap().body(), "done");
    assert!(spy.calls().is_empty());
}
