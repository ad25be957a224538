//! Arbitrary input, where input comes from outside: each target runs for a second, or for
//! as long as `BOLERO_RANDOM_TEST_TIME_MS` says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bolero::check;
use http::{HeaderMap, HeaderValue, header};

use crate::clock::Timestamp;
use crate::cookie::{Presented, presented};
use crate::id::SessionId;
use crate::record::form::{self, Entry};
use crate::record::patch::{Add, Expect, FieldOp, Gone, Lifetime, Op, Outcome, Patch};
use crate::record::{Applying, Fields, Meta, Principal, Record};
use crate::token::{SecretHash, SessionToken};

const NAME: &str = "__Host-session";

fn token(number: u8) -> SessionToken {
    SessionToken::of(SessionId::from_bytes([number; 16]), [number ^ 0xa5; 16])
}

/// Every token that is found stands in a header exactly as it is written.
#[test]
fn cookie_headers() {
    check!().with_type::<Vec<(u8, Vec<u8>)>>().for_each(|pieces| {
        let mut headers = vec![Vec::new()];
        for (kind, bytes) in pieces {
            let number = bytes.first().copied().unwrap_or_default() % 4;
            let value = token(number).expose();
            let piece = match kind % 12 {
                0 => bytes.clone(),
                1 => format!("{NAME}={value}").into_bytes(),
                2 => format!("; {NAME}={value}; ").into_bytes(),
                3 => format!("{NAME}=\"{value}\"").into_bytes(),
                4 => NAME.as_bytes().to_vec(),
                5 => value.as_bytes()[..usize::from(number) * 11].to_vec(),
                6 => b";".to_vec(),
                7 => b"=".to_vec(),
                8 => b"\xff\xfe".to_vec(),
                9 => "\u{a0}\u{2000}".as_bytes().to_vec(),
                10 => b"\t \"".to_vec(),
                _ => {
                    headers.push(Vec::new());
                    continue;
                }
            };
            headers.last_mut().unwrap().extend(piece);
        }
        let mut map = HeaderMap::new();
        for header in &headers {
            if let Ok(value) = HeaderValue::from_bytes(header) {
                map.append(header::COOKIE, value);
            }
        }
        let found = match presented(&map, NAME, SessionToken::parse) {
            Presented::Nothing | Presented::TooMany => Vec::new(),
            Presented::One(token) => vec![token],
            Presented::Several(tokens) => tokens,
        };
        for (at, token) in found.iter().enumerate() {
            let text = token.expose();
            let holds = |header: &[u8]| header.windows(43).any(|it| it == text.as_bytes());
            assert!(map.values().any(|value| holds(value.as_bytes())), "{text}");
            assert!(!found[..at].contains(token), "twice");
        }
        assert!(found.len() <= 3);
        assert!(crate::cookie::values(&map, NAME).count() <= 3);
    });
}

/// What parses as a token is its only form.
#[test]
fn texts_of_tokens() {
    #[cfg(feature = "keys")]
    let ring = crate::keys::KeyRing::from_bytes(&crate::keys::strong(1)).unwrap();
    check!().with_type::<(bool, Vec<u8>, Vec<(u8, u8)>)>().for_each(|(own, bytes, edits)| {
        let mut text = if *own { token(7).expose().into_bytes() } else { bytes.clone() };
        for (at, byte) in edits {
            if let Some(place) = text.get_mut(usize::from(*at)) {
                *place = *byte;
            }
        }
        let text = String::from_utf8_lossy(&text);
        if let Some(token) = SessionToken::parse(&text) {
            assert_eq!(token.expose(), text);
        }
        #[cfg(feature = "keys")]
        {
            let realm = crate::realm::Realm::default();
            let signed = ring.sign(&realm, &token(7));
            let (front, back) = signed.split_at(usize::from(bytes.len() as u8) % 66);
            for text in [&*text, &format!("{front}{text}{back}"), &format!("{text}{back}")] {
                let verified = ring.verify(&realm, text);
                assert!(verified.is_none() || text == signed, "{text}");
            }
        }
    });
}

