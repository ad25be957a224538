//! A patch as the arguments of `apply.lua`, and what came of it.
//!
//! Each thing that is asked for has a letter in front:
//!
//! | | asks |
//! |---|---|
//! | `=name` value | set the field |
//! | `-name` | remove it |
//! | `?name` value | remove it if it holds this |
//! | `+name` `delta absent min max` | add to it |
//! | `<name` | take it |
//! | `rREV`, `fname` value, `Fname`, `vnamespace` version | expect the revision, the field, no field, the schema version |
//! | `wnamespace` version | note the schema version |
//! | `nSECRET`, `a`, `pPRINCIPAL`, `P` | renew, authenticated, sign in, sign out |
//! | `lIDLE,ABSOLUTE,REMEMBER` | the lifetime, in milliseconds from now |
//! | `oFROM NEXT NONCE` | a renewal by age |
//! | `cMAX`, `cMAXe`, `tTIME` | the cap, evicting; not revoked since |
//! | `hHASH` | of who signs in: what is remembered when they sign out |
//! | `gREV` | sent again: uncertain if it may be forgotten |
//! | `kPRINCIPAL` | the principal for whom the index was chosen, stored already |
//! | `bBOUND`, `uTIME`, `eDENIAL` | in a cluster: what the index said, until when that holds, and that it says no |

use std::borrow::Cow;
use std::sync::Arc;

use redis::Value;

use super::failure::Failure;
use super::layout::{self, read_base64, secret};
use crate::clock::millis;
use crate::id::SessionId;
use crate::patch::{
    Applied, AtLimit, Conflict, Denied, Expect, FieldOp, Gone, Lifetime, Op, Outcome, Patch,
    Refused, Taken,
};
use crate::record::{MAX_LIFETIME, Principal};
use crate::store::limits::Limits;
use crate::token::RotationNonce;

pub(super) type Args<'p> = Vec<Cow<'p, [u8]>>;

fn tagged<'p>(tag: char, text: &str) -> Cow<'p, [u8]> {
    format!("{tag}{text}").into_bytes().into()
}

/// Everything after the patch id and the epoch.
pub(super) fn push<'p>(args: &mut Args<'p>, patch: &'p Patch) {
    for op in &patch.ops {
        push_op(args, op);
    }
    for expect in &patch.expect {
        match expect {
            Expect::Rev(rev) => args.push(tagged('r', &rev.to_string())),
            Expect::Field { name, value: None } => args.push(tagged('F', name)),
            Expect::Field { name, value: Some(value) } => {
                args.extend([tagged('f', name), value.into()]);
            }
            Expect::Version { namespace, version } => {
                args.extend([tagged('v', namespace), version.to_string().into_bytes().into()]);
            }
        }
    }
    if let Some(rev) = patch.again {
        args.push(tagged('g', &rev.to_string()));
    }
    let meta = &patch.meta;
    for (namespace, version) in &meta.versions {
        args.extend([tagged('w', namespace), version.to_string().into_bytes().into()]);
    }
    if let Some(hash) = &meta.renew {
        args.push(tagged('n', &secret(hash)));
    }
    if meta.authenticated {
        args.push(tagged('a', ""));
    }
    match &meta.principal {
        Some(Some(principal)) => args.extend([
            tagged('p', principal.as_str()),
            tagged('h', &layout::base64(principal.hash().as_bytes())),
        ]),
        Some(None) => args.push(tagged('P', "")),
        None => {}
    }
    if let Some(lifetime) = &meta.lifetime {
        args.push(tagged('l', &lifetime_text(lifetime)));
    }
    if let Some(rotate) = &meta.rotate {
        let rotation = layout::renewal_text(&rotate.rotation);
        args.push(tagged('o', &format!("{} {rotation}", secret(&rotate.from))));
    }
    if let Some(cap) = meta.sign_in.cap {
        let evict = if cap.at_limit == AtLimit::EvictOldest { "e" } else { "" };
        args.push(tagged('c', &format!("{}{evict}", cap.max)));
    }
    if let Some(since) = meta.sign_in.not_revoked_since {
        args.push(tagged('t', &since.as_millis().to_string()));
    }
}

fn push_op<'p>(args: &mut Args<'p>, op: &'p FieldOp) {
    match &op.op {
        Op::Set(value) => args.extend([tagged('=', &op.name), value.into()]),
        Op::Remove => args.push(tagged('-', &op.name)),
        Op::RemoveIf(value) => args.extend([tagged('?', &op.name), value.into()]),
        Op::Take => args.push(tagged('<', &op.name)),
        Op::Add(add) => {
            let numbers = format!("{} {} {} {}", add.delta, add.absent, add.min, add.max);
            args.extend([tagged('+', &op.name), numbers.into_bytes().into()]);
        }
    }
}

