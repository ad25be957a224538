//! A record as one piece of bytes, for stores that keep nothing smaller.
//!
//! The bytes are a JSON object. Times are milliseconds since 1970, lengths of
//! time milliseconds; secrets (their SHA-256 hashes) and nonces are URL-safe
//! base64 without padding. What has no value is left out.
//!
//! | name | meaning |
//! |---|---|
//! | `v` | version of this form: 1 |
//! | `id` | the session's id |
//! | `secret`, `secret_since` | the present secret, and since when it is that |
//! | `pending` | `{"next", "nonce"}`: a renewal by age that was not confirmed yet |
//! | `previous` | `{"secret", "at"}`: the secret before, and when it was replaced |
//! | `retired` | `[{"secret", "at"}, …]`: what changes of privilege replaced lately, oldest first |
//! | `epoch`, `rev` | grow with privilege, and with every data change |
//! | `created`, `last_seen`, `authenticated` | times |
//! | `idle`, `absolute`, `remember` | idle timeout, end whatever happens, how long to remember |
//! | `principal` | `namespace:json` |
//! | `patches` | ids of the last patches, oldest first |
//! | `versions` | namespace → schema version, where that is not 1 |
//! | `fields` | stored name → its JSON, as a string: the same bytes come back |
//! | `bytes` | stored name → base64 of a value that is not UTF-8, which no codec of ours writes |
//!
//! Whoever adds to it raises `v`. A version that is not known is an error, so
//! that nobody who knows less writes it back with less in it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::{
    Fields, Meta, PatchLog, Principal, Record, Renewal, RetiredSecret, RetiredSecrets, Rotation,
    RotationNonce, Versions,
};
use crate::clock::Timestamp;
use crate::token::{PatchId, SecretHash};

const VERSION: u64 = 1;

/// Bytes that are no record of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidRecord {
    /// Written by a newer release, in this version of the form.
    Newer(u64),
    /// This part is missing or is something else.
    Malformed(&'static str),
}

impl fmt::Display for InvalidRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(version) => write!(
                f,
                "a stored session has form {version}, this program knows form {VERSION}; \
                 run the newer program"
            ),
            Self::Malformed(part) => write!(f, "the `{part}` of a stored session cannot be read"),
        }
    }
}

impl std::error::Error for InvalidRecord {}

/// The record as bytes.
pub(crate) fn encode(record: &Record) -> Vec<u8> {
    let meta = &record.meta;
    let mut all = Map::new();
    let mut put = |name: &str, value: Value| drop(all.insert(name.to_owned(), value));
    put("v", VERSION.into());
    put("id", record.id.to_string().into());
    put("secret", secret(&meta.secret));
    put("secret_since", time(meta.secret_since));
    if let Some(Rotation { nonce, next }) = meta.renewal.pending() {
        put("pending", json!({ "next": secret(next), "nonce": base64(&nonce.0) }));
    }
    if let Some(previous) = meta.renewal.previous() {
        put("previous", retired(previous));
    }
    put("epoch", meta.epoch.into());
    put("rev", meta.rev.into());
    put("created", time(meta.created));
    put("last_seen", time(meta.last_seen));
    let optional = [
        ("authenticated", meta.authenticated.map(Timestamp::as_millis)),
        ("idle", meta.idle),
        ("absolute", meta.absolute.map(Timestamp::as_millis)),
        ("remember", meta.remember),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            put(name, value.into());
        }
    }
    if let Some(principal) = &meta.principal {
        put("principal", principal.as_str().into());
    }
    put("patches", meta.patches.iter().map(PatchId::as_u64).collect());
    put("retired", meta.retired.iter().map(retired).collect());
    put(
        "versions",
        meta.versions.iter().map(|(name, v)| (name.to_owned(), Value::from(v))).collect(),
    );
    let (mut fields, mut bytes) = (Map::new(), Map::new());
    for (name, value) in record.fields.iter() {
        match std::str::from_utf8(value) {
            Ok(text) => fields.insert(name.to_owned(), text.into()),
            Err(_) => bytes.insert(name.to_owned(), base64(value)),
        };
    }
    put("fields", fields.into());
    if !bytes.is_empty() {
        put("bytes", bytes.into());
    }
    Value::Object(all).to_string().into_bytes()
}

