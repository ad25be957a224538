//! What a sign-in is about is known before the first request, in every process.

use axum::Router;
use axum::routing::post;
use session_runtime::{Session, SessionLayer, SessionSchema};
use session_tests::stores::{all, memory};
use session_tests::traced::Traced;
use session_tests::{Client, Tab};

#[derive(SessionSchema)]
struct Shop {
    #[session(principal)]
    user_id: Option<u64>,
    locale: String,
}

macro_rules! marked {
    ($($name:ident: $option:ident)*) => {
        $(mod $name {
            #[derive(session_runtime::SessionSchema)]
            #[session(namespace = "forum")]
            pub(super) struct Forum {
                #[session($option)]
                pub(super) next: Option<String>,
            }
        })*

        /// Extracts both schemas of a layer, one after the other, in both orders.
        async fn both_of(name: &str, named: bool) -> Vec<(u16, u16)> {
            let mut statuses = Vec::new();
            $(if name == stringify!($name) {
                for paths in [["/shop", "/forum"], ["/forum", "/shop"]] {
                    let layer = SessionLayer::new(memory().store);
                    let layer = if named { layer.schema::<$name::Forum>() } else { layer };
                    let app = Router::new()
                        .route("/shop", post(|_: Session<Shop>| async {}))
                        .route("/forum", post(|_: Session<$name::Forum>| async {}))
                        .layer(layer);
                    let mut client = Client::new(&app);
                    let first = client.post(paths[0]).await.status.as_u16();
                    let second = client.post(paths[1]).await.status.as_u16();
                    statuses.push((first, second));
                }
            })*
            statuses
        }
    };
}

marked! {
    cleared: clear_on_login
    carried: carry_over
    renewing: renew
    plain: listed
}

#[tokio::test]
async fn a_second_schema_is_refused_until_the_one_that_a_sign_in_is_about_was_named() {
    for name in ["cleared", "carried", "renewing"] {
        let traced = Traced::start();
        assert_eq!(both_of(name, false).await, [(200, 500), (200, 500)], "{name}");
        let text = traced.text();
        assert_eq!(text.matches("add `.schema::<Forum>()`").count(), 2, "{text}");
        assert_eq!(both_of(name, true).await, [(200, 200), (200, 200)], "{name}");
    }
    assert_eq!(both_of("plain", false).await, [(200, 200), (200, 200)]);
}

#[tokio::test]
async fn a_single_schema_needs_no_name() {
    let layer = SessionLayer::new(memory().store);
    for _ in 0..2 {
        let set = |mut s: cleared::ForumSession| async move { s.set_next("/") };
        assert_eq!(Tab::new(&layer).run(set).await.status, 200);
    }
}

/// What was planted goes, also by a sign-in after a restart.
#[tokio::test]
async fn a_sign_in_after_a_restart_removes_what_was_planted_in_another_schema() {
    for shop_first in [true, false] {
        for under in all().await {
            let layer = || {
                let layer = SessionLayer::new(under.store.clone());
                match shop_first {
                    true => layer.schema::<Shop>().schema::<cleared::Forum>(),
                    false => layer.schema::<cleared::Forum>().schema::<Shop>(),
                }
            };
            let mut tab = Tab::new(&layer());
            let plant =
                |mut s: cleared::ForumSession| async move { s.set_next("https://evil.example") };
            tab.run(plant).await;
            let mut tab = tab.by(&layer());
            tab.run(|mut s: ShopSession| async move { s.set_user_id(7) }).await;
            let next = |s: cleared::ForumSession| async move { s.next().map(str::to_owned) };
            assert_eq!(tab.run(next).await.ok(), None, "{}", under.name);
        }
    }
}
