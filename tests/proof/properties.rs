//! Patches and merges beside plain maps.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use session_runtime::__private::patch::{Add, Expect, FieldOp, Gone, Lifetime, Op, Outcome, Patch};
use session_runtime::__private::record::{Applying, COMMIT_LEEWAY, Fields, Meta, Record};
use session_runtime::__private::token::SessionToken;
use session_runtime::clock::{Clock, Timestamp};
use session_runtime::store::{
    MemoryStore, SessionStore,
    contract::{Lookup, Touch},
};
use session_runtime::{Realm, Session, SessionLayer, SessionSchema, session_of};
use tower::{Layer, ServiceExt, service_fn};

use crate::schema::{Shop, values_of};
use crate::store::now;

type Map = BTreeMap<String, Vec<u8>>;

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-e]", "[a-z]{1,40}"]
}

/// Long enough that large blocks are merged too.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (-20_i64..20).prop_map(|n| n.to_string().into_bytes()),
        Just(b"1.0".to_vec()),
        vec(b' '..b'~', 0..200),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => value().prop_map(Op::set),
        1 => Just(Op::Remove),
        1 => value().prop_map(Op::remove_if),
        1 => Just(Op::Take),
        2 => (any::<i64>(), -9_i64..9).prop_map(|(delta, absent)| Op::Add(Add::signed(delta, absent))),
        2 => (-9_i64..9, 0_u64..9).prop_map(|(delta, absent)| Op::Add(Add::unsigned(delta, absent))),
    ]
}

fn ops() -> impl Strategy<Value = Vec<FieldOp>> {
    btree_map(name(), op(), 0..8)
        .prop_map(|ops| ops.into_iter().map(|(name, op)| FieldOp::new(name, op)).collect())
}

/// What a patch does to a plain map, and what it takes; `None` if it is refused.
fn plain(map: &Map, ops: &[FieldOp]) -> Option<(Map, Vec<Option<Vec<u8>>>)> {
    let (mut after, mut taken) = (map.clone(), Vec::new());
    for op in ops {
        let stored = map.get(&*op.name).cloned();
        let next = match &op.op {
            Op::Set(value) => Some(value.to_vec()),
            Op::Remove => None,
            Op::RemoveIf(value) => stored.filter(|stored| **stored != **value),
            Op::Take => {
                taken.push(stored);
                None
            }
            Op::Add(add) => {
                let (min, max) = add.absent.bounds();
                let before = match stored {
                    None => add.absent.wide(),
                    Some(bytes) => {
                        let text = String::from_utf8(bytes).ok()?;
                        let number: i128 = text.parse().ok()?;
                        // Only what prints as it is read is a plain integer.
                        if number.to_string() != text && text != "-0" {
                            return None;
                        }
                        (min..=max).contains(&number).then_some(number)?
                    }
                };
                let sum = (before + i128::from(add.delta)).clamp(min, max);
                Some(sum.to_string().into_bytes())
            }
        };
        match next {
            Some(next) => drop(after.insert(op.name.to_string(), next)),
            None => drop(after.remove(&*op.name)),
        }
    }
    Some((after, taken))
}

fn map_of(fields: &Fields) -> Map {
    fields.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
}