/// Reads [`encode`]d bytes.
///
/// # Errors
///
/// If they are something else, or of a newer form.
pub(crate) fn decode(bytes: &[u8]) -> Result<Record, InvalidRecord> {
    let value: Value = serde_json::from_slice(bytes).map_err(|_| Malformed("JSON"))?;
    let all = Part { map: value.as_object().ok_or(Malformed("JSON"))? };
    match all.number("v")? {
        VERSION => {}
        version => return Err(InvalidRecord::Newer(version)),
    }
    let optional = |name| all.map.get(name).map(|_| all.number(name)).transpose();
    let pending = |part: Part<'_>| -> Result<Rotation, InvalidRecord> {
        Ok(Rotation { nonce: RotationNonce(part.fixed("nonce")?), next: part.secret("next")? })
    };
    let pending = all.part("pending")?.map(pending).transpose()?;
    let previous = all.part("previous")?.map(|part| part.retired()).transpose()?;
    let patch = |id: &Value| id.as_u64().map(PatchId::from_u64).ok_or(Malformed("patches"));
    let retired = |old: &Value| match old.as_object() {
        Some(map) => Part { map }.retired(),
        None => Err(Malformed("retired")),
    };
    let version = |(name, version): (&String, &Value)| match version.as_u64().map(u32::try_from) {
        Some(Ok(version)) => Ok((name.clone(), version)),
        _ => Err(Malformed("versions")),
    };
    let none = Map::new();
    let meta = Meta {
        secret: all.secret("secret")?,
        secret_since: all.time("secret_since")?,
        renewal: Renewal::new(pending, previous),
        epoch: all.number("epoch")?,
        rev: all.number("rev")?,
        created: all.time("created")?,
        last_seen: all.time("last_seen")?,
        authenticated: optional("authenticated")?.map(Timestamp::from_millis),
        idle: optional("idle")?,
        absolute: optional("absolute")?.map(Timestamp::from_millis),
        remember: optional("remember")?,
        principal: match all.map.get("principal") {
            None => None,
            Some(text) => {
                Some(Principal::from_stored(text.as_str().ok_or(Malformed("principal"))?))
            }
        },
        patches: all.list("patches")?.iter().map(patch).collect::<Result<PatchLog, _>>()?,
        retired: all.list("retired")?.iter().map(retired).collect::<Result<RetiredSecrets, _>>()?,
        versions: {
            let all = all.part("versions")?.map_or(&none, |part| part.map);
            all.iter().map(version).collect::<Result<Versions, _>>()?
        },
    };
    let id = all.text("id")?.parse().map_err(|_| Malformed("id"))?;
    Ok(Record { id, meta, fields: fields(&all)? })
}

fn fields(all: &Part<'_>) -> Result<Fields, InvalidRecord> {
    let mut fields = Vec::new();
    for (name, value) in all.part("fields")?.ok_or(Malformed("fields"))?.map {
        let text = value.as_str().ok_or(Malformed("fields"))?;
        fields.push((name, text.as_bytes().to_vec()));
    }
    if let Some(part) = all.part("bytes")? {
        for (name, value) in part.map {
            let bytes = value.as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
            fields.push((name, bytes.ok_or(Malformed("bytes"))?));
        }
    }
    Ok(fields.into_iter().collect())
}

use InvalidRecord::Malformed;

fn base64(bytes: &[u8]) -> Value {
    URL_SAFE_NO_PAD.encode(bytes).into()
}

fn secret(secret: &SecretHash) -> Value {
    base64(secret.as_bytes())
}

fn time(time: Timestamp) -> Value {
    time.as_millis().into()
}

fn retired(old: &RetiredSecret) -> Value {
    json!({ "secret": secret(&old.secret), "at": time(old.at) })
}

/// An object, and short ways to read it.
struct Part<'v> {
    map: &'v Map<String, Value>,
}

impl<'v> Part<'v> {
    fn number(&self, name: &'static str) -> Result<u64, InvalidRecord> {
        self.map.get(name).and_then(Value::as_u64).ok_or(Malformed(name))
    }

    fn time(&self, name: &'static str) -> Result<Timestamp, InvalidRecord> {
        self.number(name).map(Timestamp::from_millis)
    }

