//! Principals with many sessions: operations on them are made in steps.

use std::collections::BTreeSet;

use super::fixture::{Fixture, MS};
use super::running::together;
use crate::id::SessionId;
use crate::record::patch::{Denied, SignIn};
use crate::record::{Principal, Record};
use crate::store::{Created, EndReason, Lookup, Revoke, Revoked, SessionStore};

/// How many sessions one step of a revocation may end.
const MOST: u64 = 1_000;

fn customer() -> Principal {
    Principal::new("customer", "42")
}

async fn many<S: SessionStore>(fixture: &Fixture<S>, count: usize) -> Vec<SessionId> {
    let lanes = together(8, |lane| {
        let fixture = fixture.clone();
        async move {
            let mut ids = Vec::new();
            for _ in (lane..count).step_by(8) {
                ids.push(fixture.insert(fixture.of(&customer())).await.id);
            }
            ids
        }
    });
    lanes.await.into_iter().flatten().collect()
}

/// A long listing comes in pages of about the requested size. All pages together contain every
/// session that lives throughout, and none of another principal, whatever sessions come and go
/// meanwhile; and the listing ends.
///
/// A bot may have a hundred thousand sessions. One answer with all of them would stall the server.
pub async fn a_listing_comes_in_pages<S: SessionStore>(fixture: Fixture<S>) {
    const LIMIT: usize = 20;
    let stay: BTreeSet<_> = many(&fixture, 150).await.into_iter().collect();
    let mut go = many(&fixture, 30).await;
    fixture.insert(fixture.of(&Principal::new("customer", "43"))).await;
    let (mut seen, mut from) = (BTreeSet::new(), None);
    for step in 0.. {
        assert!(step < 1_000, "a listing of 180 sessions does not end");
        let page = fixture.page(&customer(), from.as_ref(), LIMIT).await;
        let size = page.records.len();
        assert!(size <= 2 * LIMIT, "{size} sessions on a page of about {LIMIT}");
        assert!(step > 0 || page.next.is_some(), "180 sessions on one page of {size}");
        let theirs = |it: &Record| it.meta.principal.as_ref() == Some(&customer());
        assert!(page.records.iter().all(|it| theirs(it)), "a session of another principal");
        seen.extend(page.records.iter().map(|it| it.id));
        match page.next {
            None => break,
            next => from = next,
        }
        if let Some(id) = go.pop() {
            fixture.delete(id).await;
            many(&fixture, 1).await;
        }
    }
    let missing = stay.difference(&seen).count();
    assert_eq!(missing, 0, "sessions that lived throughout and are on no page");
}

/// A revocation of many sessions is made in steps that end at most a thousand each. After the last
/// step, every session that existed at the first has ended; and the revocation completes even if
/// new sign-ins keep coming. The first step of revoking all stops every login that began before it;
/// no later step does.
///
/// "Sign out everywhere" must not stall the store, nor miss a session, nor needlessly end the
/// session with which the user signs in again meanwhile.
pub async fn a_revocation_goes_in_steps_and_ends<S: SessionStore>(fixture: Fixture<S>) {
    let began = fixture.now();
    let login = async |at| {
        let sign_in = SignIn { cap: None, not_revoked_since: Some(at) };
        let record = fixture.of(&customer());
        (fixture.sign_in(record.clone(), sign_in).await, record)
    };
    let old = many(&fixture, 1_200).await;
    let kept = old[0];
    for which in [Revoke::Others(kept), Revoke::All] {
        fixture.clock.advance(MS);
        let (mut ended, mut from, mut later) = (0, None, Vec::new());
        // When the logins after the first step begin.
        let mut second = None;
        let before = fixture.listed(&customer()).await.len() as u64;
        for step in 0.. {
            assert!(step < 1_300, "the end of 1,200 sessions does not end");
            let Revoked { ended: now, next, .. } = fixture
                .revoke_step(&customer(), which, EndReason::OtherDevice, from.as_ref())
                .await;
            assert!(now <= MOST, "{now} sessions ended in one step");
            ended += now;
            fixture.clock.advance(MS);
            let second = *second.get_or_insert(fixture.now());
            let (created, record) = login(second).await;
            assert_eq!(created, Created::ALONE, "a login that began after the first step");
            later.push(record);
            if which == Revoke::All {
                let denied = Created::Denied(Denied::Revoked);
                assert_eq!(login(began).await.0, denied, "a login that began before");
            }
            match next {
                None => break,
                next => from = next,
            }
        }
        let listed = fixture.listed(&customer()).await;
        let there = |id: &SessionId| listed.binary_search(id).is_ok();
        let left: Vec<_> = old.iter().filter(|id| there(id)).collect();
        let spared = if which == Revoke::All { vec![] } else { vec![&kept] };
        assert_eq!(left, spared, "sessions that {which:?} left alone");
        let mut survivors = 0;
        for record in &later {
            let live = matches!(fixture.look(record).await, Lookup::Found(_));
            assert_eq!(live, there(&record.id), "a session that signed in meanwhile");
            survivors += u64::from(live);
        }
        let came = later.len() as u64 - survivors;
        let expected = before - spared.len() as u64 + came;
        assert_eq!(ended, expected, "so many live sessions ended by {which:?}");
        many(&fixture, 1_000).await;
    }
}