/// A sealed value opens where it was sealed, and nothing else does.
#[cfg(feature = "keys")]
#[test]
fn sealed_values() {
    use crate::keys::{Form, Home, KeyRing, Keys, is_locked};

    let keys = Keys {
        ring: Some(KeyRing::from_bytes(&crate::keys::strong(1)).unwrap()),
        ..Keys::default()
    };
    let realm = crate::realm::Realm::default();
    let home = Home { realm: &realm, session: SessionId::from_bytes([1; 16]) };
    check!().with_type::<(Vec<u8>, Vec<(u16, u8)>, bool, u8)>().for_each(
        |(plain, edits, expiring, cut)| {
            let form = if *expiring { Form::Expiring } else { Form::Plain };
            let json = serde_json::to_vec(plain).unwrap();
            let sealed = keys.seal(form, home, "name", &json).unwrap().unwrap();
            assert_eq!(keys.open(form, home, "name", &sealed).value, json);
            let mut changed = sealed.clone();
            for (at, change) in edits {
                let at = usize::from(*at) % changed.len();
                changed[at] ^= change;
            }
            changed.truncate(changed.len() - usize::from(*cut) % changed.len());
            for stored in [&changed, plain] {
                let opened = keys.open(form, home, "name", stored);
                assert!(is_locked(&opened.value) || *stored == sealed, "{stored:?}");
            }
        },
    );
}

/// Bytes that a store gives back are read or refused, and what is read is written again
/// as something that means the same.
#[test]
fn stored_forms() {
    let id = SessionId::from_bytes([9; 16]);
    let lifetime = Lifetime { idle: Some(Duration::from_secs(60)), absolute: None, remember: true };
    let mut meta = Meta::new(SecretHash::from_bytes([3; 32]), Timestamp::from_millis(5), lifetime);
    meta.principal = Some(Principal::new("staff", "\"zoë\""));
    meta.versions.set("staff", 3);
    let fields = [("a", "1"), ("flows::x", "{\"b\":[]}"), ("", "null")].into_iter().collect();
    let record = Record::new(id, meta, fields);
    let (one, two) = (form::whole(&record, 7).unwrap(), form::apart(&record, 7).unwrap());
    let form::Base::New(base) = two.base else { panic!("a new base") };
    check!().with_type::<(u8, Vec<u8>, Vec<(u16, u8)>, Vec<u8>, u8)>().for_each(
        |(kind, bytes, edits, more, cut)| {
            let mut value = match kind % 3 {
                0 => one.value.clone(),
                1 => two.value.clone(),
                _ => bytes.clone(),
            };
            let mut base = base.clone();
            for (at, change) in edits {
                let of = if at % 2 == 0 { &mut value } else { &mut base };
                let length = of.len().max(1);
                if let Some(byte) = of.get_mut(usize::from(at / 2) % length) {
                    // Digits stay digits often enough.
                    *byte = if change % 2 == 0 { b'0' + change / 2 % 10 } else { *change };
                }
            }
            value.extend(more);
            value.truncate(value.len() - usize::from(*cut) % (value.len() + 1));
            for base in [None, Some(&base[..])] {
                let Ok(Entry::Record(read)) = form::decode(id, &value, base) else { continue };
                let Ok(again) = form::whole(&read, 1) else { continue };
                let Ok(Entry::Record(reread)) = form::decode(id, &again.value, None) else {
                    panic!("what was read and written is not read")
                };
                assert_eq!(read, reread);
            }
        },
    );
}

