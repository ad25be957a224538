//! Walks over all sessions.

use std::collections::BTreeSet;
use std::time::Duration;

use super::fixture::{Fixture, IDLE, MS, renewal, set};
use crate::id::SessionId;
use crate::record::patch::Patch;
use crate::record::{Principal, Record};
use crate::store::{Cursor, SessionStore};

async fn several<S: SessionStore>(fixture: &Fixture<S>, count: usize) -> Vec<Record> {
    let mut records = Vec::with_capacity(count);
    for n in 0..count {
        let record = match n % 3 {
            0 => fixture.record(),
            1 => fixture.with(&[("n", "1")]),
            _ => fixture.of(&Principal::new("", "7")),
        };
        records.push(fixture.insert(record).await);
    }
    records
}

fn ids(records: &[Record]) -> BTreeSet<SessionId> {
    records.iter().map(|record| record.id).collect()
}

/// Walks to the end in pages of `limit`, and calls `between` after each.
async fn walked<S: SessionStore>(
    fixture: &Fixture<S>,
    limit: usize,
    mut between: impl AsyncFnMut(usize),
) -> Vec<Record> {
    let (mut all, mut cursor) = (Vec::new(), None);
    for page in 0..100_000 {
        let (records, next) = fixture.scan(cursor.as_ref(), limit).await;
        all.extend(records);
        between(page).await;
        match next {
            None => return all,
            next => cursor = next,
        }
    }
    panic!("a hundred thousand pages, and always a next one: the walk never ends");
}

/// Every live session is on some page of a walk, complete and as last stored, with or without a
/// principal and whatever the size of a page.
///
/// A walk that follows an index of principals misses anonymous sessions.
pub async fn a_walk_finds_every_live_session<S: SessionStore>(fixture: Fixture<S>) {
    assert!(walked(&fixture, 10, async |_| ()).await.is_empty(), "a walk through an empty store");
    let records = several(&fixture, 40).await;
    let changed = &records[1];
    fixture.applied(changed.id, &Patch::of(vec![set("n", "2"), set("more", "[1, 2]")])).await;
    let (renew, _) = renewal(records[2].id);
    fixture.applied(records[2].id, &renew).await;
    for limit in [1, 7, 40, 1_000] {
        let seen = walked(&fixture, limit, async |_| ()).await;
        assert_eq!(ids(&seen), ids(&records), "a walk in pages of {limit}");
        for record in seen {
            let epoch = record.meta.epoch;
            let stored = fixture.reload(record.id, epoch).await;
            assert_eq!(stored.as_deref(), Some(&record), "a record on a page of {limit}");
        }
    }
}

/// Sessions that were destroyed or have expired are on no page, swept or not; one that was touched
/// meanwhile still is.
pub async fn a_walk_shows_nothing_that_has_ended<S: SessionStore>(fixture: Fixture<S>) {
    let records = several(&fixture, 12).await;
    for record in &records[..3] {
        fixture.delete(record.id).await;
    }
    fixture.clock.advance(IDLE - MS);
    for record in &records[3..6] {
        fixture.load(record.id, &record.meta.secret, crate::store::Touch::IfDue).await;
    }
    fixture.clock.advance(MS);
    for swept in [false, true] {
        if swept {
            fixture.clock.advance(Duration::from_secs(120));
            fixture.sweep_all(100).await;
        }
        let seen = walked(&fixture, 5, async |_| ()).await;
        assert_eq!(ids(&seen), ids(&records[3..6]), "live after the others ended; swept: {swept}");
    }
}

/// Sessions that are created, changed, destroyed and renewed between two pages do not hide any that
/// exist throughout.
///
/// A walk that counts (`OFFSET`) skips as many as were removed before it.
pub async fn a_walk_misses_nobody_while_others_come_and_go<S: SessionStore>(fixture: Fixture<S>) {
    let mut passing = several(&fixture, 30).await;
    let staying = several(&fixture, 30).await;
    passing.extend(several(&fixture, 30).await);
    let seen = walked(&fixture, 4, async |page| {
        for _ in 0..3 {
            if let Some(gone) = passing.pop() {
                fixture.delete(gone.id).await;
            }
        }
        fixture.insert(fixture.record()).await;
        let busy = &staying[page % staying.len()];
        fixture.applied(busy.id, &Patch::of(vec![set("n", "5")])).await;
    })
    .await;
    let missed: Vec<_> = ids(&staying).difference(&ids(&seen)).copied().collect();
    assert_eq!(missed, [], "sessions that were live all the time and on no page");
}

/// A cursor is text: an interrupted walk can continue from it later.
pub async fn a_walk_goes_on_from_a_kept_cursor<S: SessionStore>(fixture: Fixture<S>) {
    let records = several(&fixture, 25).await;
    let (mut seen, mut kept) = (BTreeSet::new(), None::<String>);
    for _ in 0..10_000 {
        let cursor = kept.map(Cursor::new);
        let (page, next) = fixture.scan(cursor.as_ref(), 3).await;
        seen.extend(ids(&page));
        kept = next.map(|next| next.as_str().to_owned());
        if kept.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids(&records), "a walk by the text of its cursors");
}
