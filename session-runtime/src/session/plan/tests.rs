//! Tests plans without a runtime, a store or a request.

mod users;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::{Apply, Create, Keep, Plan, Situation, fork, plan};
use crate::clock::Timestamp;
use crate::codec::Json;
use crate::config::Policy;
use crate::id::SessionId;
use crate::keys::Keys;
use crate::realm::Realm;
use crate::record::patch::{Add, FieldOp, Lifetime, MetaPatch, Op, Patch};
use crate::record::{MAX_LIFETIME, Meta, Principal, Record};
use crate::schema::{Field, Schema, default};
use crate::session::op::{Made, PendingOp};
use crate::session::pending::Pending;
use crate::session::scope::{CookieChange, Origin, Why};
use crate::session::users::Marked;
use crate::token::{NoRandomness, SessionToken};

static USER: Field =
    Field::new("user", "Option<u64>", Json::<Option<u64>>::CODEC, default::<Option<u64>>)
        .principal()
        .null_is_absent();
static ROLE: Field = Field::new("role", "String", Json::<String>::CODEC, default::<String>).renew();
static NAME: Field = Field::new("name", "String", Json::<String>::CODEC, default::<String>);
static REALM: LazyLock<Realm> = LazyLock::new(Realm::default);
static NO_KEYS: LazyLock<Keys> = LazyLock::new(Keys::default);
static HITS: Field = Field::new("hits", "u64", Json::<u64>::CODEC, default::<u64>);

const HOUR: Duration = Duration::from_secs(3600);
const POLICY: Policy = Policy {
    idle: Some(HOUR),
    absolute: Some(Duration::from_secs(12 * 3600)),
    rolling: false,
    max_remember: MAX_LIFETIME,
    cap: None,
};
static SCHEMA: Schema = Schema::new(&0, "Visitor", "", &[]);

fn now() -> Timestamp {
    Timestamp::from_millis(1_000_000)
}

fn op(field: &'static Field, op: Op) -> PendingOp {
    let (seq, under, base, made) = (1, None, None, Made::Anew);
    PendingOp { field, schema: &SCHEMA, seq, op, under, base, made }
}

fn set(field: &'static Field, json: &str) -> PendingOp {
    op(field, Op::set(json))
}

fn pending(ops: Vec<PendingOp>) -> Pending {
    let authenticated = ops.iter().any(|op| op.field.principal && !op.clears());
    Pending { ops, authenticated, ..Pending::default() }
}

fn stored(fields: &[(&str, &str)]) -> Origin {
    let token = SessionToken::generate().unwrap();
    let lifetime = Lifetime { idle: POLICY.idle, absolute: POLICY.absolute, remember: false };
    let mut meta = Meta::new(token.secret_hash(&Realm::default()), now(), lifetime);
    meta.epoch = 5;
    let user = fields.iter().find(|(name, _)| *name == "user");
    meta.principal = user.map(|(_, json)| Principal::new("", json));
    let fields = fields.iter().copied().collect();
    Origin::Stored(Arc::new(Record::new(token.id(), meta, fields)))
}

fn mint(id: Option<SessionId>) -> Result<SessionToken, NoRandomness> {
    id.map_or_else(SessionToken::generate, SessionToken::renew)
}

fn situation<'s>(origin: &'s Origin, pending: &'s Pending) -> Situation<'s> {
    Situation {
        origin,
        seen: None,
        token: None,
        after: None,
        joins: false,
        by_client: true,
        pending,
        schemas: &[],
        keys: &NO_KEYS,
        marked: Marked::NONE,
        keep: Keep::Everything,
        head_open: true,
        policy: POLICY,
        realm: &REALM,
        now: now(),
    }
}

fn planned(origin: &Origin, pending: &Pending, keep: Keep) -> Plan {
    plan(&Situation { keep, ..situation(origin, pending) }, &mint).unwrap()
}

fn patch(plan: Plan) -> (Patch, Option<CookieChange>) {
    match plan {
        Plan::Apply(Apply { patch, cookie, epoch, .. }) => {
            assert_eq!(epoch, 5, "authorised by the epoch that was loaded");
            (patch, cookie)
        }
        other => panic!("{other:?}"),
    }
}

