//! Signing in under conditions: what is locked, and who has to go.
//!
//! Whoever brings a session to a principal, or revokes all of them, first holds
//! that principal's row of `session_revocation` until the end of the
//! transaction. So the sessions of a principal do not become more while
//! somebody counts them. The row may be swept in between; then the next one
//! makes it again.
//!
//! Order of locks: the principal, the session itself, then others of that
//! principal in the order of their ids.

use sqlx::mysql::MySqlRow;

use super::failure::Failure;
use super::layout::Tables;
use super::line::{Answers, Line};
use super::row::{self, META};
use super::sql::{Batch, Id, Key, List};
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::patch::{Denied, SignIn};
use crate::record::Fields;
use crate::record::{Meta, Principal, Record};

/// What was asked for while the principal's row is held.
pub(super) struct Held {
    /// Whose row it is.
    pub(super) principal: Principal,
    revoked: usize,
    others: Option<usize>,
}

/// Takes hold of the principal's row: the first lock of a transaction.
pub(super) fn hold(
    batch: &mut Batch,
    tables: &Tables,
    principal: &Principal,
    sign_in: SignIn,
) -> Held {
    let (revocation, key) = (&tables.revocation, Key(principal.as_str()));
    batch.push(format_args!(
        "INSERT INTO {revocation} (principal_key, revoked_at) VALUES ({key}, 0) \
         ON DUPLICATE KEY UPDATE revoked_at = revoked_at"
    ));
    let revoked =
        batch.push(format_args!("SELECT revoked_at FROM {revocation} WHERE principal_key = {key}"));
    let others = sign_in.cap.is_some().then(|| {
        let session = &tables.session;
        batch.push(format_args!("SELECT {META} FROM {session} s WHERE s.principal_key = {key}"))
    });
    Held { principal: principal.clone(), revoked, others }
}

impl Held {
    fn revoked(&self, answers: &Answers) -> Result<Option<Timestamp>, Failure> {
        let row = answers.rows(self.revoked).first();
        // Zero: made to be held, or never.
        let at = row.map(|row| row::number(row, 0)).transpose()?.filter(|at| *at != 0);
        Ok(at.map(row::time))
    }

    /// Whether `record` may sign in, and who ends for it: those are locked.
    /// `Err` inside: why not.
    pub(super) async fn admit(
        &self,
        line: &mut Line,
        tables: &Tables,
        answers: &Answers,
        record: SessionId,
        sign_in: SignIn,
        now: Timestamp,
    ) -> Result<Result<Vec<(SessionId, Meta)>, Denied>, Failure> {
        let rows = self.others.map_or(&[][..], |others| answers.rows(others));
        let others = rows.iter().map(|row| -> Result<_, Failure> {
            Ok(Record::new(row::id(row)?, row::meta(row)?, Fields::new()))
        });
        let mut others = others.collect::<Result<Vec<_>, _>>()?;
        others.retain(|other| other.id != record && !other.meta.is_expired(now));
        let evicted = match sign_in.admit(&others, self.revoked(answers)?) {
            Err(denied) => return Ok(Err(denied)),
            Ok(evicted) if evicted.is_empty() => return Ok(Ok(Vec::new())),
            Ok(evicted) => evicted,
        };
        let principal = others.iter().find_map(|other| other.meta.principal.clone());
        let mut batch = Batch::default();
        let locked = lock(&mut batch, tables, &evicted);
        let answers = line.run(batch).await?;
        let mut ended = metas(answers.rows(locked))?;
        // Who ended meanwhile, or signed out, makes room as well.
        ended.retain(|(_, meta)| meta.principal == principal);
        Ok(Ok(ended))
    }
}

/// Locks these rows in the order of their ids, and reads them.
pub(super) fn lock(batch: &mut Batch, tables: &Tables, ids: &[SessionId]) -> usize {
    let mut ids: Vec<_> = ids.iter().map(|id| Id(*id).to_string()).collect();
    ids.sort_unstable();
    batch.push(format_args!(
        "SELECT {META} FROM {} s FORCE INDEX (PRIMARY) WHERE s.id IN ({}) ORDER BY s.id FOR UPDATE",
        tables.session,
        List(ids.iter())
    ))
}

pub(super) fn metas(rows: &[MySqlRow]) -> Result<Vec<(SessionId, Meta)>, Failure> {
    rows.iter().map(|row| Ok((row::id(row)?, row::meta(row)?))).collect()
}

/// Whose sign-in it is if that takes a look at the record first.
pub(super) async fn principal_of(
    line: &mut Line,
    tables: &Tables,
    id: SessionId,
) -> Result<Option<Principal>, Failure> {
    let mut batch = Batch::default();
    let session = &tables.session;
    let own = batch.push(format_args!("SELECT {META} FROM {session} s WHERE s.id = {}", Id(id)));
    let answers = line.alone(batch).await?;
    let meta = answers.rows(own).first().map(row::meta).transpose()?;
    Ok(meta.and_then(|meta| meta.principal))
}
