//! Two stores on one file, as in two processes.

use super::*;
use crate::record::patch::{AtLimit, Cap, Denied, Expect, Gone, SignIn};

async fn pair(directory: &Directory) -> (SqliteStore, SqliteStore) {
    let clock = Clock::frozen(START);
    let (a, b) = tokio::join!(
        options(&clock).open(directory.file()),
        options(&clock).open(directory.file())
    );
    (a.unwrap(), b.unwrap())
}

#[tokio::test]
async fn both_may_create_the_file_and_both_see_what_either_writes() {
    let directory = Directory::new();
    let (a, b) = pair(&directory).await;
    create(&a, record(1, &[])).await;
    assert!(found(&b, 1, Touch::Never).await.is_some());
    assert_eq!(b.create(record(1, &[]).into(), SignIn::default()).await.unwrap(), Created::Exists);
    let patch = add();
    assert!(!applied(&a, 1, &patch).await.repeated);
    assert!(applied(&b, 1, &patch).await.repeated, "the log is in the file");
}

#[tokio::test]
async fn concurrent_additions_through_both_all_count() {
    let directory = Directory::new();
    let (a, b) = pair(&directory).await;
    create(&a, record(1, &[])).await;
    let each = |store: SqliteStore| {
        tokio::spawn(async move {
            for _ in 0..100 {
                applied(&store, 1, &add()).await;
            }
        })
    };
    let all: Vec<_> = [&a, &b, &a, &b].map(|store| each(store.clone())).into_iter().collect();
    for task in all {
        task.await.unwrap();
    }
    let record = found(&a, 1, Touch::Never).await.unwrap();
    assert_eq!(record.fields.get("n"), Some(&b"400"[..]));
    assert_eq!(record.meta.rev, 401);
}

#[tokio::test]
async fn a_cap_and_a_revocation_hold_across_both() {
    let directory = Directory::new();
    let (a, b) = pair(&directory).await;
    let shop = Principal::new("shop", "42");
    let max = std::num::NonZeroU32::new(5).unwrap();
    let cap = Some(Cap { max, at_limit: AtLimit::Reject });
    let each = |number: u8| {
        let (store, shop) = ([&a, &b][usize::from(number) % 2].clone(), shop.clone());
        tokio::spawn(async move {
            let mut record = record(number, &[]);
            record.meta.principal = Some(shop);
            let sign_in = SignIn { cap, ..SignIn::default() };
            store.create(record.into(), sign_in).await.unwrap() == Created::ALONE
        })
    };
    let mut admitted = 0;
    for task in (1..=32).map(each).collect::<Vec<_>>() {
        admitted += u32::from(task.await.unwrap());
    }
    assert_eq!(admitted, 5);
    assert_eq!(listed(&a, &shop, 3).await.len(), 5);
    assert_eq!(revoked(&b, &shop, Revoke::All).await, 5);
    let mut late = record(40, &[]);
    late.meta.principal = Some(shop);
    let sign_in = SignIn { cap, not_revoked_since: Some(START) };
    assert_eq!(a.create(late.into(), sign_in).await.unwrap(), Created::Denied(Denied::Revoked));
}

#[tokio::test]
async fn a_record_destroyed_through_one_is_gone_for_the_other() {
    let directory = Directory::new();
    let (a, b) = pair(&directory).await;
    create(&a, record(1, &[("a", "1")])).await;
    assert!(b.delete(id(1), EndReason::SignedOut).await.unwrap());
    assert!(matches!(a.apply(id(1), 1, &add(), None).await.unwrap(), Outcome::Gone(Gone::Absent)));
    assert!(matches!(
        a.load(id(1), &[SECRET], Touch::IfDue.into()).await.unwrap(),
        Lookup::Ended(_)
    ));
    assert_eq!(
        a.create(record(1, &[]).into(), SignIn::default()).await.unwrap(),
        Created::Exists,
        "there is a tombstone"
    );
}

#[tokio::test]
async fn a_conflict_shows_the_whole_record_as_it_stands() {
    let directory = Directory::new();
    let (a, b) = pair(&directory).await;
    create(&a, record(1, &[("a", "1"), ("b", "2")])).await;
    applied(&b, 1, &Patch::of(vec![set("a", b"9")])).await;
    let mut patch = Patch::of(vec![set("a", b"5")]);
    patch.expect.push(Expect::Field { name: "a".into(), value: Some(b"1".to_vec()) });
    let Outcome::Conflict(conflict) = a.apply(id(1), 1, &patch, None).await.unwrap() else {
        panic!("a conflict")
    };
    assert_eq!(conflict.field.as_deref(), Some("a"));
    assert_eq!(*conflict.current, *found(&b, 1, Touch::Never).await.unwrap());
}
