//! What is written, and what is not.

use axum::Router;
use axum::routing::post;
use http::StatusCode;
use session_runtime::__private::patch::Op;
use session_runtime::{Session, SessionLayer, SessionSchema};
use session_tests::{Call, Client, Spy};

use crate::visitor::{Visitor, app};

macro_rules! fifty_fields {
    ($($name:ident)*) => {
        #[derive(SessionSchema)]
        struct Large { $($name: String,)* }

        fn filled() -> Large {
            Large { $($name: "x".repeat(64),)* }
        }
    };
}

fifty_fields! {
    f00 f01 f02 f03 f04 f05 f06 f07 f08 f09 f10 f11 f12 f13 f14 f15 f16 f17 f18 f19
    f20 f21 f22 f23 f24 f25 f26 f27 f28 f29 f30 f31 f32 f33 f34 f35 f36 f37 f38 f39
    f40 f41 f42 f43 f44 f45 f46 f47 f48 f49
}

/// The only patch among `calls`: its names, and the bytes of its values.
fn patch(calls: Vec<Call>) -> Vec<(String, Op)> {
    let patches: Vec<_> = calls
        .into_iter()
        .filter_map(|call| match call {
            Call::Apply(_, patch) => Some(patch),
            _ => None,
        })
        .collect();
    assert_eq!(patches.len(), 1, "one patch a request");
    patches[0].ops.iter().map(|op| (op.name.to_string(), op.op.clone())).collect()
}

#[tokio::test]
async fn one_changed_field_of_fifty_is_a_patch_of_that_field_alone() {
    let spy = Spy::new();
    let app = Router::new()
        .route("/fill", post(|mut s: Session<Large>| async move { s.replace(filled()) }))
        .route(
            "/one",
            post(|mut s: Session<Large>| async move {
                assert_eq!(s.f08().len(), 64);
                s.set_f07("changed");
            }),
        )
        .layer(SessionLayer::new(spy.clone()));
    let mut client = Client::new(&app);
    client.post("/fill").await;
    spy.calls();
    client.post("/one").await;
    let calls = spy.calls();
    assert!(matches!(calls[..], [Call::Load(_), Call::Apply(..)]), "{calls:?}");
    assert_eq!(patch(calls), [("f07".to_owned(), Op::set("\"changed\""))]);
}

#[tokio::test]
async fn a_handler_that_does_not_ask_costs_no_store_call_and_no_header() {
    let spy = Spy::new();
    let app = app(spy.clone());
    let mut client = Client::new(&app);
    client.get("/visit").await;
    spy.calls();
    let reply = client.get("/untouched").await;
    assert!(spy.calls().is_empty());
    assert!(!reply.headers.contains_key("vary"));
    assert!(!reply.headers.contains_key("cache-control"));
}

#[tokio::test]
async fn a_visitor_of_whom_nothing_is_set_gets_no_record_and_no_cookie() {
    let spy = Spy::new();
    let app = app(spy.clone());
    let mut client = Client::new(&app);
    for path in ["/read", "/taken"] {
        let reply = client.get(path).await;
        assert_eq!((reply.status, reply.set_cookie()), (StatusCode::OK, None));
    }
    for path in ["/regenerate", "/sign-out", "/logout"] {
        let reply = client.post(path).await;
        assert_eq!((reply.status, reply.set_cookie()), (StatusCode::OK, None), "{path}");
    }
    assert!(spy.calls().is_empty(), "not even a look-up");
}

#[tokio::test]
async fn a_read_writes_nothing_and_loads_once() {
    let spy = Spy::new();
    let app = app(spy.clone());
    let mut client = Client::new(&app);
    client.get("/visit").await;
    spy.calls();
    client.get("/read").await;
    let calls = spy.calls();
    assert!(matches!(calls[..], [Call::Load(_)]), "{calls:?}");
}

#[tokio::test]
async fn touching_without_changing_writes_nothing_also_for_maps() {
    let spy = Spy::new();
    let fill = |mut s: Session<Visitor>| async move {
        s.set_prices((0..20).map(|i| (format!("article {i}"), i)).collect());
        s.cart_mut().push("pen".into());
    };
    let touch = |mut s: Session<Visitor>| async move {
        // Another map of the same entries iterates in another order.
        let copy = s.prices().clone().into_iter().rev_by_key().collect();
        *s.prices_mut() = copy;
        let cart = s.cart_mut();
        cart.push("ink".into());
        cart.pop();
        s.locale_mut().push_str("");
        s.set_cart(vec!["pen".into()]);
        s.add_visits(0);
    };
    let app = Router::new()
        .route("/fill", post(fill))
        .route("/touch", post(touch))
        .layer(SessionLayer::new(spy.clone()));
    let mut client = Client::new(&app);
    client.post("/fill").await;
    for _ in 0..20 {
        spy.calls();
        assert_eq!(client.post("/touch").await.status, 200);
        let calls = spy.calls();
        assert!(matches!(calls[..], [Call::Load(_)]), "{calls:?}");
    }
}

