//! Structs that change, and several structs on one record.

use std::time::Duration;

use http::StatusCode;
use session_runtime::__private::record::Principal;
use session_runtime::schema::{MigrateError, Migration};
use session_runtime::store::SessionStore;
use session_runtime::{SessionLayer, SessionSchema};
use session_tests::stores::{all, memory};
use session_tests::{Call, Spy, Tab};

/// The released program.
mod old {
    use super::*;

    #[derive(SessionSchema)]
    pub(super) struct Visitor {
        #[session(principal)]
        user: Option<u64>,
        name: String,
        theme: u8,
        #[session(counter)]
        hits: u64,
    }
}

/// The next one: `name` is split in two, `theme` has become a word.
mod new {
    use super::*;

    #[derive(SessionSchema)]
    #[session(version = 2, migrate = upgrade)]
    pub(super) struct Visitor {
        #[session(principal)]
        user: Option<u64>,
        first: String,
        last: String,
        #[session(default = "light")]
        theme: String,
        #[session(counter)]
        hits: u64,
    }

    fn upgrade(old: &mut Migration<'_>) -> Result<(), MigrateError> {
        assert_eq!((old.from(), old.to()), (1, 2));
        if let Some(name) = old.get::<String>("name")? {
            let (first, last) = name.split_once(' ').ok_or("a name of one word")?;
            old.set("first", first)?;
            old.set("last", last)?;
            old.remove("name");
        }
        let theme = if old.get::<u8>("theme")? == Some(1) { "dark" } else { "light" };
        old.set("theme", theme)
    }
}

type Old = old::VisitorSession;
type New = new::VisitorSession;

/// A browser before the old program, which has stored something, and before
/// the new one.
async fn released(store: impl SessionStore + Clone, name: &'static str) -> (Tab, Tab) {
    let mut old = Tab::new(&SessionLayer::new(store.clone()));
    stored_by_the_old(&mut old, name).await;
    let new = old.by(&SessionLayer::new(store));
    (old, new)
}

/// Of which version the only session of user 7 is.
async fn version(store: &impl SessionStore) -> u32 {
    let sessions = store.list(&Principal::new("", "7"), None, 1_000).await.unwrap().records;
    assert_eq!(sessions.len(), 1);
    sessions[0].meta.versions.get("")
}

async fn stored_by_the_old(old: &mut Tab, name: &'static str) {
    old.run(move |mut s: Old| async move {
        s.set_user(7);
        s.set_name(name);
        s.set_theme(1);
        s.add_hits(3);
    })
    .await
    .ok();
}

#[tokio::test]
async fn an_older_session_is_read_through_the_migration_and_stored_with_the_next_change() {
    for under in all().await {
        let spy = Spy::on(under.store.clone());
        let (old, mut new) = released(spy.clone(), "Ada Lovelace").await;
        spy.calls();
        let look = |s: New| async move {
            (s.user(), s.first().to_owned(), s.last().to_owned(), s.theme().to_owned(), s.hits())
        };
        let expected = (Some(7), "Ada".to_owned(), "Lovelace".to_owned(), "dark".to_owned(), 3);
        assert_eq!(new.ask(look).await.ok(), expected, "{}", under.name);
        assert!(!spy.calls().iter().any(|call| matches!(call, Call::Apply(..))), "only read");
        // A rolled-back deploy finds what it wrote.
        assert_eq!(old.ask(|s: Old| async move { s.name().to_owned() }).await.ok(), "Ada Lovelace");
        new.run(|mut s: New| async move { s.set_first("Augusta") }).await.ok();
        let expected = (Some(7), "Augusta".to_owned(), "Lovelace".to_owned(), "dark".to_owned(), 3);
        assert_eq!(new.ask(look).await.ok(), expected, "{}: not migrated twice", under.name);
    }
}

#[tokio::test]
async fn the_old_program_reads_a_newer_record_and_keeps_what_it_does_not_know() {
    for under in all().await {
        let (mut old, mut new) = released(under.store.clone(), "Ada Lovelace").await;
        new.run(|mut s: New| async move { s.set_theme("blue") }).await.ok();
        // `theme` is a word now: it reads as its default and stays as it is.
        let seen = old.run(|mut s: Old| async move {
            s.add_hits(1);
            (s.user(), s.theme())
        });
        assert_eq!(seen.await.ok(), (Some(7), 0), "{}", under.name);
        let look = |s: New| async move { (s.last().to_owned(), s.theme().to_owned(), s.hits()) };
        let expected = ("Lovelace".to_owned(), "blue".to_owned(), 4);
        assert_eq!(new.ask(look).await.ok(), expected, "{}", under.name);
        assert_eq!(version(&under.store).await, 2, "{}: not lowered", under.name);
    }
}