fn record(plan: Plan) -> Record {
    match plan {
        Plan::Create(Create { record, cookie: CookieChange::Set { token, .. }, .. }) => {
            assert_eq!(token.id(), record.id);
            assert_eq!(token.secret_hash(&Realm::default()), record.meta.secret);
            Arc::unwrap_or_clone(record)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_pending_is_nothing_to_do() {
    for origin in [Origin::Nobody, Origin::SignInOnly { was: None, why: Why::Late }, stored(&[])] {
        assert!(matches!(planned(&origin, &Pending::default(), Keep::Everything), Plan::Nothing));
    }
}

#[test]
fn only_a_set_creates_a_record() {
    for removal in [Op::Remove, Op::remove_if("1")] {
        let pending = pending(vec![op(&NAME, removal)]);
        assert!(matches!(planned(&Origin::Nobody, &pending, Keep::Everything), Plan::Nothing));
    }
    let renew = Pending { renew: true, remember: Some(HOUR), ..Pending::default() };
    assert!(matches!(planned(&Origin::Nobody, &renew, Keep::Everything), Plan::Nothing));
    let record =
        record(planned(&Origin::Nobody, &pending(vec![set(&NAME, "\"bo\"")]), Keep::Everything));
    assert_eq!(record.fields.get("name"), Some(&b"\"bo\""[..]));
    assert_eq!((record.meta.epoch, record.meta.principal), (1, None));
}

#[test]
fn an_addition_creates_the_counter_with_its_default_plus_the_delta() {
    static FROM_40: Field = Field::new("hits", "u64", Json::<u64>::CODEC, || Box::new(40_u64));
    let add = op(&FROM_40, Op::Add(Add::unsigned(2, 40)));
    let record = record(planned(&Origin::Nobody, &pending(vec![add]), Keep::Everything));
    assert_eq!(record.fields.get("hits"), Some(&b"42"[..]));
}

#[test]
fn a_patch_holds_what_changed_and_nothing_else() {
    let origin = stored(&[("name", "\"bo\""), ("role", "\"user\"")]);
    let ops = vec![set(&NAME, "\"al\""), set(&ROLE, "\"user\"")];
    let (patch, cookie) = patch(planned(&origin, &pending(ops), Keep::Everything));
    assert_eq!(patch.ops, [FieldOp::new("name", Op::set("\"al\""))]);
    assert_eq!(patch.meta, MetaPatch::default());
    assert!(cookie.is_none());
    let same = pending(vec![set(&NAME, "\"bo\"")]);
    assert!(matches!(planned(&origin, &same, Keep::Everything), Plan::Nothing));
}

#[test]
fn signing_in_is_an_event_also_as_the_same_user() {
    let origin = stored(&[("user", "7")]);
    let (patch, cookie) =
        patch(planned(&origin, &pending(vec![set(&USER, "7")]), Keep::Everything));
    assert_eq!(patch.ops, [], "the field itself does not change");
    assert!(patch.meta.renew.is_some() && patch.meta.authenticated);
    assert_eq!(patch.meta.lifetime.unwrap().idle, POLICY.idle, "both timeouts restart");
    assert_eq!(patch.meta.principal, None, "the index stays as it is");
    assert!(matches!(cookie, Some(CookieChange::Set { expires: None, .. })));
}

#[test]
fn signing_out_and_a_change_of_role_renew_without_authenticating() {
    let origin = stored(&[("user", "7"), ("role", "\"user\"")]);
    let (out, _) = patch(planned(&origin, &pending(vec![op(&USER, Op::Remove)]), Keep::Everything));
    assert_eq!(out.meta.principal, Some(None));
    let (role, _) =
        patch(planned(&origin, &pending(vec![set(&ROLE, "\"admin\"")]), Keep::Everything));
    for meta in [out.meta, role.meta] {
        assert!(meta.renew.is_some() && !meta.authenticated && meta.lifetime.is_none());
    }
}

#[test]
fn a_failed_response_keeps_a_sign_out_alone() {
    let origin = stored(&[("user", "7"), ("name", "\"bo\"")]);
    let mut both = pending(vec![op(&USER, Op::Remove), set(&NAME, "\"al\"")]);
    both.renew = true;
    both.remember = Some(HOUR);
    let (patch, _) = patch(planned(&origin, &both, Keep::SignOutOnly));
    assert_eq!(patch.ops, [FieldOp::new("user", Op::Remove)]);
    assert_eq!(patch.meta.lifetime, None);
    let sign_in = pending(vec![set(&USER, "8")]);
    assert!(matches!(planned(&origin, &sign_in, Keep::SignOutOnly), Plan::Nothing));
    assert!(matches!(planned(&Origin::Nobody, &sign_in, Keep::SignOutOnly), Plan::Nothing));
}

#[test]
fn a_retired_token_may_only_sign_in() {
    let explicit = |ops| match planned(
        &Origin::SignInOnly { was: None, why: Why::Late },
        &pending(ops),
        Keep::Everything,
    ) {
        Plan::Lost { explicit } => explicit,
        other => panic!("{other:?}"),
    };
    assert!(explicit(vec![set(&NAME, "\"al\"")]));
    assert!(!explicit(vec![op(&HITS, Op::Add(Add::unsigned(1, 0)))]));
    let record = record(planned(
        &Origin::SignInOnly { was: None, why: Why::Late },
        &pending(vec![set(&USER, "8")]),
        Keep::Everything,
    ));
    assert_eq!(record.meta.principal, Some(Principal::new("", "8")));
    assert_eq!(record.meta.authenticated, Some(now()));
}

#[test]
fn a_fork_starts_from_what_the_request_saw() {
    let Origin::Stored(seen) = stored(&[("name", "\"bo\""), ("hits", "3")]) else { panic!() };
    let ops = vec![set(&USER, "8"), op(&HITS, Op::Add(Add::unsigned(1, 0)))];
    let pending = pending(ops);
    let situation = situation(&Origin::Nobody, &pending);
    let forked = record(fork(&situation, Some(&seen), &mint).unwrap());
    assert_ne!(forked.id, seen.id);
    assert_eq!(forked.fields.get("name"), Some(&b"\"bo\""[..]));
    assert_eq!(forked.fields.get("hits"), Some(&b"4"[..]));
    let bare = record(fork(&situation, None, &mint).unwrap());
    assert_eq!(bare.fields.get("name"), None, "nothing of a destroyed session comes back");
}

#[test]
fn an_addition_to_what_is_no_integer_is_left_out_alone() {
    let Origin::Stored(seen) = stored(&[("hits", "\"many\"")]) else { panic!() };
    let add = op(&HITS, Op::Add(Add::unsigned(1, 0)));
    let pending = pending(vec![set(&USER, "8"), add, set(&NAME, "\"al\"")]);
    let situation = situation(&Origin::Nobody, &pending);
    let forked = record(fork(&situation, Some(&seen), &mint).unwrap());
    assert_eq!(forked.fields.get("hits"), Some(&b"\"many\""[..]));
    assert_eq!(forked.fields.get("name"), Some(&b"\"al\""[..]));
    assert_eq!(forked.meta.principal, Some(Principal::new("", "8")));
}

#[test]
fn remembering_sends_the_same_token_in_a_cookie_that_lasts() {
    let origin = stored(&[]);
    let token = SessionToken::generate().unwrap();
    let remembered = Pending { remember: Some(HOUR), ..Pending::default() };
    let situation = Situation { token: Some(&token), ..situation(&origin, &remembered) };
    let (patch, cookie) = patch(plan(&situation, &mint).unwrap());
    assert_eq!(patch.meta.renew, None);
    let lifetime = Lifetime { idle: None, absolute: Some(HOUR), remember: true };
    assert_eq!(patch.meta.lifetime, Some(lifetime));
    let Some(CookieChange::Set { token: sent, expires }) = cookie else { panic!("{cookie:?}") };
    assert_eq!((sent, expires), (token, Some(now().after(HOUR))));
}
