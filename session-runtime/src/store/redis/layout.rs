//! A record as a hash: fields of the user under their own names, the record's
//! own data under names that start with `@`.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redis::Value;
use sha2::{Digest, Sha256};

use super::failure::Failure;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::realm::Realm;
use crate::record::{
    Meta, PatchLog, Principal, PrincipalHash, Record, Renewal, RetiredSecret, RetiredSecrets,
    Rotation, Versions,
};
use crate::token::{PatchId, RotationNonce, SecretHash};

/// In front of the name of a schema's namespace: the version of its fields.
const VERSION: &str = "@v:";

pub(super) fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn secret(hash: &SecretHash) -> String {
    base64(hash.as_bytes())
}

pub(super) fn session_key(prefix: &str, id: SessionId) -> String {
    let mut text = [0; SessionId::TEXT];
    [prefix, id.encode(&mut text)].concat()
}

/// Holds nothing personal, and is of one length.
pub(super) fn index_key(prefix: &str, principal: &Principal) -> String {
    format!("{prefix}p:{}", base64(&Sha256::digest(principal.as_str().as_bytes())))
}

/// The name of a user's field in the hash.
fn stored_name(name: &str) -> Cow<'_, str> {
    if name.starts_with('@') { format!("@{name}").into() } else { name.into() }
}

pub(super) fn renewal_text(rotation: &Rotation) -> String {
    format!("{} {}", secret(&rotation.next), base64(&rotation.nonce.0))
}

fn retired_text(old: &RetiredSecret) -> String {
    format!("{} {}", secret(&old.secret), old.at.as_millis())
}

/// The names and values of a record.
pub(super) fn hash(record: &Record) -> Vec<(Cow<'_, str>, Cow<'_, [u8]>)> {
    let meta = &record.meta;
    let mut all: Vec<(Cow<'_, str>, Cow<'_, [u8]>)> = Vec::with_capacity(32);
    let mut put = |name: &'static str, value: Option<String>| {
        if let Some(value) = value {
            all.push((name.into(), value.into_bytes().into()));
        }
    };
    let time = |at: Timestamp| Some(at.as_millis().to_string());
    let joined = |parts: Vec<String>| Some(parts.join(",")).filter(|text| !text.is_empty());
    put("@secret", Some(secret(&meta.secret)));
    put("@since", time(meta.secret_since));
    put("@next", meta.renewal.pending().map(renewal_text));
    put("@previous", meta.renewal.previous().map(retired_text));
    put("@epoch", Some(meta.epoch.to_string()));
    put("@rev", Some(meta.rev.to_string()));
    put("@created", time(meta.created));
    put("@seen", time(meta.last_seen));
    put("@authenticated", meta.authenticated.and_then(time));
    put("@idle", meta.idle.map(|it| it.to_string()));
    put("@absolute", meta.absolute.and_then(time));
    put("@remember", meta.remember.map(|it| it.to_string()));
    put("@principal", meta.principal.as_ref().map(|it| it.as_str().to_owned()));
    let realm = Some(meta.realm.as_str()).filter(|_| !meta.realm.is_default());
    put("@realm", realm.map(str::to_owned));
    // Of the present one, too: it is the last one as soon as they sign out.
    put("@last", meta.principal_or_last().map(|it| base64(it.as_bytes())));
    let patches: Vec<_> = meta.patches.iter().map(|id| id.as_u64().to_string()).collect();
    put("@patches", Some(patches.join(",")));
    put("@retired", joined(meta.retired.iter().map(retired_text).collect()));
    put("@bytes", Some(record.fields.byte_len().to_string()));
    for (namespace, version) in meta.versions.iter() {
        let name = format!("{VERSION}{namespace}");
        all.push((name.into(), version.to_string().into_bytes().into()));
    }
    for (name, value) in record.fields.iter() {
        all.push((stored_name(name), value.into()));
    }
    all
}

