//! The record's own data as tokens: a letter, followed by a number, a text of fixed length, or a
//! length, a colon and that many bytes.

use std::sync::Arc;

use super::InvalidForm;
use super::head::Head;
use super::text::{Reader, write_base64, write_bytes, write_number, write_signed};
use crate::clock::{Millis, Timestamp};
use crate::realm::Realm;
use crate::record::{
    EndReason, Ended, Meta, Principal, PrincipalHash, Renewal, RetiredSecret, Rotation,
};
use crate::token::{RotationNonce, SecretHash};

pub(super) fn write(out: &mut Vec<u8>, meta: &Meta) {
    let created = meta.created;
    let hash = |out: &mut Vec<u8>, letter: u8, hash: &SecretHash| {
        out.push(letter);
        write_base64(out, hash.as_bytes());
    };
    let number = |out: &mut Vec<u8>, letter: u8, number: Option<u64>| {
        if let Some(number) = number {
            out.push(letter);
            write_number(out, number);
        }
    };
    let relative = |out: &mut Vec<u8>, time: Timestamp| {
        write_signed(out, i128::from(time.as_millis()) - i128::from(created.as_millis()));
    };
    let time = |out: &mut Vec<u8>, letter: u8, time: Option<Timestamp>| {
        if let Some(time) = time {
            out.push(letter);
            relative(out, time);
        }
    };
    hash(out, b's', &meta.secret);
    number(out, b'c', Some(created.as_millis()));
    time(out, b'l', Some(meta.last_seen).filter(|it| *it != created));
    time(out, b'v', Some(meta.secret_since).filter(|it| *it != created));
    time(out, b'u', meta.authenticated);
    number(out, b'i', meta.idle.map(Millis::get));
    time(out, b'x', meta.absolute);
    number(out, b'm', meta.remember.map(Millis::get));
    if !meta.realm.is_default() {
        out.push(b'r');
        write_bytes(out, meta.realm.as_str().as_bytes());
    }
    if let Some(principal) = &meta.principal {
        match principal.within(&meta.realm) {
            Some(text) => {
                out.push(b'p');
                write_bytes(out, text.as_bytes());
            }
            None => {
                out.push(b'P');
                write_bytes(out, principal.as_str().as_bytes());
            }
        }
    }
    if let Some(last) = &meta.last_principal {
        out.push(b'o');
        write_base64(out, last.as_bytes());
    }
    if let Some(Rotation { nonce, next }) = meta.renewal.pending() {
        hash(out, b'n', next);
        write_base64(out, &nonce.0);
    }
    for next in meta.renewal.converging() {
        hash(out, b'g', next);
    }
    for old in meta.renewal.replaced() {
        hash(out, b'b', &old.secret);
        relative(out, old.at);
    }
    let by_sign_in = meta.retired.last_by_sign_in();
    for old in meta.retired.iter() {
        let is_last = by_sign_in.is_some_and(|last| std::ptr::eq(last, old));
        hash(out, if is_last { b'D' } else { b'd' }, &old.secret);
        relative(out, old.at);
    }
    for (namespace, version) in meta.versions.iter() {
        out.push(b'w');
        write_bytes(out, namespace.as_bytes());
        write_number(out, u64::from(version));
    }
}

pub(super) fn read(head: &Head, text: &[u8]) -> Result<Meta, InvalidForm> {
    let mut reader = Reader::new(text);
    let meta = read_tokens(head, &mut reader);
    meta.filter(|_| reader.is_empty()).ok_or(InvalidForm::Malformed("meta"))
}