/// What a patch does, beside a plain map: a refused one leaves no trace, the revision grows
/// by one, the epoch with a new secret only, and fields that it does not name keep their
/// bytes.
#[test]
fn patches() {
    const NAMES: [&str; 5] = ["", "a", "b", "flows::x", "flows::y"];
    type Ops = Vec<(u8, u8, i64)>;
    check!().with_type::<Vec<(u8, u8, Ops)>>().for_each(|patches| {
        let lifetime = Lifetime { idle: None, absolute: None, remember: false };
        let now = Timestamp::from_millis(1_000);
        let meta = Meta::new(SecretHash::from_bytes([0; 32]), now, lifetime);
        let id = SessionId::from_bytes([1; 16]);
        let mut record = Arc::new(Record::new(id, meta, Fields::new()));
        let mut model: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for (flags, expected, ops) in patches {
            let mut next = model.clone();
            let (mut patch, mut refused, mut named) = (Patch::new(), false, Vec::new());
            for (name, kind, number) in ops {
                let name = NAMES[usize::from(*name) % NAMES.len()];
                if named.contains(&name) {
                    continue;
                }
                named.push(name);
                let stored = model.get(name);
                let value = vec![b'"'; *number as u8 as usize];
                let op = match kind % 6 {
                    0 => Op::set(value),
                    1 => Op::set(number.to_string()),
                    2 => Op::Remove,
                    3 => {
                        Op::remove_if(stored.filter(|_| number % 2 == 0).cloned().unwrap_or(value))
                    }
                    4 => Op::Add(Add::signed(*number, 0)),
                    _ => Op::Take,
                };
                match &op {
                    Op::Set(value) => drop(next.insert(name, value.to_vec())),
                    Op::Remove | Op::Take => drop(next.remove(name)),
                    Op::RemoveIf(seen) if stored.is_some_and(|it| **it == **seen) => {
                        drop(next.remove(name))
                    }
                    Op::RemoveIf(_) => {}
                    Op::Add(add) => match add.sum(name, stored.map(Vec::as_slice)) {
                        Ok(sum) => drop(next.insert(name, sum.to_string().into_bytes())),
                        Err(_) => refused = true,
                    },
                }
                patch.ops.push(FieldOp::new(name, op));
            }
            let renews = flags & 1 > 0;
            patch.meta.renew = renews.then(|| SecretHash::from_bytes([*flags; 32]));
            patch.meta.authenticated = flags & 2 > 0;
            patch.meta.principal = (flags & 4 > 0).then(|| Some(Principal::new("", "1")));
            let (epoch, rev) = (record.meta.epoch, record.meta.rev);
            let other_epoch = flags & 0b1100_0000 == 0b1100_0000;
            let mut meets = true;
            match expected % 4 {
                0 => patch.expect.push(Expect::Rev(rev)),
                1 => {
                    let name = NAMES[usize::from(*expected) % NAMES.len()];
                    let value = model.get(name).cloned();
                    meets = expected & 64 == 0;
                    let value = if meets { value } else { Some(b"other".to_vec()) };
                    patch.expect.push(Expect::Field { name: name.into(), value });
                }
                2 if expected & 64 > 0 => {
                    meets = false;
                    patch.expect.push(Expect::Rev(rev + 1));
                }
                _ => {}
            }
            let before = Record::clone(&record);
            let answer = record.apply(epoch + u64::from(other_epoch), &patch, now);
            assert_eq!(*record, before, "a patch changes what it makes, and not what it is of");
            match answer {
                Applying::Stored(after, applied) => {
                    assert!(!other_epoch && meets && !refused);
                    assert_eq!((after.meta.rev, applied.rev), (rev + 1, rev + 1));
                    assert_eq!(after.meta.epoch, epoch + u64::from(renews));
                    assert_eq!((applied.epoch, applied.repeated), (after.meta.epoch, false));
                    let takes = |op: &&FieldOp| op.op == Op::Take;
                    let taken = patch.ops.iter().filter(takes).map(|op| model.get(&*op.name));
                    assert!(applied.taken.iter().map(|it| it.value.as_ref()).eq(taken));
                    let again = after.apply(epoch, &patch, now);
                    let Applying::Answer(Outcome::Applied(again)) = again else { panic!() };
                    assert!(again.repeated && again.taken.is_empty(), "it is handed out once");
                    (record, model) = (after, next);
                }
                Applying::Answer(Outcome::Gone(Gone::Superseded)) => assert!(other_epoch),
                Applying::Answer(Outcome::Conflict(conflict)) => {
                    assert!(!other_epoch && !meets);
                    assert_eq!(*conflict.current, before);
                }
                Applying::Answer(Outcome::Refused(_)) => assert!(!other_epoch && meets && refused),
                Applying::Answer(other) => panic!("{other:?}"),
            }
            let stored = record.fields.iter().map(|(name, value)| (name, value.to_vec()));
            assert_eq!(stored.collect::<BTreeMap<_, _>>(), model);
        }
    });
}

