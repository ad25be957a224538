//! A commit that happened and whose answer got lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use session_runtime::__private::patch::{Outcome, SignIn};
use session_runtime::store::{
    MySqlStore, SessionStore,
    contract::{Created, EndReason, Lookup, Touch},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use super::server::{Tables, add, found, fresh, record, stored};

/// Stands between a store and the server, and cuts the next connections that
/// commit, after the server has answered: as many as this says.
struct Wire {
    url: String,
    cuts: Arc<AtomicU32>,
    /// While somebody has it there are no new connections.
    gate: Arc<Mutex<()>>,
}

async fn wire(tables: &Tables) -> Wire {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap().to_string();
    let there = tables.url.split(['@', '/']).nth(3).unwrap().to_owned();
    let url = tables.url.replace(&there, &here);
    let cuts = Arc::new(AtomicU32::new(0));
    let gate = Arc::new(Mutex::new(()));
    let (left, open) = (cuts.clone(), gate.clone());
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            drop(open.lock().await);
            let server = TcpStream::connect(&there).await.unwrap();
            tokio::spawn(carry(client, server, left.clone()));
        }
    });
    Wire { url, cuts, gate }
}

/// The first byte of a message that runs a prepared statement.
const EXECUTE: u8 = 0x17;

async fn carry(mut client: TcpStream, mut server: TcpStream, cuts: Arc<AtomicU32>) {
    let (mut up, mut down) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let (mut cut, mut begun) = (false, false);
    loop {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(0) | Err(_) => return,
                Ok(n) => {
                    let said = |text: &[u8]| up[..n].windows(text.len()).any(|it| it == text);
                    begun |= said(b"START TRANSACTION");
                    // Behind four bytes of length and one that says that it is a text.
                    let ends = &up[..n][5..] == b"COMMIT";
                    // Or a statement that writes a form and is its own transaction.
                    let writes = up[4] == EXECUTE && said(b"1w00");
                    let commits = ends || !begun && writes;
                    begun &= !ends && !said(b"ROLLBACK");
                    let take = |left: u32| left.checked_sub(1);
                    cut |= commits
                        && cuts.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_ok();
                    if server.write_all(&up[..n]).await.is_err() { return }
                }
            },
            read = server.read(&mut down) => match read {
                Ok(0) | Err(_) => return,
                // The server has committed: that is what its answer says.
                Ok(_) if cut => return,
                Ok(n) => if client.write_all(&down[..n]).await.is_err() { return },
            },
        }
    }
}

async fn through(tables: &Tables) -> (Wire, MySqlStore) {
    let wire = wire(tables).await;
    let options = tables.options().connections(1).deadline(Duration::from_secs(5));
    let store = options.connect(&wire.url).await.unwrap();
    (wire, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_whose_answer_got_lost_is_asked_for_again_and_applied_once() {
    let tables = fresh().await;
    let (wire, store) = through(&tables).await;
    let record = stored(&store, &[("n", b"0")]).await;
    for round in 1..=5 {
        wire.cuts.store(1, Ordering::Release);
        let outcome = store.apply(record.id, 1, &add(), None).await.unwrap();
        let Outcome::Applied(applied) = outcome else { panic!("{outcome:?}") };
        assert!(applied.repeated, "the wire was not cut");
        let n = round.to_string();
        assert_eq!(found(&store, &record).await.fields.get("n"), Some(n.as_bytes()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_and_destroying_answer_what_they_did_although_the_answer_got_lost() {
    let tables = fresh().await;
    let (wire, store) = through(&tables).await;
    let record = record(&[("n", b"0")]);
    wire.cuts.store(1, Ordering::Release);
    let created = store.create(record.clone().into(), SignIn::default()).await.unwrap();
    assert_eq!((created, wire.cuts.load(Ordering::Acquire)), (Created::ALONE, 0));
    assert_eq!(found(&store, &record).await.fields, record.fields);
    wire.cuts.store(1, Ordering::Release);
    assert!(store.delete(record.id, EndReason::SignedOut).await.unwrap());
    assert_eq!(wire.cuts.load(Ordering::Acquire), 0);
    assert_eq!(store.create(record.into(), SignIn::default()).await.unwrap(), Created::Exists);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_lost_with_its_session_is_uncertain() {
    let tables = fresh().await;
    let (wire, store) = through(&tables).await;
    let record = stored(&store, &[("n", b"0")]).await;
    // Somebody destroys it between the commit and the second question.
    wire.cuts.store(1, Ordering::Release);
    let gate = wire.gate.lock().await;
    let other = tables.store().await;
    let patch = add();
    let apply = store.apply(record.id, 1, &patch, None);
    let destroy = async {
        let n = || async { other.reload(record.id, 1).await.unwrap().map(|it| it.meta.rev) };
        while n().await == Some(1) {}
        assert!(other.delete(record.id, EndReason::SignedOut).await.unwrap());
        drop(gate);
    };
    let (outcome, ()) = tokio::join!(apply, destroy);
    let outcome = outcome.unwrap();
    assert!(matches!(outcome, Outcome::Uncertain), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_created_and_destroyed_before_the_answer_came_is_not_created_again() {
    let tables = fresh().await;
    let (wire, store) = through(&tables).await;
    // The store connects for the first time here, and may before the gate closes.
    stored(&store, &[]).await;
    let record = record(&[("n", b"0")]);
    wire.cuts.store(1, Ordering::Release);
    let gate = wire.gate.lock().await;
    let other = tables.store().await;
    let create = store.create(record.clone().into(), SignIn::default());
    let destroy = async {
        while other.reload(record.id, 1).await.unwrap().is_none() {}
        assert!(other.delete(record.id, EndReason::SignedOut).await.unwrap());
        drop(gate);
    };
    let (created, ()) = tokio::join!(create, destroy);
    // The layer would make another one after `Exists`.
    assert_eq!(created.unwrap(), Created::ALONE);
    let seen = other.load(record.id, &[record.meta.secret], Touch::Never.into()).await.unwrap();
    assert!(matches!(seen, Lookup::Ended(_)), "{seen:?}");
    assert!(other.reload(record.id, 1).await.unwrap().is_none());
    let again = other.create(record.into(), SignIn::default()).await.unwrap();
    assert_eq!(again, Created::Exists, "from somebody else");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_patch_after_which_more_came_than_are_remembered_is_uncertain() {
    let tables = fresh().await;
    let (wire, store) = through(&tables).await;
    let record = stored(&store, &[("n", b"0")]).await;
    wire.cuts.store(1, Ordering::Release);
    let gate = wire.gate.lock().await;
    let other = tables.store().await;
    let patch = add();
    let apply = store.apply(record.id, 1, &patch, None);
    let others = async {
        let n = || async { other.reload(record.id, 1).await.unwrap().map(|it| it.meta.rev) };
        while n().await == Some(1) {}
        for _ in 0..4 {
            other.apply(record.id, 1, &add(), None).await.unwrap();
        }
        drop(gate);
    };
    let (outcome, ()) = tokio::join!(apply, others);
    let outcome = outcome.unwrap();
    assert!(matches!(outcome, Outcome::Uncertain), "{outcome:?}");
    assert_eq!(found(&store, &record).await.fields.get("n"), Some(&b"5"[..]), "not twice");
}