fn minutes(minutes: u64) -> Timestamp {
    Timestamp::from_millis(60_000 * minutes)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn patches_do_to_fields_what_they_do_to_a_plain_map(patches in vec(ops(), 1..30)) {
        let (mut fields, mut map) = (Fields::new(), Map::new());
        for ops in patches {
            match (fields.apply(&ops), plain(&map, &ops)) {
                (Ok((after, taken)), Some((expected, expected_taken))) => {
                    let taken: Vec<_> = taken.into_iter().map(|taken| taken.value).collect();
                    prop_assert_eq!(taken, expected_taken);
                    (fields, map) = (after, expected);
                }
                (Err(_), None) => {}
                (did, must) => prop_assert!(false, "{:?}: {:?}, must be {:?}", ops, did, must),
            }
            prop_assert_eq!(map_of(&fields), map.clone());
            prop_assert_eq!(fields.len(), map.len());
        }
    }

    #[test]
    fn a_record_checks_repeat_life_epoch_and_expectations_in_this_order(
        ops in ops(),
        before in btree_map(name(), value(), 0..6),
        epoch in 1_u64..3,
        at in 0_u64..40,
        expected in proptest::option::of((name(), proptest::option::of(value()))),
        rev in proptest::option::of(1_u64..3),
        repeats in any::<bool>(),
    ) {
        let token = SessionToken::generate().unwrap();
        let lifetime = Lifetime { idle: Some(Duration::from_secs(1800)), absolute: None, remember: false };
        let mut meta = Meta::new(token.secret_hash(&Realm::default()), minutes(0), lifetime);
        let mut patch = Patch::of(ops);
        if repeats {
            meta.patches.push(patch.id);
        }
        patch.expect.extend(rev.map(Expect::Rev));
        patch.expect.extend(expected.clone().map(|(name, value)| Expect::Field { name: name.into(), value }));
        let record = Arc::new(Record::new(token.id(), meta, before.iter().collect()));
        let conflict = rev.is_some_and(|rev| rev != 1)
            || expected.is_some_and(|(name, value)| before.get(&name) != value.as_ref());
        let over = minutes(at) >= minutes(30).after(COMMIT_LEEWAY);
        match (record.apply(epoch, &patch, minutes(at)), plain(&before, &patch.ops)) {
            (Applying::Answer(Outcome::Applied(applied)), _) => {
                prop_assert!(repeats && applied.repeated && applied.taken.is_empty());
            }
            (Applying::Answer(Outcome::Gone(Gone::Absent)), _) => prop_assert!(!repeats && over),
            (Applying::Answer(Outcome::Gone(Gone::Superseded)), _) => {
                prop_assert!(!repeats && !over && epoch != 1);
            }
            (Applying::Answer(Outcome::Conflict(answer)), _) => {
                prop_assert!(!repeats && !over && epoch == 1 && conflict);
                prop_assert_eq!(answer.current, record);
            }
            (Applying::Answer(Outcome::Refused(_)), must) => {
                prop_assert!(!repeats && !over && epoch == 1 && !conflict && must.is_none());
            }
            (Applying::Stored(after, applied), Some((expected, _))) => {
                prop_assert!(!repeats && !over && epoch == 1 && !conflict);
                prop_assert_eq!(map_of(&after.fields), expected);
                prop_assert_eq!((applied.rev, applied.epoch, after.meta.epoch), (2, 1, 1));
                prop_assert!(after.meta.patches.contains(patch.id));
            }
            (did, must) => prop_assert!(false, "{:?}, must be {:?}", did, must),
        }
    }

    /// Two handles of one request, their changes in any order, published in
    /// any order: the one made later counts, additions add up.
    #[test]
    fn two_handles_of_a_request_merge_like_a_plain_map(
        steps in vec((any::<bool>(), 0_usize..5, 1_u32..4), 0..10),
        second_first in any::<bool>(),
    ) {
        let expected = {
            let (mut a, mut b, mut flash) = (0_u32, 0_u32, None);
            let (mut n, mut bits) = (0_i64, 0_i64);
            for (_, field, value) in &steps {
                match field {
                    0 => a = *value,
                    1 => b = *value,
                    2 => flash = Some(*value),
                    3 => bits |= 1 << value,
                    _ => n += i64::from(*value),
                }
            }
            let all = [("a", i64::from(a)), ("b", i64::from(b)), ("n", n), ("bits", bits), ("flash", flash.map_or(0, i64::from))];
            all.into_iter().filter(|(_, value)| *value != 0).collect::<BTreeMap<_, _>>()
        };
        let store = MemoryStore::new();
        let layer = SessionLayer::new(store.clone());
        let service = layer.layer(service_fn(move |request: http::Request<()>| {
            let steps = steps.clone();
            async move {
                let (parts, ()) = request.into_parts();
                let open = || session_of::<Shop>(&parts.extensions, &parts.headers);
                let (mut one, mut two) = (open().await.unwrap(), open().await.unwrap());
                for (first, field, value) in steps {
                    let session = if first { &mut one } else { &mut two };
                    match field {
                        0 => session.set_a(value),
                        1 => session.set_b(value),
                        2 => session.set_flash(value),
                        3 => session.set_bits(session.bits() | (1 << value)),
                        _ => session.add_n(i64::from(value)),
                    }
                }
                if second_first {
                    drop(two);
                    drop(one);
                } else {
                    drop(one);
                    drop(two);
                }
                Ok::<_, Infallible>(http::Response::new(String::new()))
            }
        }));
        let cookie = answer(service.oneshot(http::Request::post("/").body(()).unwrap()))?;
        let stored = match cookie {
            None => BTreeMap::new(),
            Some(text) => {
                let token = SessionToken::parse(&text).unwrap();
                let hash = token.secret_hash(&Realm::default());
                match now(store.load(token.id(), &[hash], Touch::Never.into())).unwrap() {
                    Lookup::Found(record) => values_of(&record).unwrap(),
                    other => return Err(TestCaseError::fail(format!("{other:?}"))),
                }
            }
        };
        prop_assert_eq!(stored, expected);
    }

    /// Requests at random times: a value with a time to live is there exactly
    /// until it is over, and its neighbours stay.
    #[test]
    fn a_time_to_live_is_kept_to_the_millisecond(
        steps in vec((prop_oneof![Just(1_u64), Just(599_999), Just(600_000), 0_u64..900_000], proptest::option::of(1_u32..9)), 1..12),
    ) {
        let clock = Clock::frozen(Timestamp::from_millis(0));
        let layer = SessionLayer::new(MemoryStore::with_clock(clock.clone())).idle_timeout(None);
        let (mut cookie, mut model) = (None, None::<(u64, u32)>);
        for (pause, set) in std::iter::once((0, Some(1))).chain(steps) {
            clock.advance(Duration::from_millis(pause));
            let at = clock.now().as_millis();
            let seen = Arc::new(Mutex::new(None));
            let show = Arc::clone(&seen);
            let handler = move |session: &mut Session<Timed>| {
                *show.lock().unwrap() = Some((session.code(), session.kept()));
                if let Some(value) = set {
                    session.set_code(value);
                    session.set_kept(7);
                }
            };
            let response = request::<Timed>(&layer, cookie.as_deref(), handler)?;
            let kept = u32::from(model.is_some()) * 7;
            let live = model.filter(|(until, _)| at < *until).map(|(_, value)| value);
            prop_assert_eq!(*seen.lock().unwrap(), Some((live, kept)));
            cookie = response.or(cookie);
            // Also the same value lives on from now.
            if let Some(value) = set {
                model = Some((at + 600_000, value));
            }
        }
    }
}

