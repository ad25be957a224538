//! How often a request allocates more than it would without sessions: exactly, so that a
//! change of it is seen, whichever way it goes.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::alloc::System;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, header};
use session_runtime::store::MemoryStore;
use session_runtime::{Session, SessionLayer, SessionSchema};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tower::ServiceExt;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// As many requests as are counted together, and how often that is done: something else
/// allocates now and then, such as a map of the store that grows.
const REQUESTS: usize = 64;
const ROUNDS: usize = 8;

macro_rules! schema {
    ($name:ident: $($field:ident)*) => {
        #[derive(SessionSchema)]
        struct $name {
            #[session(principal)]
            user: Option<u64>,
            visits: u32,
            $($field: String,)*
        }

        impl $name {
            fn sign_in(mut session: Session<Self>) {
                session.set_user(7);
                session.set_visits(1);
                session.set_first("one");
                session.set_second("two");
                session.set_third("three");
            }

            fn app() -> Router {
                Router::new()
                    .route("/none", get(|| async {}))
                    .route("/read", get(|s: Session<Self>| async move { assert!(s.visits() > 0) }))
                    .route(
                        "/change",
                        get(|mut s: Session<Self>| async move { s.set_visits(s.visits() + 1) }),
                    )
                    .route("/sign-in", get(|s: Session<Self>| async move { Self::sign_in(s) }))
                    .route("/renew", get(|mut s: Session<Self>| async move { s.regenerate() }))
            }
        }
    };
}

schema!(Small: first second third);
schema!(Wide: first second third
    f00 f01 f02 f03 f04 f05 f06 f07 f08 f09 f10 f11 f12 f13 f14 f15 f16 f17 f18 f19
    f20 f21 f22 f23 f24 f25 f26 f27 f28 f29 f30 f31 f32 f33 f34 f35 f36 f37 f38 f39);

struct Browser {
    app: Router,
    cookie: Option<String>,
}

impl Browser {
    /// Where the path gives another cookie, the next request comes with that.
    async fn get(&mut self, path: &str) {
        let mut request = Request::get(path);
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let response = self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await;
        let response = response.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        if let (Some(set), true) = (response.headers().get(header::SET_COOKIE), self.keeps()) {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            self.cookie.as_mut().unwrap().replace_range(.., pair);
        }
    }

    /// A browser without a cookie has none the next time either.
    fn keeps(&self) -> bool {
        self.cookie.is_some()
    }

    /// The allocations of one request.
    async fn allocations(&mut self, path: &str) -> usize {
        for _ in 0..REQUESTS {
            self.get(path).await;
        }
        let mut least = usize::MAX;
        for _ in 0..ROUNDS {
            let region = Region::new(ALLOCATOR);
            for _ in 0..REQUESTS {
                self.get(path).await;
            }
            let used = region.change();
            least = least.min(used.allocations + used.reallocations);
        }
        least / REQUESTS
    }
}

/// Of requests that do not ask, read a field, change it, sign in without a cookie, and
/// renew the token: the allocations above those without a session layer.
async fn above_bare(routes: Router) -> [usize; 5] {
    let mut signed_in = Browser {
        app: routes.clone().layer(SessionLayer::new(MemoryStore::new())).with_state(()),
        cookie: Some("none=1".to_owned()),
    };
    signed_in.get("/sign-in").await;
    let mut nobody = Browser { app: signed_in.app.clone(), cookie: None };
    // A store that is full enough: as long as its maps are small, they grow all the time.
    for _ in 0..20_000 {
        nobody.get("/sign-in").await;
    }
    let mut bare = Browser { app: routes.with_state(()), cookie: signed_in.cookie.clone() };
    let with_cookie = bare.allocations("/none").await;
    bare.cookie = None;
    let without = bare.allocations("/none").await;
    [
        signed_in.allocations("/none").await - with_cookie,
        signed_in.allocations("/read").await - with_cookie,
        signed_in.allocations("/change").await - with_cookie,
        nobody.allocations("/sign-in").await - without,
        signed_in.allocations("/renew").await - with_cookie,
    ]
}

#[tokio::test]
async fn a_request_allocates_as_often_as_it_is_known_to() {
    // Of the first five, two are of every layer, and one is the larger table of a request's
    // extensions, which hold axum's `OriginalUri` too: one fewer without that feature of axum.
    let known = [5, 8, 15, 20, 12];
    assert_eq!(above_bare(Small::app()).await, known);
    assert_eq!(above_bare(Wide::app()).await, known, "whatever the number of fields");
}
