//! Creating a session.

use tokio::time::Instant;

use super::apply::SMALL;
use super::{Doubt, Engine, Failure, Inserted, Joins};
use crate::record::form::{self, DoesNotFit, Form, Raw};
use crate::record::patch::SignIn;
use crate::record::{Record, Touch};
use crate::store::contract::Created;

pub(in crate::store) async fn create(
    engine: &impl Engine,
    record: &Record,
    sign_in: SignIn,
    deadline: Instant,
) -> Result<Created, Failure> {
    if let Err(refused) = engine.limits().check_new(&record.fields) {
        return Ok(Created::Refused(refused));
    }
    let form = match engine.keeps_apart() {
        true => first(record)?,
        false => form::whole(record, 1)?,
    };
    let meta = &record.meta;
    let principal = meta.principal.as_ref();
    let joins = principal.map(|principal| Joins::of(record, principal, sign_in, true));
    let expires = meta.expires_at();
    match engine.insert(record.id, &form, expires, joins.as_ref(), deadline).await? {
        Inserted::Stored(evicted) => Ok(Created::Created { evicted }),
        Inserted::Denied(denied) => Ok(Created::Denied(denied)),
        Inserted::Exists(Doubt::None) => Ok(Created::Exists),
        Inserted::Exists(Doubt::MaybeDone) => {
            let read = engine.read(record.id, deadline).await?;
            let is_ours = read.value.is_some_and(|value| is_ours(&value, record));
            Ok(if is_ours { Created::ALONE } else { Created::Exists })
        }
    }
}

/// Returns the form of a new session, for an engine that keeps bases separate.
pub(in crate::store) fn first(record: &Record) -> Result<Form, DoesNotFit> {
    let whole = form::whole(record, 1)?;
    if whole.value.len() <= SMALL { Ok(whole) } else { form::apart(record, 1) }
}

/// Whether `value`, found after an answer was lost, is this record: no other record has its secret.
/// It may have ended since.
pub(in crate::store) fn is_ours(value: &[u8], record: &Record) -> bool {
    match Raw::read(value) {
        Ok(Raw::Record(raw)) => raw.meta.secret == record.meta.secret,
        Ok(Raw::Tombstone(tombstone)) => {
            let visit = Touch::Never.into();
            tombstone.judge(&[record.meta.secret], visit, tombstone.ended.at).is_some()
        }
        Err(_) => false,
    }
}
