//! Sessions by who they belong to.

use axum::Router;
use axum::extract::Path;
use axum::routing::post;
use session_runtime::{
    Session, SessionError, SessionId, SessionLayer, SessionManager, SessionSchema,
};
use session_tests::Client;
use session_tests::stores::{Under, all, memory};

use crate::visitor::Visitor;

fn app(under: &Under) -> (Router, SessionManager) {
    let layer = SessionLayer::new(under.store.clone()).schema::<Visitor>();
    let manager = layer.manager();
    let sign_in =
        |Path(user): Path<u64>, mut s: Session<Visitor>| async move { s.set_user_id(user) };
    let others = |s: Session<Visitor>, sessions: SessionManager| async move {
        sessions.revoke_others(&s).await.map(|ended| ended.to_string())
    };
    let mine = |s: Session<Visitor>, sessions: SessionManager<Visitor>| async move {
        let Some(user) = s.user_id() else { return Ok("nobody".to_owned()) };
        let all = sessions.sessions_of(&user).await?;
        Ok::<_, SessionError>(format!(
            "{} of them, here: {}",
            all.len(),
            all.iter().any(|one| Some(&one.id) == s.id())
        ))
    };
    let app = Router::new()
        .route("/sign-in/{user}", post(sign_in))
        .route("/others", post(others))
        .route("/mine", post(mine))
        .route("/visit", post(|mut s: Session<Visitor>| async move { s.add_visits(1) }))
        .route("/logout", post(|mut s: Session<Visitor>| async move { s.destroy() }))
        .layer(layer);
    (app, manager)
}

async fn signed_in(app: &Router, user: u64) -> Client {
    let mut client = Client::new(app);
    client.post(&format!("/sign-in/{user}")).await;
    client
}

#[tokio::test]
async fn a_user_sees_their_devices_and_signs_out_the_others() {
    for under in all().await {
        let (app, manager) = app(&under);
        let mut here = signed_in(&app, 1).await;
        let mut there = signed_in(&app, 1).await;
        let mut somebody = signed_in(&app, 2).await;
        assert_eq!(here.post("/mine").await.body, "2 of them, here: true", "{}", under.name);
        assert_eq!(here.post("/others").await.body, "1");
        assert_eq!(there.post("/mine").await.body, "nobody");
        assert_eq!(here.post("/mine").await.body, "1 of them, here: true");
        assert_eq!(somebody.post("/mine").await.body, "1 of them, here: true");
        assert_eq!(manager.count().await.unwrap(), 2);
    }
}

#[tokio::test]
async fn the_last_seen_comes_first_and_a_listing_shows_no_token() {
    for under in all().await {
        let (app, manager) = app(&under);
        let mut first = signed_in(&app, 1).await;
        under.clock.advance(std::time::Duration::from_secs(60));
        let second = signed_in(&app, 1).await;
        under.clock.advance(std::time::Duration::from_secs(600));
        first.post("/visit").await;
        let all = manager.sessions_of(&1_u64).await.unwrap();
        let times = |i: usize| (all[i].created_at, all[i].last_seen_at, all[i].authenticated_at);
        assert!(times(0).0 < times(1).0 && times(0).1 > times(1).1);
        assert_eq!(times(0).2, Some(times(0).0));
        assert!(all[0].expires_at > all[0].last_seen_at);
        for client in [first, second] {
            let secret = &client.token().unwrap()[22..];
            assert!(!format!("{all:?}").contains(secret));
        }
    }
}

#[tokio::test]
async fn one_session_is_revoked_only_for_whom_it_belongs_to() {
    for under in all().await {
        let (app, manager) = app(&under);
        let mut victim = signed_in(&app, 1).await;
        let id = manager.sessions_of(&1_u64).await.unwrap()[0].id;
        assert!(!manager.revoke(&2_u64, id).await.unwrap(), "{}", under.name);
        let unknown = SessionId::from_bytes([9; 16]);
        assert!(!manager.revoke(&1_u64, unknown).await.unwrap());
        assert_eq!(victim.post("/mine").await.body, "1 of them, here: true");
        assert!(manager.revoke(&1_u64, id).await.unwrap());
        assert_eq!(victim.post("/mine").await.body, "nobody");
    }
}

