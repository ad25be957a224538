//! Lists of a record's own data in one column each, the same in every store
//! that has columns.
//!
//! - patch log: 8 bytes an id, little-endian, oldest first
//! - replaced secrets: 32 bytes of hash and 8 of milliseconds each,
//!   little-endian, oldest first
//! - schema versions: a JSON object, namespace → version

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::record::Versions;
use crate::record::{PatchLog, RetiredSecret, RetiredSecrets};
use crate::token::{PatchId, SecretHash};

const PATCH_ID: usize = 8;
const SECRET: usize = 32;
const RETIRED: usize = SECRET + 8;

/// `None` if these are no such bytes.
pub(super) fn patches(bytes: &[u8]) -> Option<PatchLog> {
    let (ids, []) = bytes.as_chunks::<PATCH_ID>() else { return None };
    Some(ids.iter().map(|id| PatchId::from_u64(u64::from_le_bytes(*id))).collect())
}

/// What [`patches`] reads back.
pub(super) fn patches_bytes(log: &PatchLog) -> Vec<u8> {
    log.iter().flat_map(|id| id.as_u64().to_le_bytes()).collect()
}

/// `None` if these are no such bytes.
pub(super) fn retired(bytes: &[u8]) -> Option<RetiredSecrets> {
    let (secrets, []) = bytes.as_chunks::<RETIRED>() else { return None };
    let secret = |entry: &[u8; RETIRED]| {
        let (hash, at) = entry.split_first_chunk::<SECRET>()?;
        let at = Timestamp::from_millis(u64::from_le_bytes(at.try_into().ok()?));
        Some(RetiredSecret { secret: SecretHash::from_bytes(*hash), at })
    };
    Some(secrets.iter().filter_map(secret).collect())
}

/// What [`retired`] reads back.
pub(super) fn retired_bytes(secrets: &RetiredSecrets) -> Vec<u8> {
    let mut bytes = Vec::new();
    for old in secrets.iter() {
        bytes.extend(old.secret.as_bytes());
        bytes.extend(old.at.as_millis().to_le_bytes());
    }
    bytes
}

/// `None` if this is no such JSON.
pub(super) fn versions(json: &str) -> Option<Versions> {
    let all: BTreeMap<String, u32> = serde_json::from_str(json).ok()?;
    Some(all.into_iter().collect())
}

/// What [`versions`] reads back; `None` where there is nothing to write.
pub(super) fn versions_json(versions: &Versions) -> Option<String> {
    let all: BTreeMap<_, _> = versions.iter().collect();
    (!all.is_empty()).then(|| serde_json::json!(all).to_string())
}