#[derive(SessionSchema)]
struct Timed {
    #[session(ttl = "10m")]
    code: Option<u32>,
    kept: u32,
}

/// One request through the layer; the cookie that it sets.
fn request<S: SessionSchema>(
    layer: &SessionLayer,
    cookie: Option<&str>,
    handler: impl FnOnce(&mut S::Session) + Clone,
) -> Result<Option<String>, TestCaseError> {
    let service = layer.layer(service_fn(|request: http::Request<()>| {
        let handler = handler.clone();
        async move {
            let (parts, ()) = request.into_parts();
            let mut session = session_of::<S>(&parts.extensions, &parts.headers).await.unwrap();
            handler(&mut session);
            drop(session);
            Ok::<_, Infallible>(http::Response::new(String::new()))
        }
    }));
    let mut request = http::Request::post("/");
    if let Some(cookie) = cookie {
        request = request.header("cookie", format!("__Host-session={cookie}"));
    }
    answer(service.oneshot(request.body(()).unwrap()))
}

fn answer(
    response: impl Future<Output = Result<http::Response<String>, Infallible>>,
) -> Result<Option<String>, TestCaseError> {
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(response)) = std::pin::pin!(response).poll(&mut context) else {
        return Err(TestCaseError::fail("the memory store answers at once"));
    };
    let value = |text: &str| text.split(';').next().unwrap().split_once('=').unwrap().1.to_owned();
    Ok(response.headers().get("set-cookie").map(|it| value(it.to_str().unwrap())))
}