/// Two releases later.
mod newest {
    #[derive(session_runtime::SessionSchema)]
    #[session(version = 3)]
    pub(super) struct Visitor {
        #[session(principal)]
        user: Option<u64>,
        first: Option<String>,
        theme: Vec<String>,
    }
}

#[tokio::test]
async fn a_record_newer_than_the_program_is_neither_migrated_nor_lowered() {
    for under in all().await {
        let mut newest = Tab::new(&SessionLayer::new(under.store.clone()));
        newest
            .run(|mut s: newest::VisitorSession| async move {
                s.set_user(7);
                s.set_first("Ada");
                s.set_theme(vec!["dark".to_owned()]);
            })
            .await
            .ok();
        let mut new = newest.by(&SessionLayer::new(under.store.clone()));
        let seen = new.run(|mut s: New| async move {
            s.set_last("King");
            (s.first().to_owned(), s.theme().to_owned())
        });
        assert_eq!(seen.await.ok(), ("Ada".to_owned(), "light".to_owned()), "{}", under.name);
        assert_eq!(version(&under.store).await, 3, "{}", under.name);
        let theme = |s: newest::VisitorSession| async move { s.theme().to_vec() };
        assert_eq!(newest.ask(theme).await.ok(), ["dark"], "{}: kept", under.name);
    }
}

#[tokio::test]
async fn a_request_of_the_old_program_does_not_write_into_what_was_migrated_meanwhile() {
    for under in all().await {
        let (mut old, new) = released(under.store.clone(), "Ada Lovelace").await;
        let other = new.clone();
        let answer = old
            .run(|mut s: Old| async move {
                other.ask(|mut s: New| async move { s.set_theme("blue") }).await.ok();
                s.set_name("Ada Byron");
            })
            .await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{}: the name is elsewhere", under.name);
        let (mut old, new) = released(under.store.clone(), "Ada Lovelace").await;
        let other = new.clone();
        let answer = old.run(|mut s: Old| async move {
            other.ask(|mut s: New| async move { s.set_last("King") }).await;
            s.add_hits(1);
        });
        assert_eq!(answer.await.status, StatusCode::OK, "{}: what is still there", under.name);
    }
}

#[tokio::test]
async fn two_requests_that_migrate_at_once_agree() {
    for under in all().await {
        let (_, mut new) = released(under.store.clone(), "Ada Lovelace").await;
        let other = new.clone();
        new.run(|mut s: New| async move {
            other.ask(|mut s: New| async move { s.set_first("Augusta") }).await.ok();
            s.set_theme("blue");
        })
        .await
        .ok();
        let look = |s: New| async move { (s.first().to_owned(), s.theme().to_owned()) };
        let expected = ("Augusta".to_owned(), "blue".to_owned());
        assert_eq!(new.ask(look).await.ok(), expected, "{}", under.name);
    }
}

#[tokio::test]
async fn a_migration_that_fails_changes_nothing_and_fails_no_request() {
    for under in all().await {
        let (old, mut new) = released(under.store.clone(), "Ada").await;
        let seen = new.run(|mut s: New| async move {
            s.add_hits(1);
            (s.user(), s.first().to_owned(), s.hits())
        });
        assert_eq!(seen.await.ok(), (Some(7), String::new(), 4), "{}", under.name);
        let name = |s: Old| async move { (s.name().to_owned(), s.theme(), s.hits()) };
        assert_eq!(old.ask(name).await.ok(), ("Ada".to_owned(), 1, 4), "{}", under.name);
        assert_eq!(version(&under.store).await, 1, "{}: to be tried again", under.name);
    }
}

#[tokio::test]
async fn a_new_session_is_of_the_present_version() {
    let under = memory();
    let spy = Spy::on(under.store.clone());
    let mut tab = Tab::new(&SessionLayer::new(spy.clone()));
    tab.run(|mut s: New| async move { s.set_first("Ada") }).await.ok();
    let calls = spy.calls();
    let Some(Call::Create(record)) = calls.iter().find(|call| matches!(call, Call::Create(_)))
    else {
        panic!("{calls:?}")
    };
    assert_eq!(record.meta.versions.get(""), 2);
    let seen = tab.ask(|s: New| async move { (s.first().to_owned(), s.theme().to_owned()) });
    assert_eq!(seen.await.ok(), ("Ada".to_owned(), "light".to_owned()), "not migrated");
}