#[tokio::test]
async fn all_sessions_of_a_user_end_at_once_and_nobody_elses() {
    for under in all().await {
        let (app, manager) = app(&under);
        let mut mine = [signed_in(&app, 1).await, signed_in(&app, 1).await];
        let mut other = signed_in(&app, 2).await;
        assert_eq!(manager.revoke_all(&1_u64).await.unwrap(), 2, "{}", under.name);
        for client in &mut mine {
            assert_eq!(client.post("/mine").await.body, "nobody");
        }
        assert_eq!(other.post("/mine").await.body, "1 of them, here: true");
        assert_eq!(manager.revoke_all(&1_u64).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_session_is_listed_under_its_present_principal_only() {
    for under in all().await {
        let (app, manager) = app(&under);
        let mut client = signed_in(&app, 1).await;
        client.post("/sign-in/2").await;
        assert_eq!(manager.sessions_of(&1_u64).await.unwrap(), [], "{}", under.name);
        assert_eq!(manager.sessions_of(&2_u64).await.unwrap().len(), 1);
        client.post("/logout").await;
        assert_eq!(manager.sessions_of(&2_u64).await.unwrap(), []);
    }
}

#[tokio::test]
async fn nobody_signed_in_has_no_others() {
    let (app, _) = app(&memory());
    let mut client = Client::new(&app);
    client.post("/visit").await;
    assert_eq!(client.post("/others").await.body, "0");
}

#[tokio::test]
async fn a_principal_of_another_type_is_refused_and_a_str_finds_a_string() {
    #[derive(SessionSchema)]
    struct Named {
        #[session(principal)]
        name: Option<String>,
    }
    let under = memory();
    let layer = SessionLayer::new(under.store.clone()).schema::<Named>();
    let manager = layer.manager();
    let app = Router::new()
        .route("/", post(|mut s: Session<Named>| async move { s.set_name("bo") }))
        .layer(layer);
    Client::new(&app).post("/").await;
    assert_eq!(manager.sessions_of("bo").await.unwrap().len(), 1);
    assert_eq!(manager.sessions_of(&"bo".to_owned()).await.unwrap().len(), 1);
    let refused = manager.sessions_of(&42_u64).await.unwrap_err();
    assert!(matches!(refused, SessionError::Setup(_)), "{refused}");
    assert!(refused.to_string().contains("a principal of type `u64`"), "{refused}");
    assert!(refused.to_string().contains("SessionManager<YourSchema>"), "{refused}");
}

#[tokio::test]
async fn parallel_sign_ins_of_one_user_are_all_listed() {
    for under in all().await {
        let (app, manager) = app(&under);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..32 {
            let app = app.clone();
            tasks.spawn(async move { signed_in(&app, 9).await });
        }
        let clients = tasks.join_all().await;
        assert_eq!(
            manager.sessions_of(&9_u64).await.unwrap().len(),
            clients.len(),
            "{}",
            under.name
        );
    }
}

#[tokio::test]
async fn outside_of_requests_a_manager_takes_the_principals_of_its_schema() {
    let layer = SessionLayer::new(memory().store);
    let sessions = layer.manager_for::<Visitor>().unwrap();
    let app = Router::new()
        .route("/in", post(|mut s: Session<Visitor>| async move { s.set_user_id(1) }))
        .layer(layer.clone());
    Client::new(&app).post("/in").await;
    // A literal is of the principal's type.
    assert_eq!(sessions.sessions_of(&1).await.unwrap().len(), 1);
    assert_eq!(sessions.revoke_all(&1).await.unwrap(), 1);
    // The layer knows the schema from then on.
    assert_eq!(layer.manager().sessions_of(&1_u64).await.unwrap(), []);
}

#[tokio::test]
async fn a_manager_knows_what_the_layer_is_told_afterwards() {
    let layer = SessionLayer::new(memory().store);
    let early = layer.manager();
    assert_eq!(early.sessions_of(&1_u64).await.unwrap_err().status_and_text().0, 500);
    let layer = layer.schema::<Visitor>();
    let app = Router::new()
        .route("/in", post(|mut s: Session<Visitor>| async move { s.set_user_id(1) }))
        .layer(layer);
    Client::new(&app).post("/in").await;
    assert_eq!(early.sessions_of(&1_u64).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_manager_of_a_layer_that_cannot_work_says_so() {
    #[derive(SessionSchema)]
    struct Other {
        #[session(principal)]
        locale: Option<String>,
    }
    let layer = SessionLayer::new(memory().store).schema::<Visitor>();
    let clash = layer.manager_for::<Other>().unwrap_err();
    assert!(clash.to_string().contains("disagree on `locale`"), "{clash}");
    let layer = SessionLayer::new(memory().store).exclude("nowhere");
    let error = layer.manager_for::<Visitor>().unwrap_err().to_string();
    assert!(error.starts_with("`exclude`"), "{error}");
}

#[tokio::test]
async fn a_number_of_another_type_is_told_what_can_be_had_outside_of_requests() {
    let layer = SessionLayer::new(memory().store).schema::<Visitor>();
    let error = layer.manager().revoke_all(&1).await.unwrap_err().to_string();
    for part in ["`i32`", "`layer.manager_for::<YourSchema>()?`", "SessionManager<YourSchema>"] {
        assert!(error.contains(part), "{error}");
    }
}
