//! Resolves a change of a field that was changed concurrently.

use super::op::PendingOp;
use super::value;
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::record::patch::Op;
use crate::schema::{ConflictPolicy, Field};

/// Returns the operation to apply for `op`, given the value `stored` now; `None` if nothing is left
/// to do. `op.base` is the value that its handle saw.
///
/// An operation on a `LastWins` field is returned unchanged.
pub(super) fn resolve(
    op: &PendingOp,
    stored: Option<&[u8]>,
    now: Timestamp,
) -> Result<Option<Op>, SessionError> {
    let field = op.field;
    match field.conflict {
        ConflictPolicy::Merge(_) if op.base.as_deref() != stored => {
            let merged = merge(field, op.base.as_deref(), stored, &op.op, now)?;
            Ok((!leaves(field, &merged, stored)).then_some(merged))
        }
        ConflictPolicy::Compare if op.base.as_deref() != stored => {
            Err(SessionError::Conflict { field: Some(op.name().to_owned()) })
        }
        ConflictPolicy::WriteOnce => match stored {
            None => Ok((op.op != Op::Remove).then(|| op.op.clone())),
            Some(_) if leaves(field, &op.op, stored) => Ok(None),
            Some(_) => Err(SessionError::AlreadySet { field: field.name }),
        },
        _ => Ok(Some(op.op.clone())),
    }
}

/// Combines two changes of one request, made by two handles: `later` was made after `earlier`. If
/// the later handle had seen the earlier change, its own replaces it; otherwise the two conflict
/// like those of two requests.
pub(super) fn combine(
    earlier: &PendingOp,
    later: &PendingOp,
    now: Timestamp,
) -> Result<Op, SessionError> {
    let between = match &earlier.op {
        Op::Set(bytes) => Some(&**bytes),
        _ => None,
    };
    if later.base.as_deref() == between {
        return Ok(later.op.clone());
    }
    let unseen = resolve(later, between, now)?;
    Ok(unseen.unwrap_or_else(|| earlier.op.clone()))
}

fn leaves(field: &Field, op: &Op, stored: Option<&[u8]>) -> bool {
    match (op, stored) {
        (Op::Set(value), Some(stored)) => value::same(field, value, stored),
        (Op::Remove, None) => true,
        _ => false,
    }
}

fn merge(
    field: &'static Field,
    base: Option<&[u8]>,
    stored: Option<&[u8]>,
    mine: &Op,
    now: Timestamp,
) -> Result<Op, SessionError> {
    let ConflictPolicy::Merge(merge) = field.conflict else { return Ok(mine.clone()) };
    let decode = |bytes: Option<&[u8]>| match bytes.and_then(|it| value::decode(field, it, now)) {
        None => Ok(field.default_value()),
        Some(decoded) => decoded.map_err(|_| SessionError::Undecodable { field: field.name }),
    };
    let mine = match mine {
        Op::Set(bytes) => decode(Some(bytes))?,
        _ => field.default_value(),
    };
    let merged = merge(&*decode(base)?, &*decode(stored)?, mine);
    Ok(value::set_or_remove(field, value::encode(field, &merged, || now)?))
}

#[cfg(test)]
mod tests {
    use std::any::Any;

    use super::*;
    use crate::codec::{Json, Value};
    use crate::schema::{Schema, default, merge_with};
    use crate::session::op::Made;

    const NOW: Timestamp = Timestamp::from_millis(0);

    fn union(
        base: &(dyn Any + Send + Sync),
        stored: &(dyn Any + Send + Sync),
        mine: Value,
    ) -> Value {
        merge_with::<Vec<u8>, _>(
            base,
            stored,
            mine,
            |base: &Vec<u8>, stored: &Vec<u8>, mine: Vec<u8>| {
                let gone = |item: &u8| base.contains(item) && !mine.contains(item);
                let mut all: Vec<u8> = stored.iter().copied().filter(|item| !gone(item)).collect();
                all.extend(mine.iter().filter(|item| !base.contains(item)));
                all
            },
        )
    }

    const fn field() -> Field {
        Field::new("tags", "Vec<u8>", Json::<Vec<u8>>::CODEC, default::<Vec<u8>>)
    }
    static MERGED: Field = field().merge(union);
    static COMPARED: Field = field().compare();
    static ONCE: Field = field().write_once();
    static SCHEMA: Schema = Schema::new(&0, "Tags", "", &[]);

    fn op(field: &'static Field, base: Option<&str>, op: Op) -> PendingOp {
        let base = base.map(|base| base.as_bytes().to_vec());
        let (seq, under, made) = (1, None, Made::Anew);
        PendingOp { field, schema: &SCHEMA, seq, op, under, base, made }
    }

    fn set(value: &str) -> Op {
        Op::set(value)
    }

    fn resolved(op: &PendingOp, stored: Option<&str>) -> Result<Option<Op>, String> {
        resolve(op, stored.map(str::as_bytes), NOW).map_err(|error| error.to_string())
    }

    #[test]
    fn a_merge_is_called_only_where_something_changed_and_sees_all_three() {
        let mine = op(&MERGED, Some("[1,2]"), set("[2,3]"));
        assert_eq!(resolved(&mine, Some("[1,2]")), Ok(Some(set("[2,3]"))));
        assert_eq!(resolved(&mine, Some("[1,2,4]")), Ok(Some(set("[2,4,3]"))));
        assert_eq!(resolved(&mine, None), Ok(Some(set("[3]"))));
        let same = resolved(&mine, Some("[2]"));
        assert_eq!(same, Ok(Some(set("[2,3]"))), "also where others made part of the change");
        let none = op(&MERGED, Some("[1]"), set("[]"));
        assert_eq!(resolved(&none, Some("[2]")), Ok(None), "nothing is left to do");
    }

    #[test]
    fn a_merge_with_bytes_that_do_not_decode_is_an_error_that_names_the_field() {
        let mine = op(&MERGED, Some("[1]"), set("[1,2]"));
        assert!(resolved(&mine, Some("\"x\"")).unwrap_err().contains("tags"));
    }

    #[test]
    fn compare_refuses_whatever_changed_and_write_once_whatever_is_there() {
        let mine = op(&COMPARED, Some("[1]"), set("[2]"));
        assert_eq!(resolved(&mine, Some("[1]")), Ok(Some(set("[2]"))));
        assert!(resolved(&mine, Some("[2]")).is_err(), "even for the same value");
        let mine = op(&ONCE, None, set("[2]"));
        assert_eq!(resolved(&mine, None), Ok(Some(set("[2]"))));
        assert_eq!(resolved(&mine, Some("[2]")), Ok(None), "the same value is no conflict");
        assert!(resolved(&mine, Some("[1]")).is_err());
        assert!(resolved(&op(&ONCE, Some("[1]"), Op::Remove), Some("[1]")).is_err());
    }

    #[test]
    fn two_handles_of_one_request_are_like_two_requests_unless_one_saw_the_other() {
        let first = op(&MERGED, Some("[1]"), set("[1,2]"));
        let blind = op(&MERGED, Some("[1]"), set("[1,3]"));
        let seeing = op(&MERGED, Some("[1,2]"), set("[3]"));
        assert_eq!(combine(&first, &blind, NOW).ok(), Some(set("[1,2,3]")));
        assert_eq!(combine(&first, &seeing, NOW).ok(), Some(set("[3]")));
        let first = op(&COMPARED, Some("[1]"), set("[1,2]"));
        let blind = op(&COMPARED, Some("[1]"), set("[1,3]"));
        assert!(combine(&first, &blind, NOW).is_err());
    }
}
