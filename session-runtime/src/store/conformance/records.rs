//! Creating and reading records.

use sha2::{Digest, Sha256};

use super::fixture::{Fixture, IDLE, LIFETIME, new_secret, set, text};
use super::running::together;
use crate::clock::{Millis, Timestamp};
use crate::realm::Realm;
use crate::record::patch::Patch;
use crate::record::{Principal, Renewal, RetiredSecret, Rotation};
use crate::store::{Created, Lookup, SessionStore, Touch};
use crate::token::{PatchId, RotationNonce, SecretHash, SessionToken};

/// Everything in a record is stored: all of its meta and all of its fields.
///
/// A store that forgets one column (when the session was authenticated, whether to remember the
/// user, the last patches) works in every demo and fails much later.
///
/// Of a secret, the SHA-256 hash of realm and secret is stored; it is computed independently here,
/// to check that it is not the secret itself.
pub async fn a_created_record_is_read_back_whole<S: SessionStore>(fixture: Fixture<S>) {
    let mut record = fixture.with(&[("cart", "[1,2]"), ("locale", "\"en\"")]);
    let now = fixture.now();
    let meta = &mut record.meta;
    (meta.epoch, meta.rev, meta.remember) = (3, 17, Some(Millis::new(60_000)));
    meta.created = Timestamp::from_millis(now.as_millis() - 90_001);
    meta.authenticated = Some(Timestamp::from_millis(now.as_millis() - 5));
    meta.principal = Some(Principal::new("customer", "\"Zoë\""));
    meta.patches = [1, (1 << 48) - 1, 1 << 47].map(PatchId::from_u64).into_iter().collect();
    let retired = RetiredSecret { secret: new_secret(record.id), at: now };
    meta.retired = [retired].into_iter().collect();
    meta.secret_since = Timestamp::from_millis(now.as_millis() - 70_000);
    let pending = Rotation { nonce: RotationNonce([5; 16]), next: new_secret(record.id) };
    let previous = RetiredSecret { secret: new_secret(record.id), at: meta.secret_since };
    meta.renewal = Renewal::new(Some(pending), Some(previous));
    let (token, realm) = (SessionToken::of(record.id, [0x5e; 16]), Realm::default());
    record.meta.secret = token.secret_hash(&realm);
    let record = fixture.insert(record).await;
    let found = fixture.found(&record).await;
    assert_eq!(*found, record, "what is loaded differs from what was created");
    let text = [&b"session secret\0"[..], realm.as_str().as_bytes(), b"\0", &[0x5e; 16]].concat();
    let hash: [u8; 32] = Sha256::digest(&text).into();
    assert_eq!(found.meta.secret.as_bytes(), &hash, "what is kept of a secret");

    let bare =
        fixture.lasting(crate::record::patch::Lifetime { idle: None, absolute: None, ..LIFETIME });
    let bare = fixture.insert(bare).await;
    assert_eq!(*fixture.found(&bare).await, bare, "an empty record without limits differs");
}

/// `create` with the id of a live record returns `Exists` and writes nothing.
///
/// If create and update are the same operation, the late write of a request in flight logs a user
/// in again (CVE-2025-46336 in rack).
pub async fn create_never_overwrites_a_live_record<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.with(&[("kept", "1")])).await;
    let mut other = fixture.with(&[("planted", "2")]);
    other.id = record.id;
    let created = fixture.create(other.clone()).await;
    assert_eq!(created, Created::Exists, "creating over a live record");
    assert_eq!(*fixture.found(&record).await, record, "a refused create changed the record");
    let seen = fixture.look(&other).await;
    assert!(matches!(seen, Lookup::Absent), "the secret of a refused create opens: {seen:?}");
}

/// `create` with the id of a record that has just expired returns `Exists`.
///
/// A request that loaded the live record may still commit to it; if the id were reused, its patch
/// would change another user's session.
pub async fn create_never_overwrites_an_expired_record<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    fixture.clock.advance(IDLE);
    let mut other = fixture.record();
    other.id = record.id;
    let created = fixture.create(other.clone()).await;
    assert_eq!(created, Created::Exists, "creating over an expired record within its leeway");
    let seen = fixture.look(&other).await;
    assert!(matches!(seen, Lookup::Absent), "a refused create was stored: {seen:?}");
}