fn read_tokens(head: &Head, reader: &mut Reader<'_>) -> Option<Meta> {
    reader.expect(b's')?;
    let secret = reader.hash()?;
    reader.expect(b'c')?;
    let created = Timestamp::from_millis(reader.number()?);
    let mut meta = Meta::stored(secret, created);
    meta.epoch = head.epoch;
    meta.rev = head.rev;
    meta.patches = head.patches;
    let relative = |reader: &mut Reader<'_>| {
        let millis = i128::from(created.as_millis()).checked_add(reader.signed()?)?;
        Some(Timestamp::from_millis(u64::try_from(millis).ok()?))
    };
    let retired = |reader: &mut Reader<'_>| {
        Some(RetiredSecret { secret: reader.hash()?, at: relative(reader)? })
    };
    let (mut pending, mut by_sign_in) = (None, false);
    let (mut converging, mut previous, mut replaced) = (Vec::new(), Vec::new(), Vec::new());
    let mut versions: Vec<(&str, u32)> = Vec::new();
    while let Some(letter) = reader.byte() {
        match letter {
            b'l' => meta.last_seen = relative(reader)?,
            b'v' => meta.secret_since = relative(reader)?,
            b'u' => meta.authenticated = Some(relative(reader)?),
            b'i' => meta.idle = Some(Millis::new(reader.number()?)),
            b'x' => meta.absolute = Some(relative(reader)?),
            b'm' => meta.remember = Some(Millis::new(reader.number()?)),
            b'r' => meta.realm = Realm::new(reader.text()?).ok()?,
            b'p' => {
                let (realm, text) = (&meta.realm, reader.text()?);
                meta.principal = Some(Principal::from_stored(&format!("{realm}:{text}")));
            }
            b'P' => meta.principal = Some(Principal::from_stored(reader.text()?)),
            b'o' => {
                meta.last_principal = Some(Arc::new(PrincipalHash::from_bytes(reader.half()?)));
            }
            b'n' => {
                let next = reader.hash()?;
                pending = Some(Rotation { nonce: RotationNonce(reader.half()?), next });
            }
            b'g' => converging.push(reader.hash()?),
            b'b' => previous.push(retired(reader)?),
            b'd' | b'D' => {
                by_sign_in = letter == b'D';
                replaced.push(retired(reader)?);
            }
            b'w' => {
                let namespace = reader.text()?;
                versions.push((namespace, u32::try_from(reader.number()?).ok()?));
            }
            _ => return None,
        }
    }
    if pending.is_some() {
        meta.renewal = Renewal::new(pending, None);
    }
    for secret in converging {
        meta.renewal = meta.renewal.with_converging(secret);
    }
    for old in previous {
        meta.renewal = meta.renewal.with_replaced(old);
    }
    meta.retired = replaced.into_iter().collect();
    if by_sign_in {
        meta.retired.by_sign_in();
    }
    meta.versions = versions.into_iter().collect();
    Some(meta)
}

/// Writes how a session ended, after the meta of its tombstone.
pub(super) fn write_end(out: &mut Vec<u8>, ended: &Ended) {
    out.push(b'e');
    out.push(letter(ended.because));
    write_number(out, ended.at.as_millis());
}

/// The reasons that are stored, with their letters.
const LETTERS: [(EndReason, u8); 7] = [
    (EndReason::SignedOut, b'b'),
    (EndReason::AnotherUser, b'u'),
    (EndReason::OtherDevice, b'e'),
    (EndReason::Administrator, b'a'),
    (EndReason::Limit, b'l'),
    (EndReason::Replayed, b'r'),
    (EndReason::Unknown, b'n'),
];

/// Returns the letter for why a session ended.
pub(crate) fn letter(because: EndReason) -> u8 {
    let stored = LETTERS.iter().find(|(reason, _)| *reason == because);
    // No session ends by the other reasons: they follow from the record that is still there.
    stored.map_or(b'n', |(_, letter)| *letter)
}

pub(super) fn read_end(text: &[u8]) -> Result<Ended, InvalidForm> {
    let mut reader = Reader::new(text);
    let ended = read_end_tokens(&mut reader);
    ended.filter(|_| reader.is_empty()).ok_or(InvalidForm::Malformed("tombstone"))
}

fn read_end_tokens(reader: &mut Reader<'_>) -> Option<Ended> {
    reader.expect(b'e')?;
    let letter = reader.byte()?;
    let (because, _) = LETTERS.iter().find(|(_, known)| *known == letter)?;
    Some(Ended::new(*because, Timestamp::from_millis(reader.number()?)))
}