/// Whatever stands in a configuration, it is read, nothing panics, and no error holds what
/// stands where secrets do.
#[cfg(feature = "config")]
#[test]
fn configurations() {
    use serde_json::{Value, json};

    use crate::settings::SessionConfig;
    use crate::store::MemoryStore;

    const SECRET: &str = "hunter2-hunter2";
    const NAMES: [&str; 27] = [
        "prefix",
        "limits",
        "limits.field",
        "limits.record",
        "cookie",
        "cookie.name",
        "cookie.prefix",
        "cookie.path",
        "cookie.domain",
        "cookie.same_site",
        "cookie.partitioned",
        "realm",
        "accept_realm",
        "idle_timeout",
        "absolute_timeout",
        "renew_after",
        "max_sessions",
        "at_limit",
        "conflict_timeout",
        "store_timeout",
        "exclude",
        "conflict_on_lost_changes",
        "login_redirect",
        "sign_tokens",
        "accept_unsigned_tokens",
        "insecure_for_development",
        "stoer",
    ];
    let value = |kind: u8, number: i64, text: &str| match kind % 14 {
        0 => Value::Null,
        1 => json!(number % 2 == 0),
        2 => json!(number),
        3 => json!(number as u64),
        4 => json!(f64::from_bits(number as u64)),
        5 => json!(text),
        6 => json!([text, number, [text]]),
        7 => json!({ text: number }),
        8 => json!(format!("{number}s")),
        9 => json!(format!("{}d {number}ms", number as u64)),
        10 => json!("none"),
        11 => json!(["strict", "host", "reject", "/", "yes"][number as u8 as usize % 5]),
        12 => json!(format!("/{text}")),
        _ => json!(SECRET),
    };
    let secrets = [json!(SECRET), json!([SECRET, 1]), json!({ "x": SECRET }), json!([[SECRET]])];
    check!().with_type::<(u8, Vec<(u8, u8, i64, String)>)>().for_each(|(shape, entries)| {
        let mut config = json!({
            "store": secrets[usize::from(shape % 4)],
            "keys": secrets[usize::from(shape / 4 % 4)],
        });
        for (name, kind, number, text) in entries {
            let name = NAMES[usize::from(*name) % NAMES.len()];
            let value = value(*kind, *number, text);
            match name.split_once('.') {
                Some((section, name)) if config[section].is_object() => {
                    config[section][name] = value;
                }
                Some((section, name)) => config[section] = json!({ name: value }),
                None => config[name] = value,
            }
        }
        let read: SessionConfig = serde_json::from_value(config.clone()).unwrap();
        let mut told = String::new();
        if let Err(error) = read.check() {
            told.push_str(&format!("{error} {error:?}"));
        }
        match read.layer_on(MemoryStore::new()) {
            Ok(layer) => drop(format!("{layer:?} {read:?}")),
            Err(error) => told.push_str(&format!("{error} {error:?}")),
        }
        assert!(!told.contains(SECRET), "{config}: {told}");
    });
}