trait RevByKey: Iterator<Item = (String, u32)> + Sized {
    fn rev_by_key(self) -> impl Iterator<Item = (String, u32)> {
        let mut all: Vec<_> = self.collect();
        all.sort_by(|a, b| b.cmp(a));
        all.into_iter()
    }
}

impl<I: Iterator<Item = (String, u32)>> RevByKey for I {}

#[tokio::test]
async fn a_cleared_option_is_removed_not_null_and_the_record_outlives_its_last_field() {
    let spy = Spy::new();
    let app = Router::new()
        .route("/set", post(|mut s: Session<Visitor>| async move { s.set_nickname("bo") }))
        .route("/clear", post(|mut s: Session<Visitor>| async move { s.clear_nickname() }))
        .route("/take", post(|mut s: Session<Visitor>| async move { s.take_nickname().unwrap() }))
        .layer(SessionLayer::new(spy.clone()));
    let mut client = Client::new(&app);
    for clear in ["/clear", "/take"] {
        client.post("/set").await;
        let token = client.token().unwrap().to_owned();
        spy.calls();
        client.post(clear).await;
        assert_eq!(patch(spy.calls()), [("nickname".to_owned(), Op::Remove)]);
        client.post("/set").await;
        assert_eq!(client.token(), Some(token.as_str()), "the same session");
    }
}

#[tokio::test]
async fn a_flash_value_is_read_once_and_kept_if_the_response_fails() {
    let spy = Spy::new();
    let app = app(spy.clone()).merge(
        Router::new()
            .route(
                "/fails",
                post(|mut s: Session<Visitor>| async move {
                    assert_eq!(s.take_notice().as_deref(), Some("saved"));
                    StatusCode::INTERNAL_SERVER_ERROR
                }),
            )
            .layer(SessionLayer::new(spy.clone())),
    );
    let mut client = Client::new(&app);
    client.post("/flash").await;
    client.post("/fails").await;
    spy.calls();
    assert_eq!(client.get("/taken").await.body, "saved");
    let removal = ("notice".to_owned(), Op::remove_if("\"saved\""));
    assert_eq!(patch(spy.calls()), [removal], "only what was read is removed");
    assert_eq!(client.get("/taken").await.body, "");
}

#[tokio::test]
async fn additions_merge_and_a_set_then_an_addition_is_a_set() {
    let spy = Spy::new();
    let app = Router::new()
        .route(
            "/add",
            post(|mut s: Session<Visitor>| async move {
                s.add_visits(2);
                s.add_visits(-5);
                s.add_visits(4);
                s.visits().to_string()
            }),
        )
        .route(
            "/set",
            post(|mut s: Session<Visitor>| async move {
                s.set_visits(u64::MAX - 1);
                s.add_visits(5);
            }),
        )
        .layer(SessionLayer::new(spy.clone()));
    let mut client = Client::new(&app);
    client.post("/set").await;
    spy.calls();
    client.post("/add").await;
    let ops = patch(spy.calls());
    let Op::Add(add) = &ops[0].1 else { panic!("{ops:?}") };
    assert_eq!(add.delta, 1);
    client.post("/set").await;
    let calls = spy.calls();
    assert!(matches!(calls[..], [Call::Load(_)]), "saturated at the same value: {calls:?}");
}

#[tokio::test]
async fn a_renamed_field_is_read_by_its_alias_and_written_by_its_name() {
    #[derive(SessionSchema)]
    struct Old {
        basket: Vec<String>,
    }
    let spy = Spy::new();
    let app = Router::new()
        .route("/old", post(|mut s: Session<Old>| async move { s.set_basket(vec!["old".into()]) }))
        .route(
            "/new",
            post(|mut s: Session<Visitor>| async move {
                s.cart_mut().push("new".into());
                format!("{:?}", s.cart())
            }),
        )
        .route("/reset", post(|mut s: Session<Visitor>| async move { s.reset(Visitor::CART) }))
        .route("/show", post(|s: Session<Visitor>| async move { format!("{:?}", s.cart()) }))
        .layer(SessionLayer::new(spy.clone()).schema::<Visitor>());
    let mut client = Client::new(&app);
    client.post("/old").await;
    assert_eq!(client.post("/new").await.body, r#"["old", "new"]"#);
    spy.calls();
    assert_eq!(client.post("/show").await.body, r#"["old", "new"]"#);
    client.post("/reset").await;
    assert_eq!(client.post("/show").await.body, "[]", "it does not come back under its alias");
}