/// Reads what [`hash`] wrote, as `HGETALL` answers it.
pub(super) fn record(id: SessionId, flat: &[Value]) -> Result<Record, Failure> {
    let mut own = Own::default();
    let mut fields: Vec<(&str, &[u8])> = Vec::with_capacity(flat.len() / 2);
    let (pairs, []) = flat.as_chunks::<2>() else { return Err(Failure::corrupt("record")) };
    for [name, value] in pairs {
        let (Value::BulkString(name), Value::BulkString(value)) = (name, value) else {
            return Err(Failure::corrupt("record"));
        };
        let name = std::str::from_utf8(name).map_err(|_| Failure::corrupt("field name"))?;
        match name.strip_prefix('@') {
            None => fields.push((name, value)),
            Some(user) if user.starts_with('@') => fields.push((user, value)),
            Some(_) if value.is_empty() => {}
            Some(_) => {
                let value = std::str::from_utf8(value).map_err(|_| Failure::corrupt("record"))?;
                own.take(name, value).ok_or_else(|| Failure::corrupt(name))?;
            }
        }
    }
    let meta = own.meta().ok_or_else(|| Failure::corrupt("record"))?;
    Ok(Record::new(id, meta, fields.into_iter().collect()))
}

/// The record's own data while it is read.
#[derive(Default)]
struct Own {
    secret: Option<SecretHash>,
    since: Option<Timestamp>,
    pending: Option<Rotation>,
    previous: Option<RetiredSecret>,
    epoch: Option<u64>,
    rev: Option<u64>,
    created: Option<Timestamp>,
    seen: Option<Timestamp>,
    authenticated: Option<Timestamp>,
    idle: Option<u64>,
    absolute: Option<Timestamp>,
    remember: Option<u64>,
    principal: Option<Principal>,
    realm: Realm,
    last: Option<PrincipalHash>,
    patches: PatchLog,
    retired: RetiredSecrets,
    versions: Vec<(String, u32)>,
}

impl Own {
    /// `None` if `value` is not what belongs under `name`.
    fn take(&mut self, name: &str, value: &str) -> Option<()> {
        let number = || value.parse::<u64>().ok();
        let time = || number().map(Timestamp::from_millis);
        match name {
            "@secret" => self.secret = Some(read_secret(value)?),
            "@since" => self.since = Some(time()?),
            "@next" => {
                let (next, nonce) = value.split_once(' ')?;
                let nonce = RotationNonce(read_base64(nonce)?);
                self.pending = Some(Rotation { nonce, next: read_secret(next)? });
            }
            "@previous" => self.previous = Some(read_retired(value)?),
            "@epoch" => self.epoch = Some(number()?),
            "@rev" => self.rev = Some(number()?),
            "@created" => self.created = Some(time()?),
            "@seen" => self.seen = Some(time()?),
            "@authenticated" => self.authenticated = Some(time()?),
            "@idle" => self.idle = Some(number()?),
            "@absolute" => self.absolute = Some(time()?),
            "@remember" => self.remember = Some(number()?),
            "@principal" => self.principal = Some(Principal::from_stored(value)),
            "@realm" => self.realm = Realm::new(value).ok()?,
            "@last" => self.last = Some(PrincipalHash::from_bytes(read_base64(value)?)),
            "@patches" => {
                let ids = value.split(',').map(|id| id.parse().ok().map(PatchId::from_u64));
                self.patches = ids.collect::<Option<Vec<_>>>()?.into_iter().collect();
            }
            "@retired" => {
                let all = value.split(',').map(read_retired);
                self.retired = all.collect::<Option<Vec<_>>>()?.into_iter().collect();
            }
            _ => {
                // What a later version of this store adds is no error.
                if let Some(namespace) = name.strip_prefix(VERSION) {
                    self.versions.push((namespace.to_owned(), value.parse().ok()?));
                }
            }
        }
        Some(())
    }

    fn meta(self) -> Option<Meta> {
        let last = self.last.filter(|_| self.principal.is_none());
        Some(Meta {
            realm: self.realm,
            last_principal: last.map(Arc::new),
            secret: self.secret?,
            secret_since: self.since?,
            renewal: Renewal::new(self.pending, self.previous),
            epoch: self.epoch?,
            rev: self.rev?,
            created: self.created?,
            last_seen: self.seen?,
            authenticated: self.authenticated,
            idle: self.idle,
            absolute: self.absolute,
            remember: self.remember,
            principal: self.principal,
            patches: self.patches,
            retired: self.retired,
            versions: self.versions.into_iter().collect::<Versions>(),
        })
    }
}

pub(super) fn read_base64<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

fn read_secret(text: &str) -> Option<SecretHash> {
    read_base64(text).map(SecretHash::from_bytes)
}

fn read_retired(text: &str) -> Option<RetiredSecret> {
    let (secret, at) = text.split_once(' ')?;
    Some(RetiredSecret {
        secret: read_secret(secret)?,
        at: Timestamp::from_millis(at.parse().ok()?),
    })
}