    fn text(&self, name: &'static str) -> Result<&'v str, InvalidRecord> {
        self.map.get(name).and_then(Value::as_str).ok_or(Malformed(name))
    }

    fn list(&self, name: &'static str) -> Result<&'v [Value], InvalidRecord> {
        self.map.get(name).and_then(Value::as_array).map(Vec::as_slice).ok_or(Malformed(name))
    }

    fn part(&self, name: &'static str) -> Result<Option<Self>, InvalidRecord> {
        let Some(value) = self.map.get(name) else { return Ok(None) };
        value.as_object().map(|map| Some(Self { map })).ok_or(Malformed(name))
    }

    fn fixed<const N: usize>(&self, name: &'static str) -> Result<[u8; N], InvalidRecord> {
        let bytes = URL_SAFE_NO_PAD.decode(self.text(name)?).map_err(|_| Malformed(name))?;
        bytes.try_into().map_err(|_| Malformed(name))
    }

    fn secret(&self, name: &'static str) -> Result<SecretHash, InvalidRecord> {
        self.fixed(name).map(SecretHash::from_bytes)
    }

    fn retired(&self) -> Result<RetiredSecret, InvalidRecord> {
        Ok(RetiredSecret { secret: self.secret("secret")?, at: self.time("at")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SessionId;
    use crate::patch::Lifetime;

    fn hash(byte: u8) -> SecretHash {
        SecretHash::from_bytes([byte; 32])
    }

    fn full() -> Record {
        let lifetime = Lifetime { idle: None, absolute: None, remember: false };
        let mut meta = Meta::new(hash(1), Timestamp::from_millis(1_000), lifetime);
        (meta.epoch, meta.rev) = (2, u64::MAX);
        meta.secret_since = Timestamp::from_millis(1_500);
        let old = |byte, at| RetiredSecret { secret: hash(byte), at: Timestamp::from_millis(at) };
        let pending = Rotation { nonce: RotationNonce([3; 16]), next: hash(2) };
        meta.renewal = Renewal::new(Some(pending), Some(old(4, 1_500)));
        meta.retired = [old(5, 1_200)].into_iter().collect();
        meta.authenticated = Some(Timestamp::from_millis(1_100));
        (meta.idle, meta.remember) = (Some(60_000), Some(90_000));
        meta.absolute = Some(Timestamp::from_millis(99_000));
        meta.principal = Some(Principal::new("shop", "\"Zoë\""));
        meta.patches = [7, u64::MAX].map(PatchId::from_u64).into_iter().collect();
        meta.versions = [("", 3), ("admin", 2)].into_iter().collect();
        let fields: [(&str, &[u8]); 4] = [
            ("a", b"1e3"),
            ("", b" {\"b\":1, \"a\":\"\\u0000\"}"),
            ("\u{fc}", b""),
            ("x", b"\xff"),
        ];
        Record { id: SessionId::from_bytes([9; 16]), meta, fields: fields.into_iter().collect() }
    }

    const GOLDEN: &str = r#"{"absolute":99000,"authenticated":1100,"bytes":{"x":"_w"},"created":1000,"epoch":2,"fields":{"":" {\"b\":1, \"a\":\"\\u0000\"}","a":"1e3","ü":""},"id":"CQkJCQkJCQkJCQkJCQkJCQ","idle":60000,"last_seen":1000,"patches":[7,18446744073709551615],"pending":{"next":"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI","nonce":"AwMDAwMDAwMDAwMDAwMDAw"},"previous":{"at":1500,"secret":"BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ"},"principal":"shop:\"Zoë\"","remember":90000,"retired":[{"at":1200,"secret":"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU"}],"rev":18446744073709551615,"secret":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE","secret_since":1500,"v":1,"versions":{"":3,"admin":2}}"#;

    #[test]
    fn a_record_comes_back_exactly_and_its_form_stays() {
        let full = full();
        let bytes = encode(&full);
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), GOLDEN);
        assert_eq!(decode(&bytes).as_ref(), Ok(&full));
        let lifetime = Lifetime { idle: None, absolute: None, remember: false };
        let bare = Record {
            meta: Meta::new(hash(1), Timestamp::default(), lifetime),
            fields: Fields::new(),
            ..full
        };
        assert_eq!(decode(&encode(&bare)), Ok(bare));
    }

    #[test]
    fn a_newer_form_is_told_from_garbage() {
        let newer = GOLDEN.replace("\"v\":1", "\"v\":2,\"more\":[]");
        assert_eq!(decode(newer.as_bytes()), Err(InvalidRecord::Newer(2)));
        for (bytes, part) in [
            ("", "JSON"),
            ("[]", "JSON"),
            ("{}", "v"),
            (&GOLDEN.replace("\"epoch\":2", "\"epoch\":-2"), "epoch"),
            (&GOLDEN.replace("\"a\":\"1e3\"", "\"a\":1e3"), "fields"),
            (&GOLDEN.replace("AwMDAwMDAwMDAwMDAwMDAw", "AwMD"), "nonce"),
            (&GOLDEN.replace("\"idle\":60000", "\"idle\":\"\""), "idle"),
        ] {
            assert_eq!(decode(bytes.as_bytes()), Err(Malformed(part)), "{bytes:.40}");
        }
    }
}