/// As `Meta::restart` clamps them.
fn lifetime_text(lifetime: &Lifetime) -> String {
    let text = |ms: Option<u64>| ms.map_or(String::new(), |ms| ms.to_string());
    let idle = lifetime.idle.map(|it| millis(it.min(MAX_LIFETIME)));
    let absolute = lifetime.absolute.map(|it| millis(it.min(MAX_LIFETIME)));
    let remember = lifetime.absolute.filter(|_| lifetime.remember).map(millis);
    format!("{},{},{}", text(idle), text(absolute), text(remember))
}

/// What the script answered.
pub(super) enum Answer {
    Outcome(Outcome),
    /// It has to be asked again with the index of this principal.
    Index(Principal),
    /// What the index said does not hold any more.
    Late,
}

/// Reads the answer to `patch`, which was asked under `epoch`.
pub(super) fn read(
    id: SessionId,
    epoch: u64,
    patch: &Patch,
    limits: &Limits,
    value: Value,
) -> Result<Answer, Failure> {
    let corrupt = || Failure::corrupt("answer");
    let applied = |rev: &Value, rotation, repeated, taken| {
        let rev = int(rev).and_then(|rev| u64::try_from(rev).ok()).ok_or_else(corrupt)?;
        let epoch = epoch + u64::from(patch.meta.renew.is_some());
        Ok(Answer::Outcome(Outcome::Applied(Applied { rev, epoch, taken, repeated, rotation })))
    };
    let answer = match value {
        Value::Int(0) => return Ok(Answer::Outcome(Outcome::Gone(Gone::Absent))),
        Value::Int(-1) => return Ok(Answer::Outcome(Outcome::Gone(Gone::Superseded))),
        Value::Int(_) => return applied(&value, None, false, Vec::new()),
        Value::Array(answer) => answer,
        _ => return Err(corrupt()),
    };
    let position = || answer.get(1).and_then(int).and_then(|i| usize::try_from(i - 1).ok());
    let op = || position().and_then(|i| patch.ops.get(i)).ok_or_else(corrupt);
    let outcome = match answer.first().and_then(text) {
        Some("a") => {
            let names = patch.ops.iter().filter(|op| op.op == Op::Take).map(|op| op.name.clone());
            let values = answer.iter().skip(3).map(|value| bytes(value).map(<[u8]>::to_vec));
            let taken = names.zip(values).map(|(name, value)| Taken { name, value }).collect();
            return applied(
                answer.get(1).unwrap_or(&Value::Nil),
                nonce(answer.get(2)),
                false,
                taken,
            );
        }
        Some("r") => {
            let rev = answer.get(1).unwrap_or(&Value::Nil);
            return applied(rev, nonce(answer.get(2)), true, Vec::new());
        }
        Some("c") => {
            let failed = position().and_then(|i| patch.expect.get(i)).ok_or_else(corrupt)?;
            let field = match failed {
                Expect::Rev(_) | Expect::Version { .. } => None,
                Expect::Field { name, .. } => Some(name.clone()),
            };
            let Some(Value::Array(flat)) = answer.get(2) else { return Err(corrupt()) };
            let current = Arc::new(layout::record(id, flat)?);
            Outcome::Conflict(Conflict { field, current })
        }
        Some("n") => {
            Outcome::Refused(Refused::NotAnInteger { field: op()?.name.clone().into_owned() })
        }
        Some("l") => {
            let of_field = answer.get(2).and_then(text) == Some("f");
            let limit = if of_field { limits.field } else { limits.record };
            let field = op()?.name.clone().into_owned();
            Outcome::Refused(Refused::TooLarge { field, limit })
        }
        Some("d") => Outcome::Denied(denial(answer.get(1)).ok_or_else(corrupt)?),
        Some("w") => {
            let principal = answer.get(1).and_then(text).ok_or_else(corrupt)?;
            return Ok(Answer::Index(Principal::from_stored(principal)));
        }
        Some("x") => Outcome::Uncertain,
        Some("u") => return Ok(Answer::Late),
        _ => return Err(corrupt()),
    };
    Ok(Answer::Outcome(outcome))
}

fn nonce(value: Option<&Value>) -> Option<RotationNonce> {
    read_base64(value.and_then(text)?).map(RotationNonce)
}

pub(super) fn denial(value: Option<&Value>) -> Option<Denied> {
    match value.and_then(text)? {
        "limit" => Some(Denied::AtLimit),
        "revoked" => Some(Denied::Revoked),
        _ => None,
    }
}

pub(super) const fn denial_text(denied: Denied) -> &'static str {
    match denied {
        Denied::AtLimit => "limit",
        Denied::Revoked => "revoked",
    }
}

pub(super) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

pub(super) fn text(value: &Value) -> Option<&str> {
    std::str::from_utf8(bytes(value)?).ok()
}

pub(super) const fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}
