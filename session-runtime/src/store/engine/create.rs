//! Creating a session.

use tokio::time::Instant;

use super::apply::SMALL;
use super::{Doubt, Engine, Failure, Inserted, Joins};
use crate::patch::SignIn;
use crate::record::Record;
use crate::record::form::{self, Raw};
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
    let mut form = form::whole(record, 1)?;
    if engine.keeps_apart() && form.value.len() > SMALL {
        form = form::apart(record, 1)?;
    }
    let meta = &record.meta;
    let principal = meta.principal.as_ref();
    let joins = principal.map(|principal| Joins::of(record, principal, sign_in, true));
    let expires = meta.expires_at();
    match engine.insert(record.id, &form, expires, joins.as_ref(), deadline).await? {
        Inserted::Stored => Ok(Created::Created),
        Inserted::Denied(denied) => Ok(Created::Denied(denied)),
        Inserted::Exists(Doubt::None) => Ok(Created::Exists),
        Inserted::Exists(Doubt::MaybeDone) => is_ours(engine, record, deadline).await,
    }
}

/// An answer was lost, and something is there now: only this record has its secret.
/// It may have ended since.
async fn is_ours(
    engine: &impl Engine,
    record: &Record,
    deadline: Instant,
) -> Result<Created, Failure> {
    let read = engine.read(record.id, deadline).await?;
    let ours = [record.meta.secret];
    let is_ours = match read.value.as_deref().map(Raw::read).transpose()? {
        Some(Raw::Record(raw)) => raw.meta.secret == record.meta.secret,
        Some(Raw::Tombstone(tombstone)) => tombstone.judge(&ours, tombstone.ended.at).is_some(),
        None => false,
    };
    Ok(if is_ours { Created::Created } else { Created::Exists })
}