/// `create` with the id of a record that was destroyed within the last minute returns `Exists`.
///
/// Otherwise delete followed by create undoes a logout, including its tombstone.
pub async fn create_never_takes_the_id_of_a_destroyed_record<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    fixture.delete(record.id).await;
    let created = fixture.create(record.clone()).await;
    assert_eq!(created, Created::Exists, "creating over a destroyed record");
    let seen = fixture.look(&record).await;
    assert!(matches!(seen, Lookup::Ended(_)), "a refused create undid the logout: {seen:?}");
}

/// Of 32 concurrent creates of one id, exactly one returns `Created`, and its record is the one
/// that is stored.
///
/// Checking and inserting in two steps lets two of them through.
pub async fn of_many_creates_of_one_id_one_succeeds<S: SessionStore>(fixture: Fixture<S>) {
    let id = fixture.record().id;
    let answers = together(32, |_| {
        let fixture = fixture.clone();
        async move {
            let mut record = fixture.record();
            record.id = id;
            (fixture.create(record.clone()).await, record)
        }
    })
    .await;
    let won: Vec<_> = answers.iter().filter(|(created, _)| *created == Created::ALONE).collect();
    assert_eq!(won.len(), 1, "of 32 creates of one id this many answered `Created`");
    for (created, record) in &answers {
        let found = matches!(fixture.look(record).await, Lookup::Found(_));
        assert_eq!(found, *created == Created::ALONE, "stored or not, against the answer");
    }
}

/// An id that was never stored is absent for every operation.
pub async fn an_unknown_id_is_absent<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.record();
    let seen = fixture.load(record.id, &record.meta.secret, Touch::IfDue).await;
    assert!(matches!(seen, Lookup::Absent), "a load of an unknown id: {seen:?}");
    assert_eq!(fixture.reload(record.id, 1).await, None, "a reload of an unknown id");
    assert!(!fixture.delete(record.id).await, "a delete of an unknown id said that it was there");
    fixture.assert_count(0, "asking for an unknown id stored something").await;
    let created = fixture.create(record).await;
    assert_eq!(created, Created::ALONE, "asking for an unknown id took it");
}

/// A load with any secret but the record's own is `Absent`: another session's, one that differs in
/// a single bit, or none.
///
/// The id is public. If it opened anything, every log file would contain credentials.
pub async fn only_the_current_secret_opens_a_record<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    let other = fixture.insert(fixture.record()).await;
    let mut wrong = vec![other.meta.secret, SecretHash::from_bytes([0; 32])];
    for byte in [0, 15, 16, 31] {
        let mut bytes = *record.meta.secret.as_bytes();
        bytes[byte] ^= 1;
        wrong.push(SecretHash::from_bytes(bytes));
    }
    for secret in &wrong {
        let seen = fixture.load(record.id, secret, Touch::IfDue).await;
        assert!(matches!(seen, Lookup::Absent), "a wrong secret sees {seen:?}");
    }
    let crossed = fixture.load(other.id, &record.meta.secret, Touch::IfDue).await;
    assert!(matches!(crossed, Lookup::Absent), "a secret opens another record: {crossed:?}");
    fixture.found(&record).await;
}

/// A load with a wrong secret is not activity.
///
/// Otherwise anyone who knows a public id could keep that session alive forever.
pub async fn a_load_with_the_wrong_secret_leaves_no_trace<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    fixture.clock.advance(IDLE / 2);
    let wrong = new_secret(record.id);
    let seen = fixture.load(record.id, &wrong, Touch::IfDue).await;
    assert!(matches!(seen, Lookup::Absent), "a wrong secret sees {seen:?}");
    assert_eq!(*fixture.found(&record).await, record, "a load with a wrong secret wrote");
}

/// A reload returns the newest data under the epoch with which the request was authenticated, and
/// nothing under any other.
///
/// A WebSocket that was opened before a sign-in must not read the user's data afterwards.
pub async fn a_reload_finds_the_record_under_its_epoch_only<S: SessionStore>(fixture: Fixture<S>) {
    let record = fixture.insert(fixture.record()).await;
    fixture.applied(record.id, &Patch::of(vec![set("page", "7")])).await;
    let Some(found) = fixture.reload(record.id, 1).await else {
        panic!("a reload of a live record under its epoch found nothing")
    };
    assert_eq!(text(&found, "page"), Some("7"), "a reload misses an acknowledged patch");
    assert_eq!(*found, *fixture.found(&record).await, "a reload and a load differ");
    for epoch in [0, 2, u64::MAX] {
        assert_eq!(fixture.reload(record.id, epoch).await, None, "a reload under epoch {epoch}");
    }
}