/// A field that a migration renames and its type changes: the principal too.
mod renamed {
    use super::*;

    #[derive(SessionSchema)]
    #[session(version = 2, migrate = upgrade)]
    pub(super) struct Visitor {
        #[session(principal)]
        account: Option<String>,
    }

    fn upgrade(old: &mut Migration<'_>) -> Result<(), MigrateError> {
        if let Some(user) = old.get::<u64>("user")? {
            old.set("account", &format!("user-{user}"))?;
            old.remove("user");
        }
        Ok(())
    }
}

#[tokio::test]
async fn whoever_is_signed_in_stays_so_when_the_principal_is_migrated() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone()).schema::<renamed::Visitor>();
        let (old, _) = released(under.store.clone(), "Ada Lovelace").await;
        let mut tab = old.by(&layer);
        let account = |s: renamed::VisitorSession| async move { s.account().map(str::to_owned) };
        assert_eq!(tab.ask(account).await.ok().as_deref(), Some("user-7"), "{}", under.name);
        // Stored with the next change: then the index knows them by that name.
        tab.run(|mut s: renamed::VisitorSession| async move { s.regenerate() }).await.ok();
        assert_eq!(tab.ask(account).await.ok().as_deref(), Some("user-7"), "{}", under.name);
        let sessions = layer.manager().sessions_of("user-7").await.unwrap();
        assert_eq!(sessions.len(), 1, "{}", under.name);
    }
}

/// Two structs on one record.
mod beside {
    use super::*;

    #[derive(SessionSchema)]
    #[session(namespace = "admin")]
    pub(super) struct Admin {
        #[session(alias = "filters")]
        filter: String,
        name: String,
    }

    #[derive(SessionSchema)]
    pub(super) struct Shared {
        name: String,
    }
}

#[tokio::test]
async fn namespaces_keep_fields_of_one_name_apart_and_others_are_shared() {
    for under in all().await {
        let (old, _) = released(under.store.clone(), "Ada Lovelace").await;
        let mut tab = old.by(&SessionLayer::new(under.store.clone()));
        tab.run(|mut s: beside::AdminSession| async move { s.set_name("root") }).await.ok();
        tab.run(|mut s: beside::SharedSession| async move {
            assert_eq!(s.name(), "Ada Lovelace");
            s.set_name("Ada");
        })
        .await
        .ok();
        assert_eq!(tab.ask(|s: Old| async move { s.name().to_owned() }).await.ok(), "Ada");
        let name = |s: beside::AdminSession| async move { s.name().to_owned() };
        assert_eq!(tab.ask(name).await.ok(), "root", "{}", under.name);
    }
}

#[tokio::test]
async fn two_versions_in_one_namespace_are_refused_by_a_layer() {
    let under = memory();
    let layer = SessionLayer::new(under.store.clone())
        .schema::<old::Visitor>()
        .schema::<renamed::Visitor>();
    assert!(layer.check().unwrap_err().to_string().contains("namespace"));
}

#[tokio::test]
async fn what_no_program_of_today_can_read_is_still_listed_ended_and_swept() {
    for under in all().await {
        let layer = SessionLayer::new(under.store.clone()).schema::<old::Visitor>();
        let mut tab = Tab::new(&layer);
        stored_by_the_old(&mut tab, "one").await;
        let other = tab.clone();
        stored_by_the_old(&mut Tab::new(&layer), "two").await;
        let layer = SessionLayer::new(under.store.clone()).schema::<new::Visitor>();
        let manager = layer.manager();
        let sessions = manager.sessions_of(&7_u64).await.unwrap();
        assert_eq!(sessions.len(), 2, "{}", under.name);
        assert_eq!(manager.revoke_all(&7_u64).await.unwrap(), 2);
        let gone = other.by(&layer);
        assert_eq!(gone.ask(|s: New| async move { s.user() }).await.ok(), None);
        under.clock.advance(Duration::from_secs(400 * 24 * 60 * 60));
        under.store.sweep(100).await.unwrap();
        assert_eq!(under.store.count().await.unwrap(), 0);
    }
}
