//! What else is going on while a user acts: other requests, handles, sockets, caches and colleagues.

use super::*;

#[tokio::test]
async fn a_socket_ends_with_the_session_of_the_one_who_acts() {
    let under = memory();
    let layer = layer(&under).watch_interval(60 * MINUTE);
    let support = acting(&layer).await;
    let sessions = layer.manager_for::<Visitor>().unwrap();
    let socket = move |s: Handle| async move {
        let waits = tokio::spawn(async move { s.ended().await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        sessions.revoke_all(&SUPPORT).await.unwrap();
        tokio::time::timeout(Duration::from_secs(10), waits).await.expect("it is told at once")
    };
    assert_eq!(support.ask(socket).await.ok().unwrap(), EndReason::OtherDevice);
}

/// The end of another session makes no cached record outdated.
#[tokio::test]
async fn no_cache_answers_for_the_one_who_acts() {
    let under = memory();
    let cached = CachedStore::new(under.store.clone()).stale_for(60 * MINUTE);
    let layer = SessionLayer::new(cached).schema::<Visitor>();
    let support = acting(&layer).await.opening();
    assert_eq!(users(&support).await, BOTH);
    assert_eq!(users(&support).await, BOTH);
    let elsewhere = SessionLayer::new(under.store.clone()).manager_for::<Visitor>().unwrap();
    assert_eq!(elsewhere.revoke_all(&SUPPORT).await.unwrap(), 1);
    assert_eq!(users(&support).await, NONE);
}

#[tokio::test]
async fn what_was_changed_for_the_customer_stays_out_of_the_session_of_the_one_who_acts() {
    let under = memory();
    let layer = layer(&under);
    let stop = async |mut one: Handle, mut two: Handle| {
        two.cart_mut().push("the customer's".to_owned());
        one.stop_acting().await.unwrap();
        one.set_locale("fr");
        drop(two);
    };
    let app = Router::new()
        .route("/login", post(async |mut s: Handle| s.set_user(SUPPORT)))
        .route("/act", post(async |mut who: Authenticated<Visitor>| who.act_as(CUSTOMER)))
        .route("/stop", post(stop))
        .route(
            "/seen",
            get(async |s: Handle| format!("{:?} {:?} {}", s.user(), s.cart(), s.locale())),
        )
        .layer(layer);
    let mut client = Client::new(&app);
    for path in ["/login", "/act", "/stop"] {
        assert_eq!(client.post(path).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(client.get("/seen").await.body, "Some(7) [] fr");
}

#[tokio::test]
async fn members_of_the_support_team_take_no_session_from_each_other() {
    for under in all().await {
        let layer = layer(&under).max_sessions(1, AtLimit::EvictOldest);
        let mut one = signed_in(&layer, SUPPORT).await;
        let mut two = signed_in(&layer, 8).await;
        for _ in 0..2 {
            act(&mut one, CUSTOMER).await;
            act(&mut two, CUSTOMER).await;
        }
        assert_eq!(users(&one).await, BOTH, "{}", under.name);
        assert_eq!(users(&two).await, (Some(CUSTOMER), Some(8)), "{}", under.name);
    }
}

#[tokio::test]
async fn of_two_users_set_in_one_request_the_later_counts_with_what_it_is() {
    let under = memory();
    let layer = layer(&under);
    // A sign-in of a handle that is dropped last, but was made first.
    let outer = async |mut outer: Handle, mut who: Authenticated<Visitor>| {
        outer.set_user(SUPPORT);
        who.act_as(CUSTOMER);
        drop(who);
        drop(outer);
    };
    let within = async |mut who: Authenticated<Visitor>| {
        who.act_as(CUSTOMER);
        who.set_user(50);
    };
    let seen = async |s: Handle| format!("{:?} {:?} {}", s.user(), s.actor(), s.is_fresh(MINUTE));
    let app = Router::new()
        .route("/login", post(async |mut s: Handle| s.set_user(SUPPORT)))
        .route("/outer", post(outer))
        .route("/within", post(within))
        .route("/seen", get(seen))
        .layer(layer);
    for (path, expected) in
        [("/outer", "Some(42) Some(7) false"), ("/within", "Some(50) None true")]
    {
        let mut client = Client::new(&app);
        for path in ["/login", path] {
            assert_eq!(client.post(path).await.status, StatusCode::OK, "{path}");
        }
        assert_eq!(client.get("/seen").await.body, expected, "{path}");
    }
}

#[tokio::test]
async fn what_is_open_is_refused_once_the_one_who_acts_is_signed_out() {
    for under in all().await {
        let layer = layer(&under);
        for step in 0..4 {
            let support = acting(&layer).await;
            let sessions = layer.manager_for::<Visitor>().unwrap();
            let late = move |mut s: Handle| async move {
                sessions.revoke_all(&SUPPORT).await.unwrap();
                s.set_locale("fr");
                match step {
                    0 => s.reload().await,
                    1 => s.touch().await,
                    2 => s.save().await,
                    _ => s.transaction(|s| s.set_locale("it")).await,
                }
            };
            let refused = support.ask(late).await.value.unwrap();
            assert!(matches!(refused, Err(SessionError::Gone)), "{} {step}", under.name);
        }
    }
}

#[tokio::test]
async fn a_guard_asks_the_store_after_what_a_cache_has_shown() {
    let under = memory();
    let cached = CachedStore::new(under.store.clone()).stale_for(60 * MINUTE);
    let both = async |_: Handle, who: Option<Authenticated<Visitor>>| who.is_some().to_string();
    let app = Router::new()
        .route("/login", post(async |mut s: Handle| s.set_user(SUPPORT)))
        .route("/act", post(async |mut who: Authenticated<Visitor>| who.act_as(CUSTOMER)))
        .route("/both", get(both))
        .layer(SessionLayer::new(cached).schema::<Visitor>());
    let mut client = Client::new(&app);
    for path in ["/login", "/act"] {
        client.post(path).await;
    }
    assert_eq!(client.get("/both").await.body, "true");
    let elsewhere = SessionLayer::new(under.store.clone()).manager_for::<Visitor>().unwrap();
    assert_eq!(elsewhere.revoke_all(&CUSTOMER).await.unwrap(), 1);
    assert_eq!(client.get("/both").await.body, "false");
}

/// A request beside the return must not take the cookie that the return brings.
#[tokio::test]
async fn a_request_beside_the_return_sets_no_cookie() {
    for under in all().await {
        let layer = layer(&under);
        let mut tab = acting(&layer).await;
        let beside = tab.clone();
        let (mut again, to) = (tab.clone(), stop(&mut tab).await.unwrap());
        assert!(to);
        let push = beside.ask(|mut s: Handle| async move { s.cart_mut().push("pen".into()) }).await;
        assert_eq!(push.headers.get("set-cookie"), None, "{}", under.name);
        assert!(!stop(&mut again).await.unwrap(), "{}: clicked twice", under.name);
        assert_eq!(users(&tab).await, (Some(SUPPORT), None), "{}", under.name);
    }
}

/// Somebody else's replayed token is no reason to end what colleagues do.
#[tokio::test]
async fn a_replayed_token_of_acting_ends_no_colleagues() {
    let under = memory();
    let layer = layer(&under).renew_after(MINUTE).on_replay(OnReplay::EndAllOfPrincipal);
    let (mut one, two) = (acting(&layer).await, acting(&layer).await);
    let old = one.clone();
    under.clock.advance(2 * MINUTE);
    for _ in 0..2 {
        one.run(|s: Handle| async move { s.user() }).await.ok();
    }
    under.clock.advance(2 * MINUTE);
    assert_eq!(users(&old).await, NONE, "replayed");
    tokio::task::yield_now().await;
    assert_eq!(users(&one).await, NONE);
    assert_eq!(users(&two).await, BOTH);
}

/// Without its cookie, the actor would be left with neither session.
#[tokio::test]
async fn after_the_head_has_left_no_user_stops_acting() {
    let under = memory();
    let support = acting(&layer(&under)).await;
    let (give, take) = tokio::sync::oneshot::channel();
    let hand_out = |s: Handle| async move { give.send(s).map_err(drop) };
    assert!(support.ask(hand_out).await.ok().is_ok());
    let mut late = take.await.unwrap();
    let refused = late.stop_acting().await;
    assert!(matches!(refused, Err(SessionError::HeadSent)), "{refused:?}");
    assert_eq!(users(&support).await, BOTH);
}

#[tokio::test]
async fn to_stop_where_no_user_acts_discards_nothing() {
    let under = memory();
    let mut tab = signed_in(&layer(&under), SUPPORT).await;
    let stop = |mut s: Handle| async move {
        s.set_locale("fr");
        s.stop_acting().await.unwrap()
    };
    assert!(!tab.run(stop).await.ok());
    let locale = |s: Handle| async move { s.locale().to_owned() };
    assert_eq!(tab.ask(locale).await.ok(), "fr");
}
